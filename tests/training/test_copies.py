"""files.copy_to: the weights in another program's folder, and nobody else's file written over."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from engine.compose.weights_copy import copy_problems, is_free
from engine.config import ConfigError
from engine.training import copies
from engine.training.train import train
from tests.compose.toys import composed
from tests.training.toy_runs import small_run, train_small

QUICK = ("training.steps=1", "sampling.num_prompts=0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds loras/, and the run whose copy is in it."""
    folder = tmp_path_factory.mktemp("copied")
    (folder / "loras").mkdir()
    train_small(folder, *QUICK, f"files.copy_to={folder / 'loras'}")
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "of_a_test")


def test_the_weights_are_copied_and_only_once(folder: Path) -> None:
    copy = folder / "loras" / "demo.safetensors"
    made = copy.stat().st_mtime_ns
    again = train_small(folder, *QUICK, f"files.copy_to={folder / 'loras'}")
    assert again.reused and again.weights is not None
    assert [path.name for path in copy.parent.iterdir()] == ["demo.safetensors"]
    assert copy.read_bytes() == again.weights.read_bytes() and copy.stat().st_mtime_ns == made


def test_a_finished_run_is_copied_without_training(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    result = train_small(folder, *QUICK, f"files.copy_to={folder / 'elsewhere'}")
    assert result.reused and (folder / "elsewhere/demo.safetensors").is_file()


def test_a_file_of_another_run_or_program_is_refused_before_training(folder: Path) -> None:
    loras = folder / "loras"
    words = r"files.copy_to=.*: demo.safetensors is there and not of this run. Give another name"
    with pytest.raises(ConfigError, match=words):
        small_run(folder, *QUICK, f"files.copy_to={loras}", "seed=3")
    small_run(folder, *QUICK, f"files.copy_to={loras}", "seed=3", "name=other")
    for content in (b"", b"no safetensors"):
        (loras / "demo.safetensors").write_bytes(content)
        with pytest.raises(ConfigError, match=words):
            small_run(folder, *QUICK, f"files.copy_to={loras}")
    (loras / "demo.safetensors").unlink()
    (loras / "demo.safetensors").symlink_to(folder / "gone")
    assert not is_free(loras / "demo.safetensors", loras / "none")


def test_a_file_that_came_while_the_run_trained_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    run, plan = small_run(tmp_path, *QUICK, f"files.copy_to={tmp_path / 'loras'}")
    (tmp_path / "loras/demo.safetensors").write_bytes(b"somebody else's")
    result = train(run, plan, console=Console(quiet=True))
    assert result.weights is not None
    assert (tmp_path / "loras/demo.safetensors").read_bytes() == b"somebody else's"
    own = tmp_path / f"loras/demo-{plan.run_id}.safetensors"
    assert own.read_bytes() == result.weights.read_bytes()


def test_a_copy_that_fails_is_said_and_the_run_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loras").mkdir()
    run, plan = small_run(tmp_path, *QUICK, f"files.copy_to={tmp_path / 'loras'}")
    console = Console(record=True, file=StringIO(), width=200)

    def full(weights: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(copies, "_copy", full)
        result = train(run, plan, console=console)
    assert result.outcome.value == "completed"
    assert "could not be copied (No space left on device). The same command tries again." in (
        console.export_text()
    )
    assert train(run, plan, console=Console(quiet=True)).reused
    assert (tmp_path / "loras/demo.safetensors").is_file()


def test_a_folder_that_is_not_there_or_no_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problem(folder: str) -> str:
        (found,) = copy_problems(composed(f"files.copy_to='{folder}'"))
        return found

    assert problem(f"{tmp_path}/gone").endswith("gone: no such folder. Make it, or correct the path.")
    (tmp_path / "file").write_text("")
    assert "no such folder" in problem(f"{tmp_path}/file")
    assert problem(" ") == "files.copy_to=: empty. Give a folder."
    monkeypatch.setenv("HOME", str(tmp_path))
    assert copy_problems(composed("files.copy_to='~'")) == []
    assert copy_problems(composed()) == []
