"""What settings are worth on prompts and training seeds that chose nothing: one measure for all searches.

Command: python benchmarks/sweep_judge.py    the best of the grid and the default -> sweep_judged.csv
Each setting is trained with three fresh seeds and scored on sampling=confirm, whose prompts and seeds no
search has seen, so that the best of 108 is not flattered by having been the best. Arguments as key=value:
size, processes, folder, table, top (settings of the grid beside the default).
"""

import csv
import multiprocessing
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep_grid import Settings as GridSettings
from sweep_grid import cell_of, number, read_arguments, read_table, runs_of
from sweep_run import PLAIN, Ran, machine, quiet, train_once

TABLE = Path(__file__).with_name("sweep_judged.csv")
DEFAULT = "the recipe's default"
SLOW = "learning rate 1e-4, as many recipes have it"
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


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """How much, and where."""

    size: str = "full"  # tiny: one seed, 4 steps, two pictures
    processes: int = 2
    folder: str = GridSettings().folder
    grid: str = GridSettings().table
    table: str = str(TABLE)
    top: int = 3  # settings of the grid


def main(arguments: Sequence[str]) -> None:
    """Judge the grid's best and the default, and write the table."""
    settings = Settings(**read_arguments(arguments))  # type: ignore[arg-type]
    quiet()
    print(machine(), flush=True)
    named = dict(candidates(Path(settings.grid), settings.top))
    judged = judge_all(named.values(), Path(settings.folder), settings)
    rows = [(name, judged[overrides]) for name, overrides in named.items()]
    write_table(Path(settings.table), rows)
    for name, found in rows:
        print(f"{name}: {found.mean:.4f} +- {found.spread():.4f}, base {found.base:.4f}")


def candidates(grid: Path, top: int) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Name and overrides of what is judged."""
    rows = [row for row in runs_of(read_table(grid)) if row["likeness"]]
    rows.sort(key=lambda row: -float(row["likeness"]))
    for place, row in enumerate(rows[:top]):
        yield f"grid {place + 1}", tuple(cell_of(row).overrides()[:-1])
    yield DEFAULT, ()
    yield SLOW, ("optimizer.lr=0.0001",)


def judge_all(
    each: Iterable[tuple[str, ...]], folder: Path, settings: Settings
) -> "dict[tuple[str, ...], Judged]":
    """Each setting once, several at a time."""
    different = list(dict.fromkeys(each))
    with multiprocessing.get_context("spawn").Pool(settings.processes) as pool:
        tasks = {one: pool.apply_async(judge, (one, folder), {"size": settings.size}) for one in different}
        return {one: task.get() for one, task in tasks.items()}


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


def write_table(path: Path, rows: Sequence[tuple[str, Judged]]) -> None:
    """A row a setting."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["what", "settings", "likeness", "std_of_seeds", "base", "values", "run_ids"])
        for name, found in rows:
            values = " ".join(number(value) for value in found.likeness)
            measured = (number(found.mean), number(found.spread()), number(found.base), values)
            writer.writerow([name, " ".join(found.overrides), *measured, " ".join(found.run_ids)])


if __name__ == "__main__":
    main(sys.argv[1:])
