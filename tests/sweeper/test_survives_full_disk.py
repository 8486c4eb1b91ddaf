"""A disk that is full in the middle of a sweep: a sentence, nothing lost, and on when there is room."""

import resource
from pathlib import Path

import optuna
import pytest

from sweeper.study.records import TrialState
from sweeper.study.storage import open_storage
from tests.sweeper.real_sweeps import Running, Toy, check_whole, dice, resumed_steps

pytestmark = pytest.mark.slow

STEPS, EVERY, TOTAL = 18, 2, 4
OPTIONS = (f"hydra.sweeper.budget.trials={TOTAL}",)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


def test_a_full_disk_stops_the_sweep_with_a_sentence_and_when_there_is_room_it_goes_on(
    tmp_path: Path, cache: Path
) -> None:
    chance = dice("steps at which the disk is full")
    toy = Toy(
        folder=tmp_path,
        cache=cache,
        overrides=(f"training.steps={STEPS}", f"training.checkpoint_every={EVERY}"),
    )
    with toy.started(*OPTIONS) as program:  # no checkpoint of trial 1 can be written any more
        program.reaches(toy.trial(1), chance.randrange(4, STEPS - 6))
        _no_file_longer_than(program, 100_000)
        printed = program.ends(1)
    _check_stopped(printed)
    assert [trial.state for trial in toy.read().trials] == [TrialState.complete, TrialState.waiting]
    _pad(toy)
    with toy.started(*OPTIONS) as program:  # the journal can't grow, so that no end can be told
        program.reaches(toy.trial(2), chance.randrange(1, STEPS - 6))
        _no_file_longer_than(program, toy.study.journal.stat().st_size + chance.randrange(1, 200))
        printed = program.ends(1)
    _check_stopped(printed)
    states = [trial.state for trial in toy.read().trials]
    assert states == [TrialState.complete] * 2 + [TrialState.running]
    assert toy.study.journal.read_bytes().endswith(b"\n")
    assert "Traceback" not in toy.run(*OPTIONS)
    record = toy.read()
    check_whole(record, TOTAL)
    assert [trial.restarts for trial in record.trials] == [0, 1, 1, 0]
    assert resumed_steps(toy.trial(1)) and not resumed_steps(toy.trial(2))  # it had ended, untold


def _check_stopped(printed: str) -> None:
    assert "[Errno 27] File too large" in printed
    assert "same command goes on: python train.py" in printed and "Traceback" not in printed


def _no_file_longer_than(program: Running, size: int) -> None:
    """What a full disk does, to this process alone: each write beyond it fails with an OSError."""
    _, hard = resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def _pad(toy: Toy) -> None:
    """Make the journal longer than any other file, so that a limit can concern it alone."""
    study = optuna.load_study(study_name="toy", storage=open_storage("journal", toy.study))
    study.set_user_attr("padding", "x" * 20_000_000)
