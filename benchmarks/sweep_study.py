"""Starts train.py as a user does, as one run or as a sweep, and reads what a sweep left."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep_run import PLAIN, ROOT

if TYPE_CHECKING:
    from sweeper.study.records import StudyRecord, TrialRecord


@dataclass(slots=True, frozen=True)
class Spent:
    """Seconds of commands, from start to end of Python."""

    clock: float = 0.0
    processor: float = 0.0  # of all their threads: does not count who else is busy

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.clock + other.clock, self.processor + other.processor)


def train_py(*arguments: str) -> Spent:
    """Run one command; what it printed is shown if it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    start, before = time.perf_counter(), _children()
    done = subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return Spent(seconds, _children() - before)


def sweep_py(study: str, folder: Path, *arguments: str, threads: int = 1) -> Spent:
    """Run a sweep from its command to its report; its trials lie in folder/sweeps/<study>/."""
    return train_py(
        "--multirun",
        *arguments,
        *plain(threads),
        f"cache_dir={folder / 'cache'}",
        f"hydra.sweeper.folder={folder / 'sweeps'}",
        f"hydra.sweeper.study={study}",
    )


def study_of(study: str, folder: Path) -> "StudyRecord":
    """What a sweep that sweep_py started left."""
    from sweeper.study.folder import StudyFolder
    from sweeper.study.read import read_study

    return read_study(StudyFolder(folder / "sweeps" / study))


def plain(threads: int) -> list[str]:
    """What every run here has, with so many threads."""
    return [
        *(text for text in PLAIN if not text.startswith("training.threads")),
        f"training.threads={threads}",
    ]


def _children() -> float:
    """Processor seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def all_trials(record: "StudyRecord") -> "list[TrialRecord]":
    """Of the search and of its confirmations."""
    return [*record.trials, *record.confirmations]


def searched_overrides(trial: "TrialRecord") -> tuple[str, ...]:
    """The settings that the search chose, as overrides."""
    return tuple(f"{key}={value!r}" for key, value in trial.params.items())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
