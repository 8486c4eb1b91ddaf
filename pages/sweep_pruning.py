"""What was stopped early: when, what that saved, and whether the signal that decided knew."""

import math
from collections.abc import Sequence
from html import escape

from pages.charts import thin
from pages.numbers import NONE, plain_number
from pages.run_folder import duration
from pages.sweep_axes import Axis, levels_of, number_text
from pages.sweep_data import PRUNED, SignalRow, SweepPage, SweepPruning, SweepTrial
from pages.sweep_marks import drawn_trials, left_out_words, role_class, scroller, title, trial_words

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 14, 270
MAX_CURVES = 200
_POINTS = 60  # of a curve
_LOG_FROM = 20.0  # a positive signal that spans more than this factor gets a logarithmic axis
_GOOD, _FAIR = 0.7, 0.3  # rank correlations


def pruning_part(page: SweepPage) -> str:
    """The section, also where nothing was pruned: it says so."""
    pruning = page.pruning
    if pruning.signal is None:
        said = "Every trial was trained to its end: pruning was off."
        return f'<section id="pruning"><h2>Stopped early</h2><p class="empty">{said}</p></section>'
    return (
        f'<section id="pruning"><h2>Stopped early</h2>{_summary(pruning)}{_curves(page)}'
        f'<div class="charts">{_stops(pruning)}{_checks(pruning.checks, pruning.signal)}</div></section>'
    )


def _summary(pruning: SweepPruning) -> str:
    count = len(pruning.stopped)
    if not count:
        words = f"No trial was stopped early by {pruning.signal}."
    else:
        time = f" and about {duration(pruning.saved_seconds)} of training" if pruning.saved_seconds else ""
        words = (
            f"{count} trial{'s' * (count != 1)} {'were' if count != 1 else 'was'} stopped early by "
            f"{pruning.signal}: {pruning.saved_steps:,} steps ({100 * pruning.share_of_steps:.0f} % of the "
            f"search){time} saved."
        )
    rule = f' <span class="soft">{escape(pruning.rule)}</span>' if pruning.rule else ""
    return f"<p>{escape(words)}{rule}</p>"


def _stops(pruning: SweepPruning) -> str:
    if not pruning.stopped:
        return ""
    by_step: dict[int, list[int]] = {}
    for number, step in pruning.stopped:
        by_step.setdefault(step, []).append(number)
    rows = "".join(
        f'<tr><th scope="row">step {step:,}</th><td>{len(numbers)}</td>'
        f'<td class="wide">{_numbers(sorted(numbers))}</td></tr>'
        for step, numbers in sorted(by_step.items())
    )
    return (
        '<div class="box"><h3>What was stopped when</h3><div class="scroll" tabindex="0" role="region" '
        'aria-label="stopped trials"><table class="small-table"><thead><tr><th scope="col">Stopped at</th>'
        f'<th scope="col">Trials</th><th scope="col" class="left">Which</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:40])
    return shown + (f" and {len(numbers) - 40} more" if len(numbers) > 40 else "")


def _checks(checks: Sequence[SignalRow], signal: str) -> str:
    if not checks:
        return ""
    rows = "".join(_check(check) for check in checks)
    return (
        f'<div class="box"><h3>Did {escape(signal)} know?</h3><p class="soft">Rank correlation with the '
        "objective over the trials that came to their end: 1 = the same order, 0 = no connection, "
        '−1 = the opposite.</p><div class="scroll" tabindex="0" role="region" aria-label="rank correlation">'
        '<table class="small-table"><thead><tr><th scope="col">Objective</th><th scope="col">Step</th>'
        '<th scope="col">Correlation</th><th scope="col">Trials</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _check(check: SignalRow) -> str:
    step = f"{check.step:,}{' (last)' * check.is_last}"
    if check.correlation is None or not math.isfinite(check.correlation):
        reason = f"<small>{escape(check.reason)}</small>" if check.reason else ""
        cell = NONE + reason
    else:
        words, style = _correlation_words(check.correlation)
        cell = f'{plain_number(check.correlation, 2)} <span class="badge {style}">{words}</span>'
    return (
        f'<tr><th scope="row">{escape(check.objective)}</th><td>{step}</td><td>{cell}</td>'
        f"<td>{check.n}</td></tr>"
    )


def _correlation_words(correlation: float) -> tuple[str, str]:
    if correlation >= _GOOD:
        return "good", "good"
    if correlation >= _FAIR:
        return "fair", "wait"
    return ("poor", "bad") if correlation > -_FAIR else ("the opposite", "bad")


def _curves(page: SweepPage) -> str:
    with_curve = [
        (trial, [(step, value) for step, value in trial.reports if math.isfinite(value)])
        for trial in page.trials
    ]
    curves = {trial.number: thin(points, _POINTS) for trial, points in with_curve if points}
    trials = [trial for trial, points in with_curve if points]
    if all(len(points) < 2 for points in curves.values()):
        return ""  # single marks are no curve
    drawn = drawn_trials(trials, MAX_CURVES)
    up = _axis(page.pruning.signal or "", [value for trial in drawn for _, value in curves[trial.number]])
    last = max(step for trial in drawn for step, _ in curves[trial.number])
    body = [*_frame(up, last)]
    levels = levels_of(page.objectives[0], page.trials) if page.objectives else {}
    ordered = sorted(drawn, key=lambda trial: (bool(trial.roles), levels.get(trial.number, -1)))
    for trial in ordered:
        words = trial_words(trial, page) if len(drawn) <= MAX_CURVES else ""
        body.append(_curve(trial, curves[trial.number], (up, last), (levels.get(trial.number), words)))
    plot = (
        f'<svg class="chart curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(up.title)} by step">{"".join(body)}</svg>'
    )
    return (
        f'<div class="box"><h3>{escape(up.title)} during training</h3>'
        f'{scroller(plot, "curves")}<p class="legend">'
        '<span><i class="key"></i>came to its end, stronger = better</span>'
        '<span><i class="key stopped"></i>stopped early</span></p>'
        f'<p class="soft small">{left_out_words(len(drawn), len(trials))}</p></div>'
    )


def _axis(name: str, values: Sequence[float]) -> Axis:
    """Of the signal; a diverged trial does not flatten the others."""
    ordered = sorted(values)
    kept = ordered[: max(1, math.ceil(len(ordered) * 0.98))]
    is_log = kept[0] > 0 and kept[-1] / kept[0] > _LOG_FROM
    ends = [math.log10(value) if is_log else value for value in (kept[0], kept[-1])]
    margin = (ends[1] - ends[0]) * 0.05 or abs(ends[0]) * 0.1 or 1.0
    return Axis(title=name, low=ends[0] - margin, high=ends[1] + margin, is_log=is_log)


def _frame(up: Axis, last: float) -> list[str]:
    parts = []
    for tick in up.ticks():
        y = BOTTOM - tick.place * (BOTTOM - TOP)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick.text}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>')
    for tick in Axis(title="step", low=0.0, high=max(last, 1.0)).ticks(8):
        x = LEFT + tick.place * (WIDTH - LEFT - RIGHT)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{BOTTOM + 19}" text-anchor="middle">{tick.text}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="label" x="{middle:g}" y="{HEIGHT - 8}" text-anchor="middle">step</text>')
    return parts


def _curve(
    trial: SweepTrial,
    points: Sequence[tuple[float, float]],
    frame: tuple[Axis, float],
    look: tuple[int | None, str],
) -> str:
    up, last = frame
    level, words = look
    places = []
    for step, value in points:
        place = up.place_number(value)
        y = TOP if place is None else BOTTOM - place * (BOTTOM - TOP)  # beyond the axis: at its edge
        places.append((LEFT + step / max(last, 1) * (WIDTH - LEFT - RIGHT), y))
    is_pruned = trial.state == PRUNED
    style = "stopped" if is_pruned else "no-score" if level is None else f"q{level}"
    roles = role_class(trial)
    tip = title(f"{words} · {number_text(points[-1][1])} at step {points[-1][0]:g}") if words else ""
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    if len(places) == 1:
        line = f"{places[0][0] - 6:.1f},{places[0][1]:.1f} {line}"
    end = places[-1]
    mark = (
        f'<path class="mark stop" data-trial="{trial.number}" '
        f'd="M{end[0]:.1f} {end[1] - 5:.1f}v10">{tip}</path>'
        if is_pruned
        else ""
    )
    return (
        f'<polyline class="trial {style}{" " * bool(roles)}{roles}" data-trial="{trial.number}" '
        f'points="{line}">{tip}</polyline>{mark}'
    )
