"""Weights on the way: whole files, the same after any stop, of use to the tools that read LoRA files."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from safetensors import safe_open

from engine.compose.rules import broken_rules
from engine.training import saves
from engine.training.summary import summary_lines
from engine.training.train import train
from evaluation.drawing.drawing_plan import LoRARequest
from evaluation.drawing.generation import draw_for_scoring
from tests.compose.toys import composed
from tests.training.option_desk import read_tensors
from tests.training.toy_runs import SMALL, small_run, train_small

PROJECT = Path(__file__).parents[2]
STEPS = (
    "training.steps=9",
    "training.checkpoint_every=4",
    "training.save_every=2",
    "training.keep_saves=2",
    "sampling.num_prompts=0",
)
NAMES = ["demo-step000006.safetensors", "demo-step000008.safetensors", "demo.safetensors"]
Crash = Callable[..., None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    return train_small(tmp_path_factory.mktemp("whole"), *STEPS).folder


def test_the_last_ones_are_kept_and_the_last_step_is_the_runs_own_file(whole: Path) -> None:
    assert sorted(_weights(whole)) == NAMES


def test_a_file_on_the_way_is_the_file_of_a_run_that_ended_there(tmp_path: Path, whole: Path) -> None:
    short = train_small(tmp_path, "training.steps=6", "lr_schedule=constant", "sampling.num_prompts=0")
    long = train_small(
        tmp_path,
        "training.steps=9",
        "lr_schedule=constant",
        "sampling.num_prompts=0",
        "training.save_every=6",
    )
    assert short.weights is not None
    saved = long.folder / "demo-step000006.safetensors"
    assert read_tensors(saved) == read_tensors(short.weights)
    own, final = _metadata(saved), _metadata(long.folder / "demo.safetensors")
    differing = {key for key in final if own[key] != final[key]}
    assert own.keys() == final.keys() and differing <= {"ss_steps", "sshs_model_hash", "sshs_legacy_hash"}
    assert (own["ss_steps"], own["ss_max_train_steps"]) == ("6", "9")


def test_files_on_the_way_do_not_change_the_weights(tmp_path: Path, whole: Path) -> None:
    plain = train_small(tmp_path, "training.steps=9", "sampling.num_prompts=0")
    assert plain.weights is not None and plain.folder.name == whole.name
    assert plain.weights.read_bytes() == (whole / "demo.safetensors").read_bytes()


@pytest.mark.parametrize(("place", "turn"), [("write_weights", 2), ("flush_folder", 3), ("Saves._drop", 3)])
def test_a_run_stopped_around_a_save_ends_with_the_files_of_one_that_was_not(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, place: str, turn: int
) -> None:
    run, plan = small_run(tmp_path, *STEPS)
    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(f"{saves.__name__}.{place}", _crash_at(turn, saves, place))
        train(run, plan, console=Console(quiet=True))
    (plan.folder / ".demo-step000004.safetensors.1.tmp").write_bytes(b"half")  # what a kill may leave
    ended = train(run, plan, console=Console(quiet=True))
    assert not ended.reused and _weights(ended.folder) == _weights(whole)
    assert not list(ended.folder.glob(".*.tmp"))


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_files(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed of the kills: {seed}")
    dice = random.Random(seed)
    options = ("training.steps=40", "training.checkpoint_every=3", "training.save_every=1")
    options += ("training.keep_saves=5",)
    whole = train_small(tmp_path / "whole", *options)
    for _ in range(3):
        process = _start(tmp_path / "killed", *options)
        deadline = time.monotonic() + 120
        while not _weights_under(tmp_path / "killed") and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(dice.random() * 0.5)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    ended = train_small(tmp_path / "killed", *options)
    assert _weights(ended.folder) == _weights(whole.folder) and len(_weights(whole.folder)) == 6


def test_a_save_is_there_before_a_checkpoint_of_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, plan = small_run(tmp_path, *STEPS)

    def looked_at(folder: Path, *args: object) -> Path:
        assert (plan.folder / "demo-step000004.safetensors").is_file()
        raise SystemError

    monkeypatch.setattr("engine.training.watch.save_checkpoint", looked_at)
    with pytest.raises(SystemError):
        train(run, plan, console=Console(quiet=True))


def test_epochs_name_their_files_and_all_are_kept(tmp_path: Path) -> None:
    result = train_small(
        tmp_path,
        "training.steps=null",
        "training.epochs=3",
        "dataset.batch_size=100",
        "training.save_every_epochs=1",
        "sampling.num_prompts=0",
    )
    names = ["demo-epoch0001.safetensors", "demo-epoch0002.safetensors", "demo.safetensors"]
    assert sorted(_weights(result.folder)) == names
    assert _metadata(result.folder / names[0])["ss_steps"] == "1"
    assert any("2 more, the last demo-epoch0002" in line for line in summary_lines(result, [], Path("x")))


def test_evaluation_draws_with_a_file_on_the_way(tmp_path: Path, whole: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a red star")
    request = LoRARequest(
        lora=whole / NAMES[0],
        out=tmp_path / "drawn",
        model="demo",
        prompts=prompts,
        cache_dir=whole.parents[1] / "cache",
    )
    folder = draw_for_scoring(request, console=Console(quiet=True))
    listing = json.loads((folder / "samples/samples.json").read_text())
    base, final = (listing["sets"][name] for name in ("base", "final"))
    assert len(base) == len(final) == 2
    pictures = [[(folder / "samples" / row["file"]).read_bytes() for row in rows] for rows in (base, final)]
    assert pictures[0] != pictures[1]


def test_a_rhythm_that_comes_too_late_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    for every in (0, 2, 3):  # of the last no file can come, as the plan says
        run, plan = small_run(tmp_path, f"training.save_every={every}")
        saves.tell_idle_saves(run, plan, warn=said.append)
    assert said == [
        "training.save_every=2: the run ended without files on the way. Add force=true to train it again",
    ]


def test_two_rhythms_or_none_with_a_number_to_keep_are_refused() -> None:
    assert broken_rules(composed("training.save_every=2", "training.save_every_epochs=1")) == [
        "training.save_every=2 with training.save_every_epochs=1: two rhythms. Set one of them to 0."
    ]
    assert broken_rules(composed("training.keep_saves=2")) == [
        "training.keep_saves=2: no weights are saved on the way. Give training.save_every or "
        "training.save_every_epochs, too."
    ]


def _crash_at(turn: int, module: object, place: str) -> Crash:
    """What stands there, until it is called for the so manieth time."""
    original = module
    for name in place.split("."):
        original = getattr(original, name)
    count = 0

    def called(*args: object, **kwargs: object) -> None:
        nonlocal count
        count += 1
        if count == turn:
            raise SystemError("as a kill would")
        assert callable(original)
        original(*args, **kwargs)

    return called


def _start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    given = {option.split("=")[0] for option in options}
    small = [default for default in SMALL if default.split("=")[0] not in given]
    places = (f"output_dir={folder / 'outputs'}", f"cache_dir={folder / 'cache'}")
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "train.py"), *places, *small, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _weights_under(folder: Path) -> list[Path]:
    return list((folder / "outputs").glob("*/*.safetensors"))


def _weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="np") as file:
        return dict(file.metadata())
