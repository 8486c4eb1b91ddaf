"""Studies with a trivial objective, and processes that work on one."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import optuna

from sweeper.study.budget import Budget
from sweeper.study.claim import Claim, NoTrialKind, TrialQueue
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Phase, TrialRecord, TrialState
from sweeper.study.storage import open_storage

ROOT = Path(__file__).resolve().parents[2]
NAME = "toy"


def open_study(
    root: Path, url: str = "journal", directions: Sequence[str] = ("maximize",), name: str = NAME
) -> tuple[optuna.Study, StudyFolder]:
    """The study of a folder, made if it is new."""
    folder = StudyFolder(root)
    folder.make()
    storage = open_storage(url, folder, wait=True)
    study = optuna.create_study(
        study_name=name, storage=storage, directions=list(directions), load_if_exists=True
    )
    study.sampler = optuna.samplers.RandomSampler()
    return study, folder


def queue_of(
    study: optuna.Study,
    folder: StudyFolder,
    *,
    trials: int | None = 5,
    budget: Budget | None = None,
    lease: float = 60,
) -> TrialQueue:
    """A worker's queue on it."""
    return TrialQueue(study, folder, phase=Phase.search, budget=budget or Budget(trials=trials), lease=lease)


def complete(claim: Claim, value: float, constraints: Mapping[str, float] | None = None) -> TrialRecord:
    """The record of a claim that came to a value."""
    return replace(
        claim.record, state=TrialState.complete, values={"score": value}, constraints=constraints or {}
    )


def work(root: Path, url: str, trials: int, seconds: float) -> list[int]:
    """Work until the study is full; the numbers of the trials that this worker told."""
    study, folder = open_study(root, url)
    queue = queue_of(study, folder, trials=trials)
    told = []
    while True:
        found = queue.next_trial()
        if isinstance(found, Claim):
            value = found.trial.suggest_float("x", 0, 1)
            study._storage.set_trial_intermediate_value(found.trial._trial_id, 1, value)
            time.sleep(seconds)
            if queue.tell(found, complete(found, value)):
                told.append(found.number)
        elif found.kind is NoTrialKind.wait:
            time.sleep(0.02)
        else:
            return told


def work_together(
    root: Path, url: str, *, workers: int, trials: int, seconds: float = 0.0
) -> list[list[int]]:
    """What `work` gives in so many forked processes at once."""
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return pool.starmap(work, [(root, url, trials, seconds)] * workers)


def start_worker(root: Path, url: str, *, trials: int, seconds: float) -> subprocess.Popen[bytes]:
    """`work` in a process of its own, when it has imported all: it prints what it told."""
    code = (
        "import sys, json; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "import study_toys; print('ready', flush=True);"
        "told = study_toys.work(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]));"
        "print(json.dumps(told))"
    )
    arguments = [str(Path(__file__).parent), str(root), url, str(trials), str(seconds)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


def told_by(process: subprocess.Popen[bytes]) -> list[int]:
    """The numbers that a worker told, when it is done."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return list(json.loads(out.decode()))
