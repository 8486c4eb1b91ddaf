"""Workers in processes of their own: one killed, the controller killed, never a trial too many."""

import os
import shlex
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from sweeper.study.records import StudyRecord, TrialState
from tests.sweeper.real_sweeps import (
    PROJECT,
    Running,
    Toy,
    check_whole,
    dice,
    losses_of,
    resumed_steps,
    running,
    sha256,
)

pytestmark = pytest.mark.slow

STEPS, EVERY = 18, 2
OVERRIDES = (f"training.steps={STEPS}", f"training.checkpoint_every={EVERY}", "training.validate_every=9")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


def test_a_killed_worker_loses_nothing_and_its_trial_ends_in_the_bytes_of_its_own_command(
    tmp_path: Path, cache: Path
) -> None:
    chance = dice("kill of one of two workers")
    toy = Toy(folder=tmp_path, cache=cache, overrides=OVERRIDES)
    options = ("hydra/launcher=gpus", "hydra.launcher.slots=2", "hydra.sweeper.budget.trials=4")
    with toy.started(*options) as program:
        number = chance.choice([0, 1])
        program.reaches(toy.trial(number), chance.randrange(4, STEPS - 8))
        victim = _worker_of(toy, number, program)
        time.sleep(chance.random() * 0.1)
        victim.kill()
        printed = program.ends(0)
    assert "was killed by SIGKILL" in printed, printed
    record = toy.read()
    check_whole(record, 4)
    hit = record.trials[number]
    assert sum(trial.restarts for trial in record.trials) == hit.restarts == 1
    assert hit.worker is not None and int(hit.worker.rpartition(":")[2]) != victim.pid
    (resumed,) = resumed_steps(hit.folder)
    assert 0 < resumed < STEPS and resumed % EVERY == 0
    _check_own_command(toy, record, number)


def test_after_kill_9_of_the_controller_its_workers_end_and_the_same_command_goes_on(
    tmp_path: Path, cache: Path
) -> None:
    chance = dice("kill of the controller of two workers")
    toy = Toy(folder=tmp_path, cache=cache, overrides=OVERRIDES)
    options = ("hydra/launcher=gpus", "hydra.launcher.slots=2", "hydra.sweeper.budget.trials=4")
    with toy.started(*options) as program:
        program.reaches(toy.trial(0), chance.randrange(3, 10))
        program.reaches(toy.trial(1), chance.randrange(3, 10))
        workers = program.children()
        program.process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive, "no worker outlives its controller"
    record = toy.read()
    begun = {trial.number: trial.state for trial in record.trials}
    assert begun == {0: TrialState.waiting, 1: TrialState.waiting}, "both were handed back, from their step"
    steps = [trial.steps_done for trial in record.trials]
    assert min(steps) >= 3
    printed = toy.run(*options)
    assert "Traceback" not in printed
    record = toy.read()
    check_whole(record, 4)
    assert [trial.restarts for trial in record.trials] == [1, 1, 0, 0]
    assert [resumed_steps(toy.trial(number)) for number in (0, 1)] == [[step] for step in steps]


def test_four_workers_of_joblib_never_exceed_the_total(tmp_path: Path, cache: Path) -> None:
    toy = Toy(folder=tmp_path, cache=cache, overrides=("training.steps=8",))
    toy.run("hydra/launcher=joblib", "hydra.launcher.n_jobs=4", "hydra.sweeper.budget.trials=5")
    record = toy.read()
    check_whole(record, 5)
    assert len({trial.worker for trial in record.trials}) == 4
    assert all(trial.restarts == 0 for trial in record.trials)


def test_submitits_local_launcher_runs_a_sweep_to_its_end(tmp_path: Path, cache: Path) -> None:
    toy = Toy(folder=tmp_path, cache=cache, overrides=("training.steps=8",))
    toy.run("hydra/launcher=submitit_local", "hydra.sweeper.workers=2", "hydra.sweeper.budget.trials=4")
    record = toy.read()
    check_whole(record, 4)
    assert len({trial.worker for trial in record.trials}) == 2


def _worker_of(toy: Toy, number: int, program: Running) -> psutil.Process:
    """The process at work on a trial, which must be one that the sweep started."""
    worker = toy.read().trials[number].worker
    assert worker is not None
    pid = int(worker.rpartition(":")[2])
    assert pid in {child.pid for child in program.children()} and pid != os.getpid()
    return psutil.Process(pid)


def _check_own_command(toy: Toy, record: StudyRecord, number: int) -> None:
    """The trial's printed command, never stopped, makes the same losses and the same bytes."""
    trial = record.trials[number]
    home = toy.folder / "alone"
    words = [*shlex.split(trial.command)[2:], f"output_dir={home}"]
    with running([sys.executable, str(PROJECT / "train.py"), *words], cwd=toy.folder) as run:
        run.ends(0)
    (made,) = home.glob("*/demo.safetensors")
    assert sha256(made) == trial.weights_sha256
    assert losses_of(made.parent) == losses_of(trial.folder)
    assert "going on" not in run.output
