"""A checkpoint is there whole or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from engine.training.resume import Checkpoint, drop_checkpoints, load_checkpoint, save_checkpoint

SAVER = """
import sys
from pathlib import Path
import torch
from engine.training.resume import Checkpoint, save_checkpoint
for step in range(1, 10**6):
    network = {"weights": torch.full((200_000,), float(step))}
    save_checkpoint(Path(sys.argv[1]), Checkpoint(step=step, network=network, optimizer={}, lr_schedule={}))
"""


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = _checkpoint(7)
    save_checkpoint(tmp_path, saved)
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert torch.equal(loaded.network.pop("a"), saved.network.pop("a"))
    assert loaded == saved


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 9):
        save_checkpoint(tmp_path, _checkpoint(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step000009.pt", "step000010.pt"]


@pytest.mark.parametrize("damage", [b"", b"half", None])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    save_checkpoint(tmp_path, _checkpoint(1))
    newest = save_checkpoint(tmp_path, _checkpoint(2))
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2] if damage is None else damage)
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None and loaded.step == 1
    assert "step000002.pt cannot be read" in caplog.text


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (os.system, (f"touch {tmp_path / 'hacked'}",))

    torch.save({"schema": 1, "step": 3, "network": Evil()}, tmp_path / "step000003.pt")
    assert load_checkpoint(tmp_path) is None
    assert not (tmp_path / "hacked").exists()


def test_a_kill_inside_a_save_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed of the kills: {seed}")
    dice = random.Random(seed)
    for round_number in range(3):
        folder = tmp_path / str(round_number)
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(folder)], cwd=Path(__file__).parents[2])
        deadline = time.monotonic() + 60
        while not list(folder.glob("step*.pt"))[1:] and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(dice.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        loaded = load_checkpoint(folder)
        newest = max(int(path.stem[4:]) for path in folder.glob("step*.pt"))
        assert loaded is not None and loaded.step == newest >= 2
        assert torch.equal(loaded.network["weights"], torch.full((200_000,), float(newest)))


def test_the_checkpoints_of_a_complete_run_are_removed_and_nothing_else(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoints", _checkpoint(1))
    (tmp_path / "checkpoints/mine.txt").write_text("kept")
    drop_checkpoints(tmp_path / "checkpoints")
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["mine.txt"]
    (tmp_path / "checkpoints/mine.txt").unlink()
    drop_checkpoints(tmp_path / "checkpoints")
    assert not (tmp_path / "checkpoints").exists()


def _checkpoint(step: int) -> Checkpoint:
    return Checkpoint(
        step=step,
        network={"a": torch.arange(3.0)},
        optimizer={"state": {}, "param_groups": [{"lr": 0.1}]},
        lr_schedule={"last_epoch": step},
        losses=[0.5] * step,
        val_losses=[(0, 1.0), (step, 0.25)],
        seconds=1.5,
    )
