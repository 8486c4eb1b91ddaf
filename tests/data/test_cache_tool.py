"""python -m engine cache: what is there, how old it is, what goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from engine.__main__ import main
from engine.data.cache import ContentCache
from engine.data.cache_folder import describe_cache, prune_cache
from engine.data.folder import list_files
from engine.data.scan_index import ScanIndex, index_file, save_index

DAY = 86_400


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """Three latents used 40, 10 and 0 days ago, one text, and what is no entry."""
    folder = tmp_path / ".cache"
    for kind, ages in (("latents", (40, 10, 0)), ("text", (40,))):
        cache = ContentCache(folder / kind)
        for index, age in enumerate(ages):
            key = f"{index:02d}" + "0" * 62
            cache.put(key, {"mean": torch.ones(100)})
            used = time.time() - age * DAY
            os.utime(cache.path_of(key), (used, used))
    (folder / "demo/sks").mkdir(parents=True)
    (folder / "demo/sks/weights.safetensors").write_bytes(b"not an entry")
    return folder


def test_each_kind_is_counted_with_its_size_and_age(cache_dir: Path) -> None:
    latents, text = describe_cache(cache_dir)
    assert (latents.name, latents.num_entries, text.name, text.num_entries) == ("latents", 3, "text", 1)
    assert latents.num_bytes == sum(path.stat().st_size for path in (cache_dir / "latents").rglob("*.*"))
    assert latents.oldest_days == pytest.approx(40, abs=0.01)
    assert latents.newest_days == pytest.approx(0, abs=0.01)


def test_entries_that_no_run_used_for_so_long_go_and_nothing_else(cache_dir: Path) -> None:
    count, size = prune_cache(cache_dir, unused_days=30)
    assert count == 2 and size > 0
    assert [(part.name, part.num_entries) for part in describe_cache(cache_dir)] == [("latents", 2)]
    assert (cache_dir / "demo/sks/weights.safetensors").exists()


def test_an_entry_that_is_used_is_young_again(cache_dir: Path) -> None:
    assert ContentCache(cache_dir / "latents").get("00" + "0" * 62) is not None
    assert prune_cache(cache_dir, unused_days=30)[0] == 1  # the text alone


def test_the_command_shows_and_prunes(cache_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", f"cache_dir={cache_dir}"]) == 0
    shown = capsys.readouterr().out
    assert "latents" in shown and "3 entries" in shown and "40.0 days ago" in shown
    assert main(["cache", f"cache_dir={cache_dir}", "unused_days=0"]) == 0
    assert capsys.readouterr().out.splitlines() == ["removed 4 entries, 0.0 MB", f"{cache_dir}: no entries"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cahce"], "cahce: no such tool"),
        (["cache", "older=3"], "older=3: unknown"),
        (["cache", "cache_dir"], "cache_dir: unknown"),
        (["cache", "cache_dir=nowhere"], "cache_dir=nowhere: no such folder"),
        (["cache", "unused_days=soon"], "unused_days=soon: give a number of days"),
        (["cache", "unused_days=-1"], "unused_days=-1: give a number of days"),
        (["cache", "unused_days=1", "unused_days=2"], "unused_days: given twice"),
    ],
)
def test_what_is_not_understood_removes_nothing(
    cache_dir: Path,
    words: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(cache_dir.parent)
    assert main(words) == 2
    assert sentence in capsys.readouterr().err
    assert len(list(Path(".cache").rglob("*.safetensors"))) == 5


def test_the_command_imports_no_torch() -> None:
    code = "import sys, engine.__main__ as t; t.main(['cache', '--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0


def test_indexes_of_scanned_folders_are_shown_and_pruned_too(cache_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.txt").write_text("a caption")
    listing = list_files(tmp_path / "photos")
    file = index_file(cache_dir, tmp_path / "photos")
    index = ScanIndex(is_changed=True)
    save_index(index, file, listing, reader="any")
    (part,) = [part for part in describe_cache(cache_dir) if part.name == "scan"]
    assert part.num_entries == 1 and part.num_bytes == file.stat().st_size
    assert prune_cache(cache_dir, unused_days=0)[0] == 5
    assert not file.exists() and describe_cache(cache_dir) == []
