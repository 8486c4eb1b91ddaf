"""Scores in words, for a terminal."""

from math import floor, log10
from typing import TYPE_CHECKING

from evaluation.material import BASE, FINAL
from evaluation.maths.noise import needed_for
from evaluation.maths.statistics import paired_changes
from evaluation.records import DEFAULT_OBJECTIVES, Difference, Measurement, Scope, Score, Scores, Verdict

if TYPE_CHECKING:
    from evaluation.reports.compare import ComparedMetric, Comparison
    from evaluation.score import Scored

VERDICTS = {
    Verdict.better: "better than the base",
    Verdict.worse: "worse than the base",
    Verdict.within_noise: "within the noise",
    Verdict.unchanged: "unchanged",
    Verdict.one_prompt: "a single prompt: no interval",
}
_WIDTH = 17  # of the longest name


def score_lines(scores: Scores) -> list[str]:
    """Two lines a metric: before -> after with n, then the paired change; what was not measured, and why."""
    lines = [line for row in scores.rows if row.final is not None for line in _lines(row)]
    if scores.combined.value is not None:
        spread = "" if scores.combined.spread is None else f" ± {scores.combined.spread:.3f}"
        lines.append(
            f"  {'combined':<{_WIDTH}} {scores.combined.value:.3f}{spread}   0 = base, 1 = true pictures"
        )
    lines += _skipped_lines(scores)
    lines += [f"  excluded: {picture.file} ({picture.reason})" for picture in scores.excluded]
    if scores.truncated_prompts:
        lines.append(f"  {scores.truncated_prompts} prompts were longer than the encoder reads and were cut")
    return lines + [f"  note: {notice}" for notice in scores.notices]


def missing_lines(scores: Scores) -> list[str]:
    """A sentence for each objective that could not be computed."""
    return [
        f"{row.metric} is an objective and could not be computed: {row.skipped}" for row in scores.failed()
    ]


def needed_lines(scored: "Scored", difference: float) -> list[str]:
    """For each objective how many prompts tell a difference of this size from noise."""
    lines = []
    for metric in scored.scores.objectives:
        sets = scored.values.get(metric, {})
        needed = needed_for(paired_changes(sets.get(FINAL, []), sets.get(BASE, [])), difference)
        words = "unknown: it takes pairs with the base, of two prompts or more"
        if needed is not None:
            words = f"{needed.num_prompts} prompts, {needed.num_pictures} pictures"
        lines.append(f"  a difference of {difference:g} in {metric} takes {words}")
    return lines


def comparison_lines(comparison: "Comparison") -> list[str]:
    """Each metric with its folders, the best first, and whether each is told from the next."""
    names = ", ".join(one.name for one in comparison.folders)
    lines = [f"{names}: {comparison.num_pairs} pictures of the same prompts and seeds"]
    for metric in comparison.metrics:
        lines += _compared_lines(metric)
    return lines + [f"  note: {notice}" for notice in comparison.notices]


def step_words(step: Difference) -> str:
    """A difference between neighbours of a ranking, its interval, and what that says."""
    if step.spread is None:
        return f"{step.value:+.3f}, no interval"
    separated = step.low is not None and step.high is not None and not step.low <= 0 <= step.high
    verdict = (
        "separated" if separated else "unchanged" if step.value == step.spread == 0 else "within the noise"
    )
    return f"{step.value:+.3f} ± {step.spread:.3f}, {verdict}"


def _skipped_lines(scores: Scores) -> list[str]:
    """Why there is no value of what a run is judged by; of the rest the names: the gallery says why."""
    asked = {*DEFAULT_OBJECTIVES, *scores.objectives}
    skipped = [row for row in scores.rows if row.skipped is not None]
    lines = [f"  not measured: {row.metric}: {row.skipped}" for row in skipped if row.metric in asked]
    others = [row.metric for row in skipped if row.metric not in asked]
    return [*lines, f"  not measured: {', '.join(others)} (the gallery says why)"] if others else lines


def _compared_lines(metric: "ComparedMetric") -> list[str]:
    lines = []
    steps = [step_words(step) for step in metric.steps]
    after = [f"   to the next {step}" for step in steps] + [""] * len(metric.measurements)
    for place, (name, measured) in enumerate(metric.measurements.items()):
        head = metric.row.metric if place == 0 else ""
        lines.append(f"  {head:<{_WIDTH}} {place + 1}. {name:<24} {_measured(measured)}{after[place]}")
    if metric.missing:
        lines += [f"  {'':<{_WIDTH}}    {name}: {reason}" for name, reason in metric.missing.items()]
    return lines


def _lines(row: Score) -> list[str]:
    assert row.final is not None, "only what was measured"
    before = "" if row.base is None else f"{_measured(row.base)} -> "
    real = "" if row.real is None or row.encoder is None else f", true pictures {row.real.value:.3f}"
    of_prompts = "" if row.scope is Scope.set else f", {row.final.num_prompts} prompts"
    count = f"n={row.final.n}{of_prompts}"
    lines = [f"  {row.metric:<{_WIDTH}} {before}{_measured(row.final)}{real}   {count}"]
    if row.difference is not None:
        spread = "" if row.difference.spread is None else f" ± {row.difference.spread:.3f}"
        change = f"{row.difference.value:+.3f}{spread}: {VERDICTS[row.difference.verdict]}"
        lines.append(f"  {'':<{_WIDTH}} {change}")
    return lines


def _measured(measurement: Measurement) -> str:
    """Three decimals, more where they would hide a small value; no ± of what never varied."""
    value, spread = measurement.value, measurement.spread
    size = max(abs(value), spread or 0.0)
    decimals = 3 if size == 0 or size >= 0.01 else 2 - floor(log10(size))
    return f"{value:.{decimals}f}" + ("" if not spread else f" ± {spread:.{decimals}f}")
