"""Scores in the words of the pages."""

from collections.abc import Collection

from evaluation.records import CONSTRAINT, Difference, Measurement, Score
from pages.gallery_data import Change, MetricFacts, MetricRow, Number


def facts_of(row: Score, objectives: Collection[str]) -> MetricFacts:
    """What a metric is."""
    return MetricFacts(
        name=row.metric,
        title=row.title,
        direction=row.direction.value,
        scale=row.scale,
        is_objective=row.metric in objectives,
        is_constraint=row.metric == CONSTRAINT,
    )


def row_of(row: Score, objectives: Collection[str]) -> MetricRow:
    """A row of the table."""
    anchored = None if row.anchored is None else Number(value=row.anchored, spread=row.anchored_spread)
    return MetricRow(
        facts=facts_of(row, objectives),
        final=number_of(row.final),
        base=number_of(row.base),
        real=number_of(row.real),
        change=None if row.difference is None else change_of(row.difference),
        anchored=anchored,
        skipped=row.skipped,
        note=row.note,
    )


def number_of(measured: Measurement | None) -> Number | None:
    """A value with its spread."""
    if measured is None:
        return None
    return Number(
        value=measured.value, spread=measured.spread, n=measured.n, num_prompts=measured.num_prompts
    )


def change_of(difference: Difference) -> Change:
    """A paired difference with its interval."""
    return Change(
        value=difference.value,
        low=difference.low,
        high=difference.high,
        verdict=difference.verdict.value,
    )
