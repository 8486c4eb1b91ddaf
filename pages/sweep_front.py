"""Two objectives against each other: the trials, the front of the best, the base model and true pictures."""

import math
from collections.abc import Sequence
from html import escape
from itertools import combinations

from pages.sweep_axes import Axis, objective_axis
from pages.sweep_data import SweepObjective, SweepPage, SweepTrial
from pages.sweep_marks import (
    MAX_TITLED,
    choice,
    chooser,
    complete,
    drawn_trials,
    left_out_words,
    role_class,
    scroller,
    title,
    trial_words,
)

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 16, 372
MAX_PAIRS = 15
_LETTER, _LINE = 7.0, 15


def front_part(page: SweepPage) -> str:
    """The section; "" with one objective, or without a trial that came to its end."""
    trials = complete(page.trials)
    pairs = list(combinations(page.objectives, 2))[:MAX_PAIRS]
    if not pairs or not trials:
        return ""
    drawn = drawn_trials(trials)
    names = [f"{across.title} against {up.title}" for across, up in pairs]
    parts = [choice("front", place, _box(page, pair, (trials, drawn))) for place, pair in enumerate(pairs)]
    return (
        '<section id="front"><h2>What is given for what</h2><p class="soft">A point is a trial. The dashed '
        "line joins the trials that no other beats in both."
        f"{left_out_words(len(drawn), len(trials))}</p>"
        f"{chooser('front', 'Objectives', names)}{''.join(parts)}</section>"
    )


def front_of(pair: tuple[SweepObjective, SweepObjective], trials: Sequence[SweepTrial]) -> list[SweepTrial]:
    """The feasible trials that no other beats in both, from left to right."""
    places = {
        trial.number: tuple(one.gain(trial.values[one.name]) for one in pair)
        for trial in trials
        if trial.rank is not None and _has_both(trial, pair)
    }
    front: list[int] = []
    for number in sorted(places, key=lambda number: places[number], reverse=True):  # best in the first
        if not front or places[number][1] > places[front[-1]][1] or places[number] == places[front[-1]]:
            front.append(number)
    by_number = {trial.number: trial for trial in trials}
    return sorted((by_number[number] for number in front), key=lambda trial: trial.values[pair[0].name])


def _box(
    page: SweepPage,
    pair: tuple[SweepObjective, SweepObjective],
    trials: tuple[Sequence[SweepTrial], Sequence[SweepTrial]],
) -> str:
    every, drawn = ([trial for trial in group if _has_both(trial, pair)] for group in trials)
    across, up = (objective_axis(one, every, others=[one.base, one.real], flip=False) for one in pair)
    front = front_of(pair, every)
    on_front = {trial.number for trial in front}
    shown = [*(trial for trial in drawn if trial.number not in on_front), *front]
    shown.sort(key=lambda trial: bool(trial.roles))
    corners = " ".join("{:.1f},{:.1f}".format(*_place(trial, pair, (across, up))) for trial in front)
    labels = _Labels([_place(trial, pair, (across, up)) for trial in shown if trial.roles or trial in front])
    body = [*_frame(across, up), f'<polyline class="front-line" points="{corners}"/>']
    body += [_mark(trial, page, (pair, (across, up)), trial.number in on_front) for trial in shown]
    body += _anchors(pair, (across, up), labels)
    for trial in reversed(shown):
        if trial.roles or trial.number in on_front:
            words = " = ".join(trial.roles) or str(trial.number)
            body.append(labels.text(words, _place(trial, pair, (across, up)), is_loud=bool(trial.roles)))
    plot = (
        f'<svg class="chart front" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(pair[0].title)} against {escape(pair[1].title)}">{"".join(body)}</svg>'
    )
    return (
        f'<div class="box"><h3>{escape(pair[1].title)} <small class="way">up, {up.note}</small></h3>'
        f"{scroller(plot, 'scatter of trials')}"
        f'<p class="axis-title">{escape(pair[0].title)} <small class="way">across, {across.note}</small></p>'
        "</div>"
    )


def _has_both(trial: SweepTrial, pair: tuple[SweepObjective, SweepObjective]) -> bool:
    return all(math.isfinite(trial.values.get(one.name, math.nan)) for one in pair)


def _place(
    trial: SweepTrial, pair: tuple[SweepObjective, SweepObjective], axes: tuple[Axis, Axis]
) -> tuple[float, float]:
    """Where the trial lies."""
    x, y = (axis.place_number(trial.values[one.name]) for one, axis in zip(pair, axes, strict=True))
    return _pixels(x or 0.0, y or 0.0)


def _pixels(x: float, y: float) -> tuple[float, float]:
    return LEFT + x * (WIDTH - LEFT - RIGHT), BOTTOM - y * (BOTTOM - TOP)


def _mark(
    trial: SweepTrial,
    page: SweepPage,
    where: tuple[tuple[SweepObjective, SweepObjective], tuple[Axis, Axis]],
    is_front: bool,
) -> str:
    pair, axes = where
    x, y = _place(trial, pair, axes)
    style = [role_class(trial).replace("is-front", "").strip(), "on-front" if is_front else ""]
    style += ["infeasible"] if trial.rank is None else []
    words = title(trial_words(trial, page)) if len(page.trials) <= MAX_TITLED else ""
    return (
        f'<circle class="{" ".join(["mark", *filter(None, style)])}" data-trial="{trial.number}" '
        f'cx="{x:.1f}" cy="{y:.1f}" r="{7 if trial.roles else 5 if is_front else 4}">{words}</circle>'
    )


def _anchors(
    pair: tuple[SweepObjective, SweepObjective], axes: tuple[Axis, Axis], labels: "_Labels"
) -> list[str]:
    """The base model and true pictures: a cross each where both of their scores are known, else a line."""
    parts = []
    for name, values in (
        ("base model", [one.base for one in pair]),
        ("true pictures", [one.real for one in pair]),
    ):
        places = [
            None if value is None else axis.place_number(value)
            for value, axis in zip(values, axes, strict=True)
        ]
        x, y = places
        if x is not None and y is not None:
            at = _pixels(x, y)
            parts.append(f'<path class="anchor" d="M{at[0] - 6:.1f} {at[1]:.1f}h12m-6-6v12"/>')
            parts.append(labels.text(name, at, is_loud=False))
        elif x is not None:
            at = _pixels(x, 1.0)
            parts.append(f'<path class="anchor-line" d="M{at[0]:.1f} {TOP}V{BOTTOM}"/>')
            parts.append(labels.text(name, (at[0], TOP + 12), is_loud=False))
        elif y is not None:
            at = _pixels(0.0, y)
            parts.append(f'<path class="anchor-line" d="M{LEFT} {at[1]:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(labels.text(name, (LEFT + 4, at[1]), is_loud=False))
    return parts


class _Labels:
    """Names beside points, none over another; one without room is left out."""

    def __init__(self, marks: Sequence[tuple[float, float]]) -> None:
        self._taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks]

    def text(self, words: str, place: tuple[float, float], *, is_loud: bool) -> str:
        """The <text>; "" where there is no room for it."""
        x, y = place
        width = _LETTER * len(words)
        for left, base in ((x + 9, y + 4), (x - 9 - width, y + 4), (x - width / 2, y - 11), (x + 9, y + 18)):
            box = (left, base - _LINE + 3, left + width, base + 3)
            if self._is_free(box):
                self._taken.append(box)
                style = "mark-name" if is_loud else "mark-name quiet"
                return f'<text class="{style}" x="{left:.1f}" y="{base:.1f}">{escape(words)}</text>'
        return ""

    def _is_free(self, box: tuple[float, float, float, float]) -> bool:
        if box[0] < LEFT or box[2] > WIDTH - 2 or box[1] < 2 or box[3] > BOTTOM:
            return False
        return all(
            box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
            for other in self._taken
        )


def _frame(across: Axis, up: Axis) -> list[str]:
    parts = []
    for tick in up.ticks():
        _, y = _pixels(0.0, tick.place)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick.text}</text>'
        )
    for tick in across.ticks(8):
        x, _ = _pixels(tick.place, 0.0)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{tick.text}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{BOTTOM}"/>')
    return parts
