"""Axes of a sweep's plots: where a setting or a score lies, and what is written beside it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pages.charts import ticks
from pages.sweep_data import SweepDimension, SweepObjective, SweepTrial, SweepValue

LEVELS = 8  # colours from the worst to the best
_LONGEST = 16  # letters of a tick
_SPREAD = 0.5  # of the distance between two choices, that points of one choice are spread over
_MAX_CHOICE_TICKS = 14


@dataclass(kw_only=True, slots=True, frozen=True)
class Tick:
    """A mark on an axis."""

    place: float  # 0 = low end, 1 = high end
    text: str  # short
    full: str = ""  # where the text was cut


@dataclass(kw_only=True, frozen=True)
class Axis:
    """A searched key, or an objective, as a line from 0 to 1."""

    title: str
    low: float = 0.0  # log10 where is_log
    high: float = 1.0
    is_log: bool = False
    is_flipped: bool = False  # the low end is the better one, and drawn as the high one
    choices: Sequence[str] | None = None  # texts, in order; None: numbers
    note: str = ""  # log, optimizer=adamw only, lower is better
    has_unused: bool = False  # some trial has no value here

    @cached_property
    def _order(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.choices or ())}

    def place(self, value: SweepValue | None, number: int = 0) -> float | None:
        """0 to 1; None where there is none. `number` of the trial spreads what shares a choice."""
        if value is None:
            return None
        if self.choices is not None:
            at = self._order.get(value.text)
            if at is None:
                return None
            slot = 1 / len(self.choices)
            return (at + 0.5) * slot + (jitter(number) - 0.5) * slot * min(_SPREAD, 0.09 / slot)
        return None if value.number is None else self.place_number(value.number)

    def place_number(self, number: float) -> float | None:
        """0 to 1 of a number; None where the axis cannot hold it."""
        if not math.isfinite(number) or (self.is_log and number <= 0):
            return None
        at = math.log10(number) if self.is_log else number
        share = (at - self.low) / (self.high - self.low)
        if not -0.001 <= share <= 1.001:
            return None
        return 1 - share if self.is_flipped else share

    def ticks(self, about: int = 5) -> list[Tick]:
        """Marks from the low end to the high one; of many choices every so many."""
        if self.choices is not None:
            slot, stride = 1 / len(self.choices), math.ceil(len(self.choices) / _MAX_CHOICE_TICKS)
            return [
                _tick((place + 0.5) * slot, text)
                for place, text in enumerate(self.choices)
                if place % stride == 0
            ]
        marks = [(self.place_number(number), number) for number in self._round_numbers(about)]
        return [_tick(place, number_text(number)) for place, number in marks if place is not None]

    def _round_numbers(self, about: int) -> list[float]:
        if not self.is_log:
            return ticks(self.low, self.high, about=about)
        first, last = math.floor(self.low), math.ceil(self.high)
        stride = max(1, math.ceil((last - first) / (about + 1)))
        factors = (1, 2, 5) if self.high - self.low < 1.6 else (1, 3) if self.high - self.low < 2.6 else (1,)
        return [factor * 10.0**power for power in range(first, last + 1, stride) for factor in factors]


def dimension_axis(dimension: SweepDimension, trials: Sequence[SweepTrial]) -> Axis:
    """The axis of a searched key; what trials hold beside the space of today is on it too."""
    seen = [trial.settings.get(dimension.key) for trial in trials]
    unused = any(value is None for value in seen)
    values = [value for value in seen if value is not None]
    notes = [f"only {dimension.when}"] if dimension.when else []
    if dimension.choices is not None or any(value.number is None for value in values):
        own = [choice.text for choice in dimension.choices or ()]
        texts = tuple(dict.fromkeys([*own, *(value.text for value in values)]))
        return Axis(title=dimension.label, choices=texts or ("–",), note=", ".join(notes), has_unused=unused)
    numbers = [value.number for value in values if value.number is not None]
    numbers += [end for end in (dimension.low, dimension.high) if end is not None]
    is_log = dimension.is_log and all(number > 0 for number in numbers)
    low, high = _range(numbers, is_log=is_log, margin=0.0)
    notes = ["log", *notes] if is_log else notes
    return Axis(
        title=dimension.label, low=low, high=high, is_log=is_log, note=", ".join(notes), has_unused=unused
    )


def objective_axis(
    objective: SweepObjective,
    trials: Sequence[SweepTrial],
    *,
    others: Iterable[float | None] = (),
    flip: bool = True,
) -> Axis:
    """The axis of an objective; with `flip` its better end is always the high one.

    others  further numbers that must have room: the base model's, that of true pictures
    """
    own = [trial.values[objective.name] for trial in trials if objective.name in trial.values]
    numbers = [v for v in (*own, *others) if v is not None and math.isfinite(v)]
    low, high = _range(numbers, is_log=False, margin=0.05)
    return Axis(
        title=objective.title,
        low=low,
        high=high,
        is_flipped=flip and objective.is_lower,
        note="lower is better" if objective.is_lower else "higher is better",
        has_unused=any(objective.name not in trial.values for trial in trials),
    )


def levels_of(objective: SweepObjective, trials: Sequence[SweepTrial]) -> dict[int, int]:
    """Trial -> colour, 0 the worst to LEVELS - 1 the best; one far below the others does not flatten them."""
    gains = {
        trial.number: objective.gain(trial.values[objective.name])
        for trial in trials
        if math.isfinite(trial.values.get(objective.name, math.nan))
    }
    if not gains:
        return {}
    ordered = sorted(gains.values())
    low, high = ordered[len(ordered) // 10], ordered[-1]
    width = high - low or 1.0
    return {
        number: min(LEVELS - 1, max(0, int((gain - low) / width * LEVELS))) for number, gain in gains.items()
    }


def number_text(value: float) -> str:
    """A number in few letters: 0.003, 1e-5, 16."""
    digits, _, power = f"{value:.4g}".partition("e")
    text = f"{digits}e{int(power)}" if power else digits
    if text.startswith(("0.000", "-0.000")):
        digits, _, power = f"{value:.3e}".partition("e")
        text = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return text


def cut(text: str, longest: int = _LONGEST) -> str:
    """The text, or its start and an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _tick(place: float, text: str) -> Tick:
    short = cut(text)
    return Tick(place=place, text=short, full="" if short == text else text)


def _range(numbers: Sequence[float], *, is_log: bool, margin: float) -> tuple[float, float]:
    """The least and the largest, never the same, with a margin as a share of their distance."""
    finite = [math.log10(number) if is_log else number for number in numbers if math.isfinite(number)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if high - low <= abs(high) * 1e-12:
        return low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    return low - (high - low) * margin, high + (high - low) * margin


def jitter(number: int) -> float:
    """Evenly spread over [0, 1), the same for the same trial."""
    return number * 0.618034 % 1.0
