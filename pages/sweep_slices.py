"""Slices: each searched key by itself against an objective; a small scatter a key."""

from collections.abc import Sequence
from html import escape
from statistics import median

from pages.sweep_axes import Axis, cut, dimension_axis, jitter, objective_axis
from pages.sweep_data import SweepDimension, SweepObjective, SweepPage, SweepTrial
from pages.sweep_marks import (
    MAX_TITLED,
    choice,
    chooser,
    complete,
    drawn_trials,
    left_out_words,
    role_class,
    title,
    trial_words,
)

WIDTH, HEIGHT = 400, 242
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 206
PAD = 9
UNUSED_WIDTH = 62  # pixels at the left for trials that do not use the key


def slices_part(page: SweepPage) -> str:
    """The section; "" where nothing was searched or nothing came to an end."""
    trials = complete(page.trials)
    if not page.dimensions or not trials:
        return ""
    drawn = drawn_trials(trials)
    titles = [objective.title for objective in page.objectives]
    parts = [
        choice("slices", place, _slices(page, objective, (trials, drawn)))
        for place, objective in enumerate(page.objectives)
    ]
    return (
        '<section id="slices"><h2>Setting by setting</h2><p class="soft">The trials that came to their end. '
        f"A short line is the median of a choice.{left_out_words(len(drawn), len(trials))}</p>"
        f"{chooser('slices', 'Against', titles)}{''.join(parts)}</section>"
    )


def _slices(
    page: SweepPage,
    objective: SweepObjective,
    trials: tuple[Sequence[SweepTrial], Sequence[SweepTrial]],
) -> str:
    every, _ = trials
    up = objective_axis(objective, every, flip=False)
    boxes = [_slice(page, dimension, (objective, up), trials) for dimension in page.dimensions]
    head = f'<h3 class="choice-name">{escape(objective.title)} <small class="way">{up.note}</small></h3>'
    return f'{head}<div class="slices">{"".join(boxes)}</div>'


def _slice(
    page: SweepPage,
    dimension: SweepDimension,
    against: tuple[SweepObjective, Axis],
    trials: tuple[Sequence[SweepTrial], Sequence[SweepTrial]],
) -> str:
    objective, up = against
    every, drawn = trials
    across = dimension_axis(dimension, every)
    left = LEFT + (UNUSED_WIDTH if across.has_unused else 0)
    words = f"{objective.title} by {dimension.label}"
    note = f' <small class="way">{escape(across.note)}</small>' if across.note else ""
    body = [*_frame(across, up, left), *_medians(dimension, (across, objective, up), every, left)]
    for trial in sorted(drawn, key=lambda trial: bool(trial.roles)):
        value = trial.values.get(objective.name)
        y = None if value is None else up.place_number(value)
        if y is None:
            continue
        at = across.place(trial.settings.get(dimension.key), trial.number)
        x = _x(at, left) + (0 if at is not None else 24 * (jitter(trial.number) - 0.5))
        text = title(trial_words(trial, page)) if len(drawn) <= MAX_TITLED else ""
        roles = role_class(trial)
        body.append(
            f'<circle class="mark{" " * bool(roles)}{roles}" data-trial="{trial.number}" '
            f'cx="{x:.1f}" cy="{_y(y):.1f}" r="{6 if trial.roles else 3.6}">{text}</circle>'
        )
    return (
        f'<div class="box"><h3>{escape(dimension.label)}{note}</h3><svg class="chart slice" role="img" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{escape(words)}">{"".join(body)}</svg></div>'
    )


def _frame(across: Axis, up: Axis, left: float) -> list[str]:
    parts = []
    for tick in up.ticks(6):
        y = _y(tick.place)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick.text}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>')
    marks = across.ticks(4)
    room = max(3, int((WIDTH - RIGHT - left) / max(1, len(marks)) / 8))
    for place, tick in enumerate(marks):
        text = cut(tick.text, room)
        full = title(tick.full or tick.text) if text != tick.text or tick.full else ""
        anchor = "end" if tick.place > 0.97 else "middle"
        y = BOTTOM + 18 + (15 if len(marks) > 6 and place % 2 else 0)
        x = _x(tick.place, left)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}{full}</text>'
        )
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{BOTTOM}" y2="{BOTTOM + 4}"/>')
    if across.has_unused:
        x = _x(None, left)
        edge = left - 8
        parts.append(f'<text class="tick" x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">not used</text>')
        parts.append(f'<line class="grid" x1="{edge:g}" x2="{edge:g}" y1="{TOP}" y2="{BOTTOM}"/>')
    return parts


def _medians(
    dimension: SweepDimension,
    axes: tuple[Axis, SweepObjective, Axis],
    trials: Sequence[SweepTrial],
    left: float,
) -> list[str]:
    """A short line at the median of each choice that has at least two trials."""
    across, objective, up = axes
    parts = []
    choices = list(across.choices or ())
    for at, text in enumerate(choices):
        values = [
            trial.values[objective.name]
            for trial in trials
            if objective.name in trial.values
            and dimension.key in trial.settings
            and trial.settings[dimension.key].text == text
        ]
        y = up.place_number(median(values)) if len(values) > 1 else None
        if y is not None:
            x = _x((at + 0.5) / len(choices), left)
            half = min(22.0, 0.42 * (WIDTH - RIGHT - left) / len(choices))
            parts.append(
                f'<line class="median" x1="{x - half:.1f}" x2="{x + half:.1f}" '
                f'y1="{_y(y):.1f}" y2="{_y(y):.1f}"/>'
            )
    return parts


def _x(place: float | None, left: float) -> float:
    if place is None:
        return LEFT + (left - 8 - LEFT) / 2
    return left + PAD + place * (WIDTH - RIGHT - left - PAD)


def _y(place: float) -> float:
    return BOTTOM - place * (BOTTOM - TOP)
