"""kill -9 and Ctrl-C of a whole sweep: the same command ends in the bytes of one that nothing stopped."""

import random
import shlex
import sys
import time
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

STEPS, EVERY, TOTAL = 24, 2, 5
OVERRIDES = (f"training.steps={STEPS}", f"training.checkpoint_every={EVERY}", "training.validate_every=6")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Toy:
    """A sweep of one worker that nothing stopped."""
    toy = Toy(folder=tmp_path_factory.mktemp("whole"), cache=cache, overrides=OVERRIDES)
    toy.run(f"hydra.sweeper.budget.trials={TOTAL}")
    check_whole(toy.read(), TOTAL)
    return toy


def test_killed_killed_inside_a_save_and_stopped_by_ctrl_c_it_ends_in_the_same_bytes(
    tmp_path: Path, cache: Path, whole: Toy
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
    _check_equal(record, whole.read())
    assert [trial.restarts for trial in record.trials] == [0, 1, 1, 1, 0]
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


def test_the_winners_line_and_best_yaml_give_the_winners_file_byte_for_byte(whole: Toy) -> None:
    record = whole.read()
    best = max(record.trials, key=lambda trial: trial.values["likeness"])
    printed = whole.run(f"hydra.sweeper.budget.trials={TOTAL}")
    lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("python train.py ")]
    assert len(lines) == 2 and "best.yaml" in printed, printed
    assert lines[0] == best.command
    assert sha256(whole.study.best_weights) == best.weights_sha256
    for line in lines:
        words = shlex.split(line)
        home = f"output_dir={whole.folder / ('out-' + str(len(words)))}"
        with running([sys.executable, str(PROJECT / "train.py"), *words[2:], home], cwd=whole.folder) as run:
            run.ends(0)
        (made,) = Path(home.removeprefix("output_dir=")).glob("*/demo.safetensors")
        assert sha256(made) == best.weights_sha256, line


def test_the_same_command_after_the_end_trains_nothing_and_another_total_is_obeyed(whole: Toy) -> None:
    before = _touched(whole)
    again = whole.run(f"hydra.sweeper.budget.trials={TOTAL}")
    assert _touched(whole) == before
    assert f"Nothing was left to train: {TOTAL} of {TOTAL} trials." in again, again
    fewer = whole.run("hydra.sweeper.budget.trials=3")
    assert _touched(whole) == before
    assert f"Nothing was left to train: {TOTAL} of 3 trials." in fewer, fewer
    first = whole.read()
    whole.run(f"hydra.sweeper.budget.trials={TOTAL + 1}")
    more = whole.read()
    check_whole(more, TOTAL + 1)
    assert more.trials[:TOTAL] == first.trials
    after = _touched(whole)
    assert {path: after[path] for path in before} == before


def _touched(toy: Toy) -> dict[Path, int]:
    """Every file of every trial, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in toy.study.trials.rglob("*") if path.is_file()}
