"""The same command again: the same bytes, whatever stopped the first one."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from engine.config import ConfigError
from engine.config.outcome import Outcome
from engine.training.result import read_result
from engine.training.train import train
from tests.training.toy_runs import SMALL, small_run, train_small

PROJECT = Path(__file__).parents[2]
STEPS = 24
OPTIONS = (
    f"training.steps={STEPS}",
    "training.checkpoint_every=3",
    "network.dropout=0.1",
    "lr_schedule=cosine",
)
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of a run that nothing stopped."""
    result = train_small(tmp_path_factory.mktemp("undisturbed"), *OPTIONS)
    assert result.weights is not None
    return result.weights.read_bytes()


def test_two_runs_with_one_seed_give_the_same_file_byte_for_byte(tmp_path: Path, undisturbed: bytes) -> None:
    again = train_small(tmp_path, *OPTIONS)
    other_seed = train_small(tmp_path, *OPTIONS, "seed=1")
    assert again.weights is not None and other_seed.weights is not None
    assert again.weights.read_bytes() == undisturbed
    assert other_seed.weights.read_bytes() != undisturbed


@pytest.mark.parametrize(
    "optimizer", ["adamw", *(pytest.param(name, marks=pytest.mark.slow) for name in ("prodigy", "adafactor"))]
)
def test_a_run_killed_at_random_steps_ends_in_the_bytes_of_one_that_was_not(
    tmp_path: Path, optimizer: str
) -> None:
    seed = random.randrange(2**32)
    print(f"seed of the kills: {seed}")
    dice = random.Random(seed)
    options = (*OPTIONS, f"optimizer={optimizer}")
    whole = train_small(tmp_path / "whole", *options)
    for _ in range(2):
        process = _start(tmp_path / "killed", *options)
        _wait_for_step(tmp_path / "killed", process, dice.randrange(1, STEPS - 8))
        time.sleep(dice.random() * 0.2)  # within a step, a checkpoint, a line of the log
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert read_result(_folder(tmp_path / "killed")) is None
    ended = train_small(tmp_path / "killed", *options)
    assert ended.outcome is Outcome.completed and not ended.reused
    assert whole.weights is not None and ended.weights is not None
    # The losses first: they tell the step at which a difference began.
    assert _columns(ended.folder, "loss") == _columns(whole.folder, "loss")
    assert len(_columns(ended.folder, "loss")) == STEPS
    assert ended.val_losses == whole.val_losses
    assert _sha256(ended.weights) == _sha256(whole.weights)


def test_ctrl_c_saves_says_how_to_go_on_and_the_same_command_does(tmp_path: Path, undisturbed: bytes) -> None:
    process = _start(tmp_path, *OPTIONS, "training.checkpoint_every=0")
    step = _wait_for_step(tmp_path, process, 5)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted after" in output and "The same command goes on" in output
    stopped = read_result(_folder(tmp_path))
    assert stopped is not None and stopped.outcome is Outcome.interrupted
    assert stopped.cause == "SIGINT" and step <= stopped.steps_done < STEPS
    ended = train_small(tmp_path, *OPTIONS, "training.checkpoint_every=0")
    assert ended.weights is not None and ended.weights.read_bytes() == undisturbed
    assert _columns(ended.folder, "step") == [str(step) for step in range(STEPS + 1)]


def test_a_finished_run_typed_again_points_to_its_folder_and_trains_nothing(tmp_path: Path) -> None:
    first = train_small(tmp_path)
    assert first.weights is not None
    before = _times(first.folder)
    again = train_small(tmp_path)
    assert again.reused and again.folder == first.folder and again.steps_done == 3
    assert _times(first.folder) == before


def test_force_repeats_a_finished_run_from_its_beginning(tmp_path: Path) -> None:
    first = train_small(tmp_path)
    assert first.weights is not None
    content, made = first.weights.read_bytes(), first.weights.stat().st_mtime_ns
    (first.folder / "leftover.txt").write_text("of the first time")
    again = train_small(tmp_path, "force=true")
    assert again.weights is not None and not again.reused
    assert again.weights.read_bytes() == content and again.weights.stat().st_mtime_ns != made
    assert not (first.folder / "leftover.txt").exists()


def test_a_finished_run_whose_weights_were_removed_is_trained_again(tmp_path: Path) -> None:
    first = train_small(tmp_path)
    assert first.weights is not None
    content = first.weights.read_bytes()
    first.weights.unlink()
    again = train_small(tmp_path)
    assert not again.reused and first.weights.read_bytes() == content


def test_other_prompts_or_seeds_are_drawn_anew_without_training(tmp_path: Path) -> None:
    first = train_small(tmp_path)
    assert first.weights is not None
    made = first.weights.stat().st_mtime_ns
    again = train_small(tmp_path, "sampling.seeds=[4,5]", "sampling.num_prompts=2")
    assert again.reused and first.weights.stat().st_mtime_ns == made
    listing = json.loads((first.folder / "samples/samples.json").read_text())
    assert listing["seeds"] == [4, 5] and len(listing["sets"]["final"]) == len(listing["sets"]["base"]) == 4
    listed = {row["file"] for rows in listing["sets"].values() for row in rows}
    samples = first.folder / "samples"
    assert {str(path.relative_to(samples)) for path in samples.rglob("*.png")} == listed
    direct = train_small(tmp_path / "direct", "sampling.seeds=[4,5]", "sampling.num_prompts=2")
    for name in listed:
        assert (samples / name).read_bytes() == (direct.folder / "samples" / name).read_bytes(), name


def test_a_half_done_run_refuses_to_go_on_with_other_pictures(tmp_path: Path) -> None:
    photos = _photos(tmp_path)
    options = ("evaluation.enabled=false", f"dataset.path={photos}")
    first = train_small(tmp_path, *options)
    assert first.weights is not None
    content = first.weights.read_bytes()
    (photos / "01.txt").write_text("something else")
    with pytest.raises(
        ConfigError,
        match=r"the pictures, captions or masks of .*photos changed .*; changed: 01\.png\. .*force=true",
    ):
        train_small(tmp_path, *options)
    assert first.weights.read_bytes() == content
    forced = train_small(tmp_path, *options, "force=true")
    assert forced.weights is not None and forced.weights.read_bytes() != content


def test_a_run_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    from filelock import FileLock

    run, plan = small_run(tmp_path)
    plan.folder.mkdir(parents=True)
    with (
        FileLock(plan.folder / ".lock"),
        pytest.raises(ConfigError, match="another process is at work on demo-"),
    ):
        train(run, plan, console=Console(quiet=True))


def _photos(folder: Path) -> Path:
    from demo.folder import prepare_demo

    photos = folder / "photos"
    photos.mkdir()
    train_folder = prepare_demo("sks", folder / "cache").train
    for name in ("00", "01", "02"):
        for ending in (".png", ".txt"):
            (photos / f"{name}{ending}").write_bytes((train_folder / f"{name}{ending}").read_bytes())
    return photos


def _start(folder: Path, *options: str) -> subprocess.Popen[str]:
    given = {option.split("=")[0] for option in options}
    places = (f"output_dir={folder / 'outputs'}", f"cache_dir={folder / 'cache'}")
    small = [default for default in SMALL if default.split("=")[0] not in given]
    last = {option.split("=")[0]: option for option in options}
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "train.py"), *places, *small, *last.values()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _folder(folder: Path) -> Path:
    (run,) = (folder / "outputs").iterdir()
    return run


def _wait_for_step(folder: Path, process: subprocess.Popen[str], step: int) -> int:
    """Wait until log.csv shows the step; the one that it shows."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        logs = list((folder / "outputs").glob("*/log.csv"))
        lines = logs[0].read_text().splitlines() if logs else []
        if len(lines) > 1 and lines[-1].split(",")[0].isdigit() and int(lines[-1].split(",")[0]) >= step:
            return int(lines[-1].split(",")[0])
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    raise TimeoutError(f"step {step} was not reached")


def _columns(folder: Path, name: str) -> list[str]:
    header, *rows = [line.split(",") for line in (folder / "log.csv").read_text().splitlines()]
    return [value for row in rows if (value := row[header.index(name)])]


def _times(folder: Path) -> dict[Path, int]:
    written_at_each_start = (".lock", "run.yaml")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in written_at_each_start]
    return {path: path.stat().st_mtime_ns for path in files}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
