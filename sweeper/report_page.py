"""report.html of a study: the record and its answer as the data of the page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pages.gallery_data import HIGHER, LOWER, Change, Number
from pages.numbers import places_for
from pages.run_folder import duration
from pages.sweep_data import (
    DEFAULT,
    WINNER,
    SignalRow,
    SweepConfirmed,
    SweepDimension,
    SweepImportances,
    SweepMeasure,
    SweepObjective,
    SweepPage,
    SweepPruning,
    SweepSetting,
    SweepTrial,
    SweepValue,
    SweepWinner,
)
from pages.sweep_page import write_sweep_page
from sweeper.answer.names import settings_words, show_value
from sweeper.answer.records import Answer, AnswerKind, ConfirmedDifference, ConfirmedSetting, Verdict
from sweeper.config import Direction
from sweeper.report_sheet import sheet_of
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Dimension, StudyRecord, TrialRecord, TrialState

_BADGES: Mapping[AnswerKind, tuple[str, str]] = {
    AnswerKind.better: ("beats the default", "good"),
    AnswerKind.trade: ("a trade", "wait"),
    AnswerKind.within_noise: ("within the noise", "wait"),
    AnswerKind.default_best: ("the default is best", "none"),
    AnswerKind.no_comparison: ("no default to compare with", "wait"),
    AnswerKind.waiting: ("not confirmed yet", "wait"),
    AnswerKind.unconfirmed: ("not confirmed", "wait"),
    AnswerKind.single: ("one trial", "none"),
    AnswerKind.infeasible: ("nothing feasible", "bad"),
    AnswerKind.none_complete: ("nothing complete", "bad"),
    AnswerKind.all_failed: ("all failed", "bad"),
    AnswerKind.nothing_yet: ("just begun", "none"),
}
_VERDICTS = {
    Verdict.better: "better",
    Verdict.worse: "worse",
    Verdict.within_noise: "within_noise",
    Verdict.unknown: "one_prompt",
}
_BASELINE = 0


def write_report(record: StudyRecord, answer: Answer) -> Path:
    """Write report.html into the study's folder; the path of it."""
    path = StudyFolder(record.folder).report
    write_sweep_page(page_of(record, answer), path)
    return path


def page_of(record: StudyRecord, answer: Answer) -> SweepPage:
    """All that the report shows."""
    words, tone = _BADGES[answer.kind]
    objectives = [_objective(name, way, record) for name, way in record.objectives.items()]
    return SweepPage(
        title=record.name,
        sentence=answer.sentence,
        tone=tone,
        verdict=words,
        details=answer.details,
        ran=_ran(record, answer),
        notices=answer.notices,
        winner=_winner(record, answer),
        objectives=objectives,
        dimensions=[_dimension(dimension, answer.short_names) for dimension in record.dimensions],
        trials=_trials(record, answer),
        importances=_importances(answer),
        sheet=sheet_of(record, answer),
        pruning=_pruning(record, answer),
        confirmed=[_confirmed(setting, record, answer) for setting in answer.confirmed],
        confirm_note=_confirm_note(record, answer),
        facts=_facts(record, answer),
    )


def _objective(name: str, way: Direction, record: StudyRecord) -> SweepObjective:
    scores = [trial.scores[name] for trial in record.trials if name in trial.scores]
    return SweepObjective(
        name=name,
        title=name.replace("_", " "),
        direction=LOWER if way is Direction.minimize else HIGHER,
        base=next((score.base for score in scores if score.base is not None), None),
        real=next((score.real for score in scores if score.real is not None), None),
        places=places_for(trial.values.get(name) for trial in record.trials),
    )


def _dimension(dimension: Dimension, names: Mapping[str, str]) -> SweepDimension:
    choices = dimension.choices
    return SweepDimension(
        key=dimension.key,
        label=names.get(dimension.key, dimension.key),
        choices=None if choices is None else [_value(choice, dimension) for choice in choices],
        low=dimension.low,
        high=dimension.high,
        is_log=dimension.log,
        when=dimension.when,
    )


def _value(value: object, dimension: Dimension | None) -> SweepValue:
    """Text and number; the text of a choice tells it from every other choice."""
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    text = show_value(value)
    if dimension is not None and dimension.choices is not None and isinstance(value, float):
        text = text if float(text) == value else repr(value)
    return SweepValue(text=text, number=number)


def _settings(params: Mapping[str, object], record: StudyRecord) -> dict[str, SweepValue]:
    dimensions = {dimension.key: dimension for dimension in record.dimensions}
    return {key: _value(value, dimensions.get(key)) for key, value in params.items()}


def _trials(record: StudyRecord, answer: Answer) -> list[SweepTrial]:
    ranks = {ranked.number: place for place, ranked in enumerate(answer.ranking, start=1)}
    front = set(answer.front) if len(record.objectives) > 1 else set()
    return [_trial(trial, (record, answer), ranks.get(trial.number), front) for trial in record.trials]


def _trial(
    trial: TrialRecord, study: tuple[StudyRecord, Answer], rank: int | None, front: set[int]
) -> SweepTrial:
    record, answer = study
    is_done = trial.state is TrialState.complete
    spreads = {name: trial.scores[name].spread for name in trial.values if name in trial.scores}
    broken = [
        f"{name} {record.constraints.get(name, '')}".strip() + " does not hold"
        for name, excess in trial.constraints.items()
        if excess > 0
    ]
    words = trial.outcome.value if trial.outcome and _has_ended(trial) else trial.state.value
    return SweepTrial(
        number=trial.number,
        state=trial.state.value,
        outcome="infeasible" if is_done and broken else words.replace("_", " "),
        cause=trial.cause or ", ".join(broken),
        link=page_link(trial, record),
        settings=_settings(trial.params, record),
        values={name: value for name, value in trial.values.items() if name in record.objectives},
        spreads={name: spread for name, spread in spreads.items() if spread is not None},
        rank=rank,
        is_front=trial.number in front,
        roles=_roles(trial.number, answer),
        steps_done=trial.steps_done,
        total_steps=trial.total_steps,
        seconds=trial.seconds,
        reports=trial.reports,
        notes=trial.notes,
    )


def _has_ended(trial: TrialRecord) -> bool:
    return trial.state not in (TrialState.waiting, TrialState.running)


def _roles(number: int, answer: Answer) -> list[str]:
    roles = [WINNER] if number == answer.winner and answer.kind is not AnswerKind.single else []
    return [*roles, DEFAULT] if number == _BASELINE else roles


def page_link(trial: TrialRecord, record: StudyRecord) -> str | None:
    """Relative path from the report to the trial's own page; None: it has none."""
    page = trial.folder / "index.html"
    return os.path.relpath(page, record.folder) if page.is_file() else None


def _winner(record: StudyRecord, answer: Answer) -> SweepWinner | None:
    if answer.winner is None:
        return None
    trial = record.trial(answer.winner)
    own, defaults = _settings(trial.params, record), _settings(record.defaults, record)
    settings = [
        SweepSetting(key=key, value=value.text, default=defaults[key].text if key in defaults else None)
        for key, value in own.items()
    ]
    folder = StudyFolder(record.folder)
    files = [("LoRA file", folder.best_weights), ("its settings", folder.best)]
    numbers_of = "One training seed, not confirmed; ± is half of a 95 % interval over prompts."
    if answer.is_confirmed:
        numbers_of = f"Mean of {_seeds(answer.winner_seeds)}; ± is half of a 95 % interval."
    return SweepWinner(
        number=trial.number,
        link=page_link(trial, record),
        sentence=f"Chosen by {answer.rule}." if answer.rule else "",
        settings=settings,
        measures=[_measure(name, record, answer) for name in record.objectives],
        numbers_of=numbers_of,
        command=answer.command,
        experiment=f"python train.py +experiment={record.name}-best" if folder.best.is_file() else "",
        files=[(name, path.name) for name, path in files if path.is_file()],
    )


def _seeds(count: int) -> str:
    return f"{count} fresh training seed{'s' * (count != 1)}"


def _measure(name: str, record: StudyRecord, answer: Answer) -> SweepMeasure:
    """Confirmed numbers where the winner has them, else those of the search."""
    confirmed = {setting.of: setting for setting in answer.confirmed}
    assert answer.winner is not None
    if answer.is_confirmed and answer.winner in confirmed:
        own, default = confirmed[answer.winner], confirmed.get(_BASELINE)
        difference = own.differences.get(name)
        runs = [run for run in record.confirmations if run.of == answer.winner and name in run.scores]
        return SweepMeasure(
            objective=name,
            winner=_mean(own, name),
            default=None if default is None or default is own else _mean(default, name),
            change=None if difference is None else _change(difference),
            base=_average([run.scores[name].base for run in runs]),
            real=_average([run.scores[name].real for run in runs]),
        )
    trial = record.trial(answer.winner)
    baseline = next((one for one in record.trials if one.number == _BASELINE), None)
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


def _mean(setting: ConfirmedSetting, name: str) -> Number | None:
    if name not in setting.means:
        return None
    return Number(value=setting.means[name], spread=setting.spreads.get(name), n=len(setting.seeds))


def _score(trial: TrialRecord, name: str) -> Number | None:
    if name not in trial.values:
        return None
    score = trial.scores.get(name)
    return Number(value=trial.values[name], spread=None if score is None else score.spread)


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _change(difference: ConfirmedDifference) -> Change:
    width = difference.half_width
    return Change(
        value=difference.value,
        low=None if width is None else difference.value - width,
        high=None if width is None else difference.value + width,
        verdict=_VERDICTS[difference.verdict],
    )


def _importances(answer: Answer) -> list[SweepImportances]:
    several = len(answer.importances_by_objective) > 1
    groups = [("What decides the best" if several else f"Of {answer.importances.of}", answer.importances)]
    groups += [(f"Of {name}", one) for name, one in answer.importances_by_objective.items() if several]
    return [
        SweepImportances(
            title=title.removesuffix(" of ").strip(),
            shares={answer.short_names.get(key, key): share for key, share in one.shares.items()},
            num_trials=one.num_trials,
            reason=one.reason,
        )
        for title, one in groups
        if one.shares or one.reason
    ]


def _pruning(record: StudyRecord, answer: Answer) -> SweepPruning:
    is_off = record.prune_on is None or record.pruner == "none"
    return SweepPruning(
        signal=None if is_off else record.prune_on,
        rule=f"Pruner: {record.pruner}.",
        stopped=[(one.number, one.step) for one in answer.pruned.trials],
        saved_steps=answer.pruned.saved_steps,
        saved_seconds=answer.pruned.saved_seconds,
        share_of_steps=answer.pruned.share_of_steps,
        checks=[
            SignalRow(
                objective=check.objective,
                step=check.step,
                correlation=check.correlation,
                n=check.n,
                is_last=check.is_last,
                reason=check.reason,
            )
            for check in answer.signal
        ],
    )


def _confirmed(setting: ConfirmedSetting, record: StudyRecord, answer: Answer) -> SweepConfirmed:
    runs = [run for run in record.confirmations if run.of == setting.of]
    links = [(f"seed {run.seed}", page_link(run, record)) for run in runs]
    numbers = {name: _mean(setting, name) for name in setting.means}
    return SweepConfirmed(
        of=setting.of,
        settings=settings_words(record.trial(setting.of).params, answer.short_names),
        roles=_roles(setting.of, answer),
        seeds=setting.seeds,
        num_missing=setting.num_missing,
        num_failed=setting.num_failed,
        values=setting.values,
        numbers={name: number for name, number in numbers.items() if number is not None},
        changes={name: _change(difference) for name, difference in setting.differences.items()},
        optimism=setting.optimism,
        links=[(words, link) for words, link in links if link is not None],
    )


def _confirm_note(record: StudyRecord, answer: Answer) -> str:
    if answer.num_missing:
        return f"{answer.num_missing} confirmation runs have not ended yet."
    if not answer.confirmed and answer.ranking:
        return "Nothing was trained again: what is best here rests on one training seed each."
    return ""


def _ran(record: StudyRecord, answer: Answer) -> list[tuple[str, str]]:
    runs = [*record.trials, *record.confirmations]
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in answer.counts.items())
    planned = f" of {record.num_trials}" if (record.num_trials or 0) > len(record.trials) else ""
    done = sum(run.state is TrialState.complete for run in record.confirmations)
    total = max(len(record.confirmations), record.num_confirmations)
    gpu = sum(run.gpu_seconds for run in runs)
    workers = len({run.worker for run in runs if run.worker})
    return [
        ("Trials", f"{len(record.trials)}{planned}" + (f": {counts}" if counts else "")),
        ("Confirmation runs", f"{done} of {total}" if total else ""),
        ("Time of all runs", duration(sum(run.seconds for run in runs))),
        ("GPU time", f"{gpu / 3600:.2g} h" if gpu else "none"),
        ("Workers", str(workers) if workers else ""),
        ("Ended by", record.stopped.splitlines()[-1] if record.stopped else "not ended"),
    ]


def _facts(record: StudyRecord, answer: Answer) -> list[tuple[str, str]]:
    budget = ", ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in record.budget.items())
    constraints = ", ".join(f"{name} {words}" for name, words in record.constraints.items())
    objectives = ", ".join(f"{way.value} {name}" for name, way in record.objectives.items())
    device = "" if record.device is None else f"{record.device}, {record.threads or '?'} threads a trial"
    facts = [
        ("Command", record.command),
        ("Objectives", objectives),
        ("Constraints", constraints),
        ("The best is", answer.rule),
        ("Budget", budget),
        ("Sampler", record.sampler),
        ("Pruner", f"{record.pruner} on {record.prune_on}" if record.prune_on else "none"),
        ("Storage", record.storage),
        ("Device", device),
        ("Begun", record.created.strftime("%Y-%m-%d %H:%M %Z").strip() if record.created else ""),
        ("Ended by", record.stopped or ""),
    ]
    return [(name, words) for name, words in facts if words]
