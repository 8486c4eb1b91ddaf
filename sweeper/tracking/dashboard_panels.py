"""The panels of a study's wandb workspace: how good, what mattered, the pictures, the runs."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from sweeper.config import Direction
from sweeper.study.records import Dimension, StudyRecord

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import (
        Config,
        LinePlot,
        MediaBrowser,
        ParallelCoordinatesPlot,
        ParallelCoordinatesPlotColumn,
        ScatterPlot,
    )
    from wandb_workspaces.workspaces import Section

_MAX_PAIRS = 6  # of objectives, each a scatter plot


def build_sections(record: StudyRecord, names: Mapping[str, str]) -> "list[Section]":
    """All sections; names: searched key -> how it is shown."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    objectives = list(record.objectives)
    importances = [wr.ParameterImportancePlot(with_respect_to=scored(name)) for name in objectives]
    tables = [wr.WeavePanelSummaryTable(table_name=f"study/{name}") for name in ("trials", "importances")]
    settings = [*_parallel(record, names), *importances]
    results = [*_best_so_far(objectives), *_objective_pairs(objectives), *_slices(record, names)]
    curves = [wr.LinePlot(title=name, x="train/step", y=[name]) for name in ("eval/val_loss", "train/loss")]
    return [
        ws.Section(name="Settings and results", panels=settings, is_open=True),
        ws.Section(name="Pictures", panels=[_pictures()], is_open=True),
        ws.Section(name="Best so far, one key at a time", panels=results, is_open=True),
        ws.Section(name="Tables of the study", panels=tables, is_open=True),
        ws.Section(name="Losses", panels=curves),
    ]


def scored(metric: str) -> str:
    """Where a trial's run holds the score of its final pictures."""
    return f"eval/final/{metric}"


def _parallel(record: StudyRecord, names: Mapping[str, str]) -> "list[ParallelCoordinatesPlot]":
    """A line a trial through all keys; where some exist under a condition, a plot for each condition.

    A line needs a value on each axis: one plot of all keys would lose every trial.
    """
    import wandb_workspaces.reports.v2 as wr

    always = [dimension for dimension in record.dimensions if dimension.when is None]
    conditions: list[str | None] = [*dict.fromkeys(d.when for d in record.dimensions if d.when is not None)]
    plots = []
    for condition in conditions or [None]:
        there = [*always, *(d for d in record.dimensions if d.when is not None and d.when == condition)]
        plot = wr.ParallelCoordinatesPlot(
            title=condition, columns=_columns(there, record.objectives, names), layout=_wide()
        )
        plots.append(plot)
    return plots


def _columns(
    dimensions: Sequence[Dimension], objectives: Mapping[str, Direction], names: Mapping[str, str]
) -> "list[ParallelCoordinatesPlotColumn]":
    import wandb_workspaces.reports.v2 as wr

    keys = [
        wr.ParallelCoordinatesPlotColumn(
            metric=_searched(dimension.key),
            display_name=names.get(dimension.key, dimension.key),
            log=dimension.log or None,
        )
        for dimension in dimensions
    ]
    scores = [
        wr.ParallelCoordinatesPlotColumn(
            metric=wr.SummaryMetric(scored(name)),
            display_name=name,
            inverted=True if direction is Direction.minimize else None,  # better is up on every axis
        )
        for name, direction in objectives.items()
    ]
    return keys + scores


def _best_so_far(objectives: Sequence[str]) -> "list[LinePlot]":
    import wandb_workspaces.reports.v2 as wr

    return [wr.LinePlot(title=f"best {name} so far", x="trial", y=[f"best/{name}"]) for name in objectives]


def _objective_pairs(objectives: Sequence[str]) -> "list[ScatterPlot]":
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.ScatterPlot(
            title=f"{first} and {second}",
            x=wr.SummaryMetric(scored(first)),
            y=wr.SummaryMetric(scored(second)),
        )
        for first, second in list(combinations(objectives, 2))[:_MAX_PAIRS]
    ]


def _slices(record: StudyRecord, names: Mapping[str, str]) -> "list[ScatterPlot]":
    import wandb_workspaces.reports.v2 as wr

    first = next(iter(record.objectives))
    return [
        wr.ScatterPlot(
            title=f"{first} by {names.get(dimension.key, dimension.key)}",
            x=_searched(dimension.key),
            y=wr.SummaryMetric(scored(first)),
            log_x=dimension.log or None,
        )
        for dimension in record.dimensions
    ]


def _pictures() -> "MediaBrowser":
    """The final pictures: a row a trial, a column a prompt and seed."""
    import wandb_workspaces.reports.v2 as wr

    return wr.MediaBrowser(
        title="final pictures",
        media_keys=["samples/final"],
        mode="grid",
        grid_x_axis="index",
        grid_y_axis="run",
        layout=_wide(height=12),
    )


def _wide(height: int = 8) -> object:
    """A whole row of a section (24 columns)."""
    import wandb_workspaces.reports.v2 as wr

    return wr.Layout(x=0, y=0, w=24, h=height)


def _searched(key: str) -> "Config":
    """A key as the trials record it; see searched_names in the wandb tracker."""
    import wandb_workspaces.reports.v2 as wr

    return wr.Config("searched." + key.replace(".", "/"))
