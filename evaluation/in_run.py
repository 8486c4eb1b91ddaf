"""The scores of a run as train.py needs them: made at its end, read back for its summary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.config import RunConfig
from engine.config.sources import Sources
from engine.training.tracker import FinalScores
from evaluation.records import Scores, read_scores
from evaluation.reports.summary import missing_lines, score_lines


@dataclass(kw_only=True, slots=True)
class RunScores:
    """What a summary prints and what a sweep optimises."""

    lines: list[str] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)  # metric -> value of the final pictures
    objectives: list[str] = field(default_factory=list)  # which of them the run is judged by
    missing: list[str] = field(default_factory=list)  # sentences about those that could not be computed


class HasFolder(Protocol):
    """The result of a training run, as far as scoring reads it."""

    @property
    def folder(self) -> Path: ...


def scorer_of(run: RunConfig, sources: Sources, *, device: str) -> Callable[[HasFolder], FinalScores] | None:
    """What scores the run's final pictures, for the trackers; None: not wanted."""
    if not run.evaluation.enabled:
        return None

    def score(result: HasFolder) -> FinalScores:
        from evaluation.score_run import score_run
        from evaluation.tracked import final_scores

        scored = score_run(result.folder, sources=sources, device=device, cache_dir=Path(run.cache_dir))
        return final_scores(scored)

    return score


def scores_of(folder: Path) -> RunScores:
    """The scores that a run folder holds; empty where it was not scored."""
    path = folder / "scores.json"
    if not path.is_file():
        return RunScores()
    scores = read_scores(path)
    return RunScores(
        lines=score_lines(scores),
        values=values_of(scores),
        objectives=scores.objectives,
        missing=missing_lines(scores),
    )


def values_of(scores: Scores) -> dict[str, float]:
    """Metric -> value of the final pictures, of those that were measured."""
    return {row.metric: row.final.value for row in scores.rows if row.final is not None}
