"""Values, links and differences as the report shows them."""

import os
from collections.abc import Mapping

from pages.gallery_data import Change, Number
from pages.sweep_data import DEFAULT, WINNER, SweepValue
from sweeper.answer.names import show_value
from sweeper.answer.records import Answer, AnswerKind, ConfirmedDifference, ConfirmedSetting, Verdict
from sweeper.study.records import Dimension, StudyRecord, TrialRecord

BASELINE = 0  # the trial of the defaults
_VERDICTS = {
    Verdict.better: "better",
    Verdict.worse: "worse",
    Verdict.within_noise: "within_noise",
    Verdict.unknown: "one_prompt",
}


def settings_of(params: Mapping[str, object], record: StudyRecord) -> dict[str, SweepValue]:
    """Key -> value, of what was searched."""
    dimensions = {dimension.key: dimension for dimension in record.dimensions}
    return {key: value_of(value, dimensions.get(key)) for key, value in params.items()}


def value_of(value: object, dimension: Dimension | None) -> SweepValue:
    """Text and number; the text of a choice tells it from every other choice."""
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    text = show_value(value)
    if dimension is not None and dimension.choices is not None and isinstance(value, float):
        text = text if float(text) == value else repr(value)
    return SweepValue(text=text, number=number)


def baseline_of(record: StudyRecord) -> TrialRecord | None:
    """Trial 0 where it is the default; a plain grid may begin with other settings."""
    first = next((trial for trial in record.trials if trial.number == BASELINE), None)
    return first if record.begins_with_default else None


def page_link(trial: TrialRecord, record: StudyRecord) -> str | None:
    """Relative path from the report to the trial's own page; None: it has none."""
    page = trial.folder / "index.html"
    return os.path.relpath(page, record.folder) if page.is_file() else None


def roles_of(number: int, record: StudyRecord, answer: Answer) -> list[str]:
    """What a trial is, beside one of many."""
    roles = [WINNER] if number == answer.winner and answer.kind is not AnswerKind.single else []
    baseline = baseline_of(record)
    return [*roles, DEFAULT] if baseline is not None and number == baseline.number else roles


def mean_of(setting: ConfirmedSetting, name: str) -> Number | None:
    """Its mean over fresh seeds; None: no confirmation completed."""
    if name not in setting.means:
        return None
    return Number(value=setting.means[name], spread=setting.spreads.get(name), n=len(setting.seeds))


def change_of(difference: ConfirmedDifference) -> Change:
    """A difference to the baseline with its interval."""
    width = difference.half_width
    return Change(
        value=difference.value,
        low=None if width is None else difference.value - width,
        high=None if width is None else difference.value + width,
        verdict=_VERDICTS[difference.verdict],
    )
