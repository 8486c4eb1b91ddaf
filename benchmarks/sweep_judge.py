"""What settings are worth on prompts and training seeds that chose nothing: one measure for all searches."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep_run import PLAIN, Ran, train_once

SEEDS = (2001, 2002, 2003)  # of the training; a sweep's own confirmations begin at 1001
STEPS = 60


@dataclass(kw_only=True, slots=True, frozen=True)
class Judged:
    """Settings trained with each judging seed and scored on the prompts of sampling=confirm."""

    overrides: tuple[str, ...]
    likeness: tuple[float, ...]  # a value a seed; a run that diverged has the base model's
    base: float  # the base model's, on the same prompts
    run_ids: tuple[str, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.likeness)

    @property
    def gain(self) -> float:
        """Beyond the base model."""
        return self.mean - self.base

    def spread(self) -> float:
        """Standard deviation between seeds; 0 of a single one."""
        return statistics.stdev(self.likeness) if len(self.likeness) > 1 else 0.0


def judge(overrides: Sequence[str], folder: Path, *, size: str = "full") -> Judged:
    """Train with the judging seeds; runs that lie in folder already are only read."""
    seeds = SEEDS if size == "full" else SEEDS[:1]
    fixed = judging(folder, size=size)
    runs = [train_once([*fixed, *overrides, f"seed={seed}"]) for seed in seeds]
    base = next(run.base["likeness"] for run in runs if run.base)
    return Judged(
        overrides=tuple(overrides),
        likeness=tuple(_likeness(run, base) for run in runs),
        base=base,
        run_ids=tuple(run.run_id for run in runs),
    )


def judging(folder: Path, *, size: str) -> list[str]:
    """The overrides that all judged runs share."""
    length = [f"training.steps={STEPS}", "sampling=confirm"]
    if size == "tiny":
        length = [
            *("training.steps=4", "sampling=confirm", "sampling.num_prompts=2"),
            *("sampling.num_plain_prompts=0", "sampling.seeds=[101]", "sampling.steps=2"),
        ]
    return [*PLAIN, *length, f"output_dir={folder / 'judged'}", f"cache_dir={folder / 'cache'}"]


def _likeness(run: Ran, base: float) -> float:
    return run.values.get("likeness", base)
