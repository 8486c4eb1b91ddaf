"""The winner of a study: its settings, its numbers beside the default's, how to use it."""

from collections.abc import Sequence
from pathlib import Path

from pages.gallery_data import Change, Number
from pages.sweep_data import SweepMeasure, SweepSetting, SweepWinner
from sweeper.answer.records import Answer
from sweeper.report.values import BASELINE, baseline_of, change_of, mean_of, page_link, settings_of
from sweeper.study.folder import StudyFolder
from sweeper.study.records import StudyRecord, TrialRecord


def winner_part(record: StudyRecord, answer: Answer) -> SweepWinner | None:
    """None: nothing came to an end."""
    if answer.winner is None:
        return None
    trial = record.trial(answer.winner)
    folder = StudyFolder(record.folder)
    files = [("LoRA file", folder.best_weights), ("its settings", folder.best), ("all trials", folder.table)]
    numbers_of = "One training seed, not confirmed; ± is half of a 95 % interval over prompts."
    if answer.is_confirmed:
        numbers_of = f"Mean of {_seeds(answer.winner_seeds)}; ± is half of a 95 % interval."
    return SweepWinner(
        number=trial.number,
        link=page_link(trial, record),
        sentence=f"Chosen by {answer.rule}." if answer.rule else "",
        settings=_settings(trial, record),
        measures=[_measure(name, record, answer) for name in record.objectives],
        numbers_of=numbers_of,
        command=answer.command,
        experiment=_use_of(folder.best),
        files=[(name, path.name) for name, path in files if path.is_file()],
    )


def _use_of(best: Path) -> str:
    """The line that uses best.yaml, as its second line says it; "" without one."""
    try:
        lines = best.read_text(encoding="utf-8").splitlines()[:2]
    except (OSError, ValueError):
        return ""
    line = lines[-1].removeprefix("# ") if lines else ""
    return line if line.startswith("python ") else ""


def _settings(trial: TrialRecord, record: StudyRecord) -> list[SweepSetting]:
    """Its settings beside the default's; then those that the default has alone."""
    own, defaults = settings_of(trial.params, record), settings_of(record.defaults, record)
    settings = []
    for key, value in own.items():
        default = defaults[key].text if key in defaults else None
        is_alike = value.text == default and trial.params[key] != record.defaults[key]
        text = repr(trial.params[key]) if is_alike else value.text  # all digits where three do not tell
        settings.append(SweepSetting(key=key, value=text, default=default))
    rest = [(key, value) for key, value in defaults.items() if key not in own]
    return [*settings, *(SweepSetting(key=key, value="not used", default=one.text) for key, one in rest)]


def _measure(name: str, record: StudyRecord, answer: Answer) -> SweepMeasure:
    """Confirmed numbers where the winner has them, else those of the search."""
    confirmed = {setting.of: setting for setting in answer.confirmed}
    assert answer.winner is not None
    if answer.is_confirmed and answer.winner in confirmed:
        own, default = confirmed[answer.winner], confirmed.get(BASELINE)
        difference = own.differences.get(name)
        runs = [run for run in record.confirmations if run.of == answer.winner and name in run.scores]
        return SweepMeasure(
            objective=name,
            winner=mean_of(own, name),
            default=None if default is None or default is own else mean_of(default, name),
            change=None if difference is None else change_of(difference),
            base=_average([run.scores[name].base for run in runs]),
            real=_average([run.scores[name].real for run in runs]),
        )
    trial = record.trial(answer.winner)
    baseline = baseline_of(record)
    other = None if baseline is None or baseline is trial else _score(baseline, name)
    mine = _score(trial, name)
    change = None if mine is None or other is None else Change(value=mine.value - other.value)
    score = trial.scores.get(name)
    return SweepMeasure(
        objective=name,
        winner=mine,
        default=other,
        change=change,
        base=None if score is None else score.base,
        real=None if score is None else score.real,
    )


def _score(trial: TrialRecord, name: str) -> Number | None:
    if name not in trial.values:
        return None
    score = trial.scores.get(name)
    return Number(value=trial.values[name], spread=None if score is None else score.spread)


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _seeds(count: int) -> str:
    return f"{count} fresh training seed{'s' * (count != 1)}"
