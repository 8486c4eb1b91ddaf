"""Where a checkpoint is found, and what makes it another one."""

import os
import shutil
from pathlib import Path

import pytest

from engine.config import Family
from engine.models.facts import FAMILIES
from engine.models.fingerprint import checkpoint_fingerprints
from engine.models.locate import PROJECT, find_checkpoint, is_hub_id


def test_a_folder_here_comes_before_one_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("demo/weights") == PROJECT / "demo/weights"
    (tmp_path / "demo/weights").mkdir(parents=True)
    assert find_checkpoint("demo/weights") == tmp_path / "demo/weights"


def test_a_hub_id_is_looked_up_in_the_local_cache_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_checkpoint("nobody/nothing") is None
    snapshot = tmp_path / "models--nobody--nothing/snapshots/abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    (tmp_path / "models--nobody--nothing/refs").mkdir()
    (tmp_path / "models--nobody--nothing/refs/main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_checkpoint("nobody/nothing") == snapshot


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models/mine").mkdir(parents=True)
    assert find_checkpoint("~/models/mine") == tmp_path / "models/mine"
    assert find_checkpoint("~/models/other") is None


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a/b", True), ("stabilityai/sd-2.1", True), ("a", False), ("a/b/c", False), ("a/", False)],
)
def test_a_hub_id_is_owner_and_repository(name: str, is_one: bool) -> None:
    assert is_hub_id(name) is is_one


def test_a_fingerprint_follows_the_bytes_and_not_the_place_or_the_time(tmp_path: Path) -> None:
    first = _model(tmp_path / "first")
    second = tmp_path / "moved/second"
    shutil.copytree(first, second)
    os.utime(second / "unet/model.safetensors", (1, 1))
    assert checkpoint_fingerprints(first, FAMILIES[Family.sd1]) == checkpoint_fingerprints(
        second, FAMILIES[Family.sd1]
    )


def test_a_file_of_another_name_is_another_model_and_a_foreign_file_is_not(tmp_path: Path) -> None:
    folder = _model(tmp_path / "model")
    before = checkpoint_fingerprints(folder, FAMILIES[Family.sd1])
    (folder / "unet/notes.md").write_text("mine")
    (folder / "README.json").write_text("{}")
    assert checkpoint_fingerprints(folder, FAMILIES[Family.sd1]) == before
    (folder / "tokenizer/spiece.model").write_text("words of T5")
    spoken = checkpoint_fingerprints(folder, FAMILIES[Family.sd1])
    assert spoken.text != before.text and spoken.base != before.base and spoken.vae == before.vae
    (folder / "tokenizer/spiece.model").unlink()
    (folder / "unet/config.json").rename(folder / "unet/configs.json")  # in the same place of the order
    assert checkpoint_fingerprints(folder, FAMILIES[Family.sd1]).base != before.base


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("unet", {"base"}),
        ("scheduler", {"base"}),
        ("vae", {"base", "vae"}),
        ("text_encoder", {"base", "text"}),
        ("tokenizer", {"base", "text"}),
    ],
)
def test_other_bytes_of_a_part_change_what_depends_on_it(
    tmp_path: Path, part: str, changed: set[str]
) -> None:
    folder = _model(tmp_path / "model")
    before = checkpoint_fingerprints(folder, FAMILIES[Family.sd1])
    (folder / part / "config.json").write_text('{"a": 2}')
    os.utime(
        folder / part / "config.json", (5, 5)
    )  # some disks keep times too coarse to tell two writes apart
    after = checkpoint_fingerprints(folder, FAMILIES[Family.sd1])
    assert {
        name for name in ("base", "vae", "text") if getattr(before, name) != getattr(after, name)
    } == changed


def _model(folder: Path) -> Path:
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text('{"a": 1}')
        (folder / part / "model.safetensors").write_bytes(part.encode())
    return folder
