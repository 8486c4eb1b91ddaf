"""Where the winner, the default, the base model and true pictures lie on one line, with their intervals."""

import math
from collections.abc import Callable
from html import escape

from pages.gallery_data import Number
from pages.sweep_data import SweepMeasure, SweepObjective

WIDTH, HEIGHT = 440, 96
LEFT, RIGHT, MIDDLE = 14, 14, 48
_LETTER = 7.2


def ladder(objective: SweepObjective, measure: SweepMeasure) -> str:
    """The <svg>; "" with fewer than two numbers to compare."""
    above = _finite([("winner", measure.winner), ("default", measure.default)])
    below = _finite([("base model", _number(measure.base)), ("true pictures", _number(measure.real))])
    marks = [*above, *below]
    if len(marks) < 2:
        return ""
    low, high = _range(marks)
    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{MIDDLE}" y2="{MIDDLE}"/>']

    def across(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return LEFT + (1 - share if objective.is_lower else share) * (WIDTH - LEFT - RIGHT)

    for name, number in reversed(marks):
        parts.insert(1, _span(name, number, across))
        parts.append(
            f'<circle class="rung is-{name.split()[0]}" cx="{across(number.value):.1f}" cy="{MIDDLE}" '
            f'r="{8 if name == "winner" else 6}"/>'
        )
    for group, y in ((above, 24), (below, 84)):
        parts += _names([(name, across(number.value)) for name, number in group], y)
    words = f"{objective.title}: better is to the right"
    return (
        f'<svg class="chart ladder" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def _span(name: str, number: Number, across: Callable[[float], float]) -> str:
    """The interval of a number, "" without one."""
    if not number.spread:
        return ""
    ends = (across(number.value - number.spread), across(number.value + number.spread))
    return (
        f'<line class="span is-{name.split()[0]}" x1="{min(ends):.1f}" x2="{max(ends):.1f}" '
        f'y1="{MIDDLE}" y2="{MIDDLE}"/>'
    )


def _names(named: list[tuple[str, float]], y: float) -> list[str]:
    return [
        f'<text class="mark-name{"" if name == "winner" else " quiet"}" x="{x:.1f}" y="{y}" '
        f'text-anchor="middle">{name}</text>'
        for name, x in _apart(named)
    ]


def _finite(marks: list[tuple[str, Number | None]]) -> list[tuple[str, Number]]:
    return [(name, number) for name, number in marks if number is not None and math.isfinite(number.value)]


def _number(value: float | None) -> Number | None:
    return None if value is None else Number(value=value)


def _range(marks: list[tuple[str, Number]]) -> tuple[float, float]:
    """From the least to the largest value and interval; an interval that dwarfs the values is cut."""
    values = [number.value for _, number in marks]
    width = max(values) - min(values) or abs(values[0]) * 0.1 or 1.0
    low = min(n.value - min(n.spread or 0.0, width) for _, n in marks)
    high = max(n.value + min(n.spread or 0.0, width) for _, n in marks)
    margin = 0.04 * (high - low) or width
    return low - margin, high + margin


def _apart(named: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The middles of names, moved so that none lies over its neighbour or outside."""
    ordered = sorted(named, key=lambda one: one[1])
    half = [_LETTER * len(name) / 2 + 4 for name, _ in ordered]
    places = [min(max(x, h), WIDTH - h) for (_, x), h in zip(ordered, half, strict=True)]
    if len(places) == 2 and places[1] - places[0] < half[0] + half[1]:
        middle = (places[0] + places[1]) / 2
        middle = min(max(middle, 2 * half[0]), WIDTH - 2 * half[1])
        places = [middle - half[0], middle + half[1]]
    return [(name, x) for (name, _), x in zip(ordered, places, strict=True)]
