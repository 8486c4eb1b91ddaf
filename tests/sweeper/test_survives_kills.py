"""kill -9 and Ctrl-C of a whole sweep: the same command ends in the bytes of one that nothing stopped."""

import random
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweeper.study.records import StudyRecord, TrialState
from tests.sweeper.real_sweeps import (
    PROJECT,
    Running,
    Toy,
    check_whole,
    dice,
    last_step,
    losses_of,
    params_of,
    resumed_steps,
    running,
    sha256,
    weights_of,
)

pytestmark = pytest.mark.slow

STEPS, EVERY, TOTAL = 18, 2, 4
OVERRIDES = (f"training.steps={STEPS}", f"training.checkpoint_every={EVERY}", "training.validate_every=9")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


@dataclass(kw_only=True)
class Whole:
    """A sweep of one worker that nothing stops; it runs while another one is killed."""

    toy: Toy
    program: Running

    def ended(self) -> Toy:
        """Its place, when it has come to its end."""
        self.program.ends(0)
        return self.toy


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Whole]:
    """Started, and not waited for."""
    toy = Toy(folder=tmp_path_factory.mktemp("whole"), cache=cache, overrides=OVERRIDES)
    with toy.started(f"hydra.sweeper.budget.trials={TOTAL}") as program:
        yield Whole(toy=toy, program=program)


def test_killed_killed_inside_a_save_and_stopped_by_ctrl_c_it_ends_in_the_same_bytes(
    tmp_path: Path, cache: Path, whole: Whole
) -> None:
    chance = dice("kills of the whole program")
    toy = Toy(folder=tmp_path, cache=cache, overrides=OVERRIDES)
    total = f"hydra.sweeper.budget.trials={TOTAL}"
    with toy.started(total) as program:
        _kill_at_a_random_time(toy, program, chance)
    assert toy.read().trials[1].state is TrialState.running  # nobody has looked at it since
    with toy.started(total) as program:
        program.reaches(toy.trial(2), chance.randrange(3, STEPS - 8))
        program.kill_inside_a_save(toy.trial(2))
    with toy.started(total) as program:
        program.reaches(toy.trial(3), chance.randrange(3, STEPS - 8))
        reached = last_step(toy.trial(3))
        program.ctrl_c()
        said = program.ends(130)
    _check_interrupted(toy, said, reached)
    stopped = toy.read()
    printed = toy.run(total)
    assert "Traceback" not in printed
    record = toy.read()
    check_whole(record, TOTAL)
    undisturbed = whole.ended().read()
    check_whole(undisturbed, TOTAL)
    _check_equal(record, undisturbed)
    assert [trial.restarts for trial in record.trials] == [0, 1, 1, 1]
    for number in (1, 2, 3):
        (resumed,) = resumed_steps(toy.trial(number))
        assert 0 < resumed <= STEPS, number
        assert number == 3 or resumed % EVERY == 0, number  # Ctrl-C saves the step in hand, a kill can't
    assert resumed_steps(toy.trial(3))[0] == stopped.trials[3].steps_done >= reached
    assert not list(tmp_path.rglob("*.partial")), "what a killed save left is cleaned up"


def _kill_at_a_random_time(toy: Toy, program: Running, chance: random.Random) -> None:
    program.reaches(toy.trial(1), chance.randrange(3, STEPS - 8))
    time.sleep(chance.random() * 0.1)
    program.kill_all()


def _check_interrupted(toy: Toy, said: str, reached: int) -> None:
    line = next(line for line in said.splitlines() if line.startswith("The same command goes on: "))
    typed = shlex.split(line.removeprefix("The same command goes on: "))
    assert typed == ["python", "train.py", *toy.words(f"hydra.sweeper.budget.trials={TOTAL}")[2:]]
    assert "Traceback" not in said
    record = toy.read()
    assert [trial.state for trial in record.trials] == [TrialState.complete] * 3 + [TrialState.waiting]
    assert record.trials[3].steps_done >= reached
    newest = max(int(path.stem.removeprefix("step")) for path in toy.trial(3).glob("checkpoints/step*.pt"))
    assert newest >= reached


def _check_equal(record: StudyRecord, whole: StudyRecord) -> None:
    """Settings, losses and files of every trial are those of the sweep that nothing stopped."""
    assert params_of(record.trials) == params_of(whole.trials)
    for mine, theirs in zip(record.trials, whole.trials, strict=True):
        assert losses_of(mine.folder) == losses_of(theirs.folder), mine.number
        assert weights_of(mine) == weights_of(theirs), mine.number
        assert mine.values == theirs.values, mine.number


def test_the_winners_line_and_best_yaml_give_the_winners_file_byte_for_byte(whole: Whole) -> None:
    toy = whole.ended()
    record = toy.read()
    best = max(record.trials, key=lambda trial: trial.values["likeness"])
    printed = whole.program.output
    lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("python train.py ")]
    assert len(lines) == 2 and "best.yaml" in printed, printed
    assert lines[0] == best.command
    assert sha256(toy.study.best_weights) == best.weights_sha256
    homes = [toy.folder / name for name in ("by-its-line", "by-best-yaml")]
    train = [sys.executable, str(PROJECT / "train.py")]
    one, two = (
        [*train, *shlex.split(line)[2:], f"output_dir={home}"]
        for line, home in zip(lines, homes, strict=True)
    )
    with running(one, cwd=toy.folder) as by_line, running(two, cwd=toy.folder) as by_file:
        by_line.ends(0)
        by_file.ends(0)
    for line, home in zip(lines, homes, strict=True):
        (made,) = home.glob("*/demo.safetensors")
        assert sha256(made) == best.weights_sha256, line


def test_the_same_command_after_the_end_trains_nothing_and_another_total_is_obeyed(whole: Whole) -> None:
    toy = whole.ended()
    before = _touched(toy)
    again = toy.run(f"hydra.sweeper.budget.trials={TOTAL}")
    assert _touched(toy) == before
    there = f"Nothing was left to train: this study has {TOTAL} trials, and hydra.sweeper.budget.trials"
    assert f"{there}={TOTAL} asks for no more. Raise it to go on." in again, again
    fewer = toy.run("hydra.sweeper.budget.trials=3")
    assert _touched(toy) == before
    assert f"{there}=3 asks for no more. Raise it to go on." in fewer, fewer
    first = toy.read()
    toy.run(f"hydra.sweeper.budget.trials={TOTAL + 1}")
    more = toy.read()
    check_whole(more, TOTAL + 1)
    assert more.trials[:TOTAL] == first.trials
    after = _touched(toy)
    assert {path: after[path] for path in before} == before


def _touched(toy: Toy) -> dict[Path, int]:
    """Every file of every trial, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in toy.study.trials.rglob("*") if path.is_file()}
