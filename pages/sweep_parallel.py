"""Parallel coordinates: a line a trial through the axes of all searched keys and of the objectives."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pages.numbers import plain_number
from pages.sweep_axes import LEVELS, Axis, cut, dimension_axis, levels_of, objective_axis
from pages.sweep_data import PRUNED, SweepObjective, SweepPage, SweepTrial
from pages.sweep_marks import (
    MAX_TITLED,
    drawn_trials,
    left_out_words,
    role_class,
    scroller,
    title,
    trial_words,
)

HEIGHT, TOP, BOTTOM, UNUSED = 380, 58, 318, 348  # pixels; UNUSED: where lines go without a value
LEFT, RIGHT = 70, 80
WIDE, LEAST_GAP, MOST_GAP = 1100, 130, 260  # between the first and the last axis; between two axes
_TITLE_LETTERS = 18
_MANY = 120  # lines; beyond they are thinner and let others through


@dataclass(kw_only=True, slots=True, frozen=True)
class _Column:
    """An axis and where a trial meets it."""

    axis: Axis
    x: float
    key: str
    is_objective: bool = False

    def height(self, trial: SweepTrial) -> float | None:
        """Its y; None where the trial has no value."""
        if self.is_objective:
            value = trial.values.get(self.key)
            place = None if value is None else self.axis.place_number(value)
        else:
            place = self.axis.place(trial.settings.get(self.key), trial.number)
        return None if place is None else BOTTOM - place * (BOTTOM - TOP)


def parallel_part(page: SweepPage) -> str:
    """The section; "" where nothing was searched or no trial has settings."""
    trials = [trial for trial in page.trials if trial.settings]
    if not page.dimensions or not trials:
        return ""
    drawn = drawn_trials(trials)
    return (
        '<section id="parallel"><h2>All settings at once</h2>'
        '<p class="soft">A line is a trial; better is up and stronger. Dashed lines have no score: they were '
        "stopped or failed. Point at a line, or use the arrow keys; a click keeps it and marks its row "
        f"below.{left_out_words(len(drawn), len(trials))}</p>"
        f'{_colour_choice(page)}<div class="box">{scroller(_plot(page, drawn), "parallel coordinates")}'
        f"{_legend(page, drawn)}</div></section>"
    )


def _plot(page: SweepPage, trials: Sequence[SweepTrial]) -> str:
    columns = _columns(page, trials)
    width = LEFT + RIGHT + _gap(len(columns)) * (len(columns) - 1)
    levels = [levels_of(objective, page.trials) for objective in page.objectives]
    first = levels[0] if levels else {}
    ordered = sorted(trials, key=lambda trial: (trial.number in first, first.get(trial.number, 0)))
    ordered.sort(key=lambda trial: bool(trial.roles))
    with_title = len(trials) <= MAX_TITLED
    lines = [
        _line(trial, columns, levels, trial_words(trial, page) if with_title else "") for trial in ordered
    ]
    return (
        f'<svg class="chart parallel" viewBox="0 0 {width:g} {HEIGHT}" data-wide="{min(len(columns), 16)}" '
        f'tabindex="0" role="application" aria-label="parallel coordinates of {len(trials)} trials: '
        'arrow keys go from trial to trial">'
        f'<g class="lines-of-trials{" many" * (len(trials) > _MANY)}">{"".join(lines)}</g>'
        f"{''.join(_axis(column) for column in columns)}</svg>"
    )


def _columns(page: SweepPage, trials: Sequence[SweepTrial]) -> list[_Column]:
    columns: list[_Column] = []
    gap = _gap(len(page.dimensions) + len(page.objectives))
    for dimension in page.dimensions:
        x = LEFT + gap * len(columns)
        columns.append(_Column(axis=dimension_axis(dimension, trials), x=x, key=dimension.key))
    for objective in page.objectives:
        x = LEFT + gap * len(columns)
        axis = objective_axis(objective, trials)
        columns.append(_Column(axis=axis, x=x, key=objective.name, is_objective=True))
    return columns


def _gap(count: int) -> int:
    """Pixels between two of so many axes."""
    return min(MOST_GAP, max(LEAST_GAP, WIDE // max(1, count - 1)))


def _line(trial: SweepTrial, columns: Sequence[_Column], levels: Sequence[dict[int, int]], words: str) -> str:
    heights = [column.height(trial) for column in columns]
    places = " ".join(
        f"{column.x:g},{UNUSED if y is None else y:.1f}" for column, y in zip(columns, heights, strict=True)
    )
    own = [str(level.get(trial.number, "")) for level in levels]
    style = f"q{own[0]}" if own and own[0] else "no-score" + (" pruned" if trial.state == PRUNED else "")
    roles = role_class(trial)
    data = f' data-levels="{",".join(own)}"' if len(own) > 1 else ""
    return (
        f'<polyline class="trial {style}{" " * bool(roles)}{roles}" data-trial="{trial.number}"{data} '
        f'points="{places}">{title(words) if words else ""}</polyline>'
    )


def _axis(column: _Column) -> str:
    axis, x = column.axis, column.x
    name = cut(axis.title, _TITLE_LETTERS)
    full = title(axis.title) if name != axis.title else ""
    parts = [
        f'<line class="axis" x1="{x:g}" x2="{x:g}" y1="{TOP}" y2="{BOTTOM}"/>',
        f'<text class="axis-name" x="{x:g}" y="20" text-anchor="middle">{escape(name)}{full}</text>',
    ]
    if axis.note:
        note = cut(axis.note, 22)
        full = title(axis.note) if note != axis.note else ""
        parts.append(
            f'<text class="axis-note" x="{x:g}" y="37" text-anchor="middle">{escape(note)}{full}</text>'
        )
    for tick in axis.ticks(6):
        y = BOTTOM - tick.place * (BOTTOM - TOP)
        full = title(tick.full) if tick.full else ""
        parts.append(
            f'<text class="tick" x="{x + 7:g}" y="{y + 4:.1f}">{escape(tick.text)}{full}</text>'
            f'<line class="axis" x1="{x - 4:g}" x2="{x:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    if axis.has_unused:
        word = "no score" if column.is_objective else "not used"
        parts.append(f'<circle class="unused" cx="{x:g}" cy="{UNUSED}" r="4"/>')
        parts.append(f'<text class="tick" x="{x:g}" y="{UNUSED + 20}" text-anchor="middle">{word}</text>')
    return f"<g>{''.join(parts)}</g>"


def _colour_choice(page: SweepPage) -> str:
    if len(page.objectives) < 2:
        return ""
    options = "".join(
        f'<option value="{place}">{escape(objective.title)}</option>'
        for place, objective in enumerate(page.objectives)
    )
    return (
        '<form class="chooser" data-script hidden><label>Coloured by '
        f'<select id="colour">{options}</select></label></form>'
    )


def _legend(page: SweepPage, trials: Sequence[SweepTrial]) -> str:
    swatches = "".join(f'<span class="swatch q{level}"></span>' for level in range(LEVELS))
    parts = []
    for place, objective in enumerate(page.objectives):
        if ends := _ends(objective, trials):
            hidden = " hidden" if place else ""
            low, high = (plain_number(end, objective.places) for end in ends)
            parts.append(
                f'<p class="legend" data-colour="{place}"{hidden}><span>{escape(objective.title)}: {low} '
                f'<span class="ramp" aria-hidden="true">{swatches}</span> {high}</span></p>'
            )
    return "".join(parts)


def _ends(objective: SweepObjective, trials: Sequence[SweepTrial]) -> tuple[float, float] | None:
    """The worst and the best value."""
    values = sorted(
        (trial.values[objective.name] for trial in trials if objective.name in trial.values),
        key=objective.gain,
    )
    return (values[0], values[-1]) if values else None
