"""How good and how quick sweeps are on the demo: python benchmarks/sweep.py part=quality.

Parts, each of which prints a markdown table with the machine, the date and the command:
    quality    what searches find for an eighth of the grid's steps (an hour; goes on where it was stopped)
    overhead   what a trial costs beyond its own training and scoring; asking and telling at 1,000 trials
    warm       8 trials of 20 steps in one process against 8 commands
    idle       how long four workers wait in a sweep with pruning
Arguments as key=value (Settings). Everything trains for real, with one thread a run unless said.
"""

import datetime
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep_grid import read_arguments
from sweep_idle import measure_idle
from sweep_overhead import measure_overhead
from sweep_quality import WAYS, measure_quality
from sweep_run import machine, quiet
from sweep_warm import measure_warm

PARTS = ("quality", "overhead", "warm", "idle")


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """How much of what is measured."""

    part: str = "overhead"  # of PARTS
    size: str = "full"  # tiny: so small that it measures nothing, to see that it runs
    folder: str = ".cache/benchmarks/sweep"  # of runs and caches; a part that is asked for again uses them
    seeds: int = 5  # quality: of the samplers
    ways: str = ",".join(WAYS)  # quality: which searches
    processes: int = 2  # quality: at a time
    trials: int = 24  # overhead, idle
    workers: int = 4  # idle
    rounds: int = 1  # warm: of both ways, in turn
    threads: int = 1  # warm: of each training


def main(arguments: Sequence[str]) -> None:
    """Measure one part."""
    settings = Settings(**read_arguments(arguments))  # type: ignore[arg-type]
    assert settings.part in PARTS, f"part={settings.part}: one of {', '.join(PARTS)}"
    quiet()
    today = datetime.datetime.now(datetime.UTC).date()
    print(f"{machine()}; {today}; python benchmarks/sweep.py {' '.join(arguments)}\n", flush=True)
    print(measure(settings))
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


def measure(settings: Settings) -> str:
    """The tables of one part."""
    folder = Path(settings.folder).absolute()
    if settings.part == "quality":
        return measure_quality(
            folder,
            size=settings.size,
            seeds=settings.seeds,
            processes=settings.processes,
            ways=settings.ways.split(","),
        )
    if settings.part == "overhead":
        return measure_overhead(folder, size=settings.size, trials=settings.trials)
    if settings.part == "warm":
        return measure_warm(folder, size=settings.size, rounds=settings.rounds, threads=settings.threads)
    return measure_idle(folder, size=settings.size, workers=settings.workers, trials=settings.trials)


if __name__ == "__main__":
    main(sys.argv[1:])
