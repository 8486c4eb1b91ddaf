"""How the search went: each objective by trial number, and the best so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pages.charts import ticks
from pages.numbers import plain_number
from pages.sweep_axes import Axis, objective_axis
from pages.sweep_data import COMPLETE, FAILED, PRUNED, SweepObjective, SweepPage, SweepTrial
from pages.sweep_marks import complete, role_class, scroller, title, trial_words

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 96, 14, 246  # BOTTOM: of the plot; beneath it the lane of stopped trials
LANE, PAD = 272, 14
MAX_TITLES = 1200  # marks with a text of their own


@dataclass(kw_only=True, slots=True, frozen=True)
class _Frame:
    first: int
    last: int
    axis: Axis

    def x(self, number: float) -> float:
        share = (number - self.first) / ((self.last - self.first) or 1)
        return LEFT + PAD + share * (WIDTH - LEFT - RIGHT - PAD)

    def y(self, value: float) -> float | None:
        place = self.axis.place_number(value)
        return None if place is None else BOTTOM - place * (BOTTOM - TOP)


def history_part(page: SweepPage) -> str:
    """The section, a chart an objective."""
    ended = [trial for trial in page.trials if trial.values or trial.state in (PRUNED, FAILED)]
    if not ended:
        return '<section id="history"><h2>History</h2><p class="empty">No trial has ended.</p></section>'
    if not complete(page.trials):
        said = "No trial came to its end: there is nothing to draw."
        return f'<section id="history"><h2>History</h2><p class="empty">{said}</p></section>'
    charts = "".join(_chart(page, objective, ended) for objective in page.objectives)
    return (
        '<section id="history"><h2>History</h2><p class="soft">A point is a trial that came to its end; the '
        f"line is the best so far. Beneath: what was stopped or failed.</p>{charts}</section>"
    )


def best_so_far(objective: SweepObjective, trials: Sequence[SweepTrial]) -> list[tuple[int, float]]:
    """(trial, value) at each improvement, by trial number; an infeasible trial (without a rank) is none."""
    best: list[tuple[int, float]] = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        value = trial.values.get(objective.name, math.nan)
        if trial.rank is None or not math.isfinite(value):
            continue
        if not best or objective.gain(value) > objective.gain(best[-1][1]):
            best.append((trial.number, value))
    return best


def _chart(page: SweepPage, objective: SweepObjective, trials: Sequence[SweepTrial]) -> str:
    axis = objective_axis(objective, trials, others=[objective.base], flip=False)
    numbers = [trial.number for trial in page.trials]
    frame = _Frame(first=min(numbers), last=max(numbers), axis=axis)
    name = f"{objective.title} by trial"
    body = "".join(
        [
            *_grid(frame),
            _base_line(frame, objective),
            _best_line(frame, best_so_far(objective, trials)),
            *_marks(page, frame, objective, trials),
        ]
    )
    plot = (
        f'<svg class="chart history" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(name)}">{body}</svg>'
    )
    return (
        f'<div class="box"><h3>{escape(objective.title)} <small class="way">{escape(axis.note)}</small></h3>'
        f"{scroller(plot, 'history')}{_legend(trials)}</div>"
    )


def _grid(frame: _Frame) -> list[str]:
    parts = []
    for tick in frame.axis.ticks(7):
        y = BOTTOM - tick.place * (BOTTOM - TOP)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick.text}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>')
    span = ticks(frame.first, frame.last, about=10) if frame.last > frame.first else [float(frame.first)]
    for number in (number for number in span if number == int(number)):
        x = frame.x(number)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 20}" text-anchor="middle">{int(number)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="label" x="{middle:g}" y="{HEIGHT - 3}" text-anchor="middle">trial</text>')
    return parts


def _base_line(frame: _Frame, objective: SweepObjective) -> str:
    y = None if objective.base is None else frame.y(objective.base)
    if y is None:
        return ""
    return (
        f'<line class="base-line" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="label" x="{WIDTH - RIGHT + 6}" y="{y + 4:.1f}">base model</text>'
    )


def _best_line(frame: _Frame, best: Sequence[tuple[int, float]]) -> str:
    if not best:
        return ""
    places: list[str] = []
    last = frame.y(best[0][1])
    for number, value in best:
        y = frame.y(value)
        places += [f"{frame.x(number):.1f},{last:.1f}", f"{frame.x(number):.1f},{y:.1f}"]
        last = y
    places.append(f"{frame.x(frame.last):.1f},{last:.1f}")
    return f'<polyline class="best-line" points="{" ".join(places)}"/>'


def _marks(
    page: SweepPage, frame: _Frame, objective: SweepObjective, trials: Sequence[SweepTrial]
) -> list[str]:
    with_title = len(trials) <= MAX_TITLES
    parts = []
    for trial in sorted(trials, key=lambda trial: bool(trial.roles)):
        words = title(trial_words(trial, page)) if with_title else ""
        x, data = frame.x(trial.number), f'data-trial="{trial.number}"'
        value = trial.values.get(objective.name)
        y = None if value is None else frame.y(value)
        if y is not None:
            style = role_class(trial) + (" infeasible" if trial.rank is None else "")
            radius = 7 if trial.roles else 4.5
            parts.append(
                f'<circle class="mark {style}" {data} cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{words}</circle>'
            )
            parts += _role_label(objective, trial, (x, y))
        elif trial.state == PRUNED:
            parts.append(f'<path class="mark pruned" {data} d="M{x:.1f} {LANE - 5}v10">{words}</path>')
        elif trial.state == FAILED:
            parts.append(
                f'<path class="mark failed" {data} d="M{x - 4:.1f} {LANE - 4}l8 8m0-8l-8 8">{words}</path>'
            )
    return parts


def _role_label(objective: SweepObjective, trial: SweepTrial, place: tuple[float, float]) -> list[str]:
    if not trial.roles:
        return []
    x, y = place
    value = plain_number(trial.values[objective.name], objective.places)
    words = f"{' = '.join(trial.roles)} {value}"
    end = x > WIDTH / 2
    below = 19 if y < BOTTOM - 26 else -12  # clear of the line of the best
    return [
        f'<text class="mark-name" x="{x + (-11 if end else 11):.1f}" y="{y + below:.1f}" '
        f'text-anchor="{"end" if end else "start"}">{escape(words)}</text>'
    ]


def _legend(trials: Sequence[SweepTrial]) -> str:
    states = [trial.state for trial in trials]
    keys = ['<span><i class="dot-key"></i>trial</span>', '<span><i class="key"></i>best so far</span>']
    if any(trial.state == COMPLETE and trial.rank is None for trial in trials):
        keys.append('<span><i class="dot-key infeasible"></i>against a constraint</span>')
    if PRUNED in states:
        keys.append('<span><i class="bar-key"></i>stopped early</span>')
    if FAILED in states:
        keys.append('<span class="cross-key">failed or diverged</span>')
    return f'<p class="legend">{"".join(keys)}</p>'


def importances_part(page: SweepPage) -> str:
    """Which keys decide: a bar a key, a box an objective."""
    if not page.importances or not complete(page.trials):
        return ""
    boxes = []
    for one in page.importances:
        head = f"<h3>{escape(one.title)}</h3>"
        if not one.shares:
            reason = escape(one.reason or "There are none.")
            boxes.append(f'<div class="box">{head}<p class="soft">{reason}</p></div>')
            continue
        largest = max(one.shares.values()) or 1.0
        rows = "".join(_bar(key, share, share / largest) for key, share in one.shares.items())
        count = f'<p class="soft small">from {one.num_trials} trials</p>' if one.num_trials else ""
        boxes.append(f'<div class="box">{head}<div class="bars-of-keys">{rows}</div>{count}</div>')
    return (
        '<section id="importances"><h2>What mattered</h2><p class="soft">How much of the differences between '
        f'trials each setting decides.</p><div class="charts">{"".join(boxes)}</div></section>'
    )


def _bar(key: str, share: float, length: float) -> str:
    return (
        f'<div class="key-name">{escape(key)}</div><svg class="bar" viewBox="0 0 100 10" '
        'preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar-back" width="100" height="10"/>'
        f'<rect class="bar-front" width="{max(0.6, 100 * length):.1f}" height="10"/></svg>'
        f'<div class="share">{escape(share_text(share))}</div>'
    )


def share_text(share: float) -> str:
    """61 %; what is not nothing is never 0 %."""
    percent = round(100 * share)
    return "< 1 %" if percent == 0 and share > 0 else f"{percent} %"
