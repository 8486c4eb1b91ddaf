"""Hashes of large files outlive a start; another file, size or time is read again."""

import hashlib
import os
from pathlib import Path

import pytest

from engine.models import file_hashes
from engine.models.file_hashes import index_file, sha256_of

OLD = (1_000_000_000, 1_000_000_000)  # seconds


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr("engine.models.file_hashes.LARGE", 4)
    file = tmp_path / "model.safetensors"
    _write(file, b"weights")
    return file


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    os.utime(file, OLD)


def _hash(file: Path) -> str:
    return sha256_of(file, size=file.stat().st_size, modified=file.stat().st_mtime_ns)


def test_a_large_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hashlib.sha256(b"weights").hexdigest()
    assert _hash(file) == expected
    monkeypatch.setattr(file_hashes, "_sha256", lambda file: pytest.fail("read again"))
    assert _hash(file) == expected
    link = file.with_name("link.safetensors")  # as a hub cache has them
    link.symlink_to(file)
    assert _hash(link) == expected


def test_other_bytes_are_read_again(file: Path) -> None:
    before = _hash(file)
    _write(file, b"other bytes")  # another size
    assert _hash(file) == hashlib.sha256(b"other bytes").hexdigest() != before
    file.write_bytes(b"OTHER BYTES")
    os.utime(file, (OLD[0], OLD[1] + 1))  # another time
    assert _hash(file) == hashlib.sha256(b"OTHER BYTES").hexdigest()


def test_a_small_file_or_a_new_one_is_not_kept(file: Path) -> None:
    os.utime(file)  # now: another write might leave the same time
    _hash(file)
    small = file.with_name("small")
    _write(small, b"abc")
    _hash(small)
    assert not index_file().exists()


def test_without_a_place_to_keep_it_the_hash_is_the_same(file: Path, tmp_path: Path) -> None:
    (tmp_path / "caches").write_text("a file where the folder would be")
    assert _hash(file) == hashlib.sha256(b"weights").hexdigest()


def test_a_damaged_index_is_made_anew(file: Path) -> None:
    index_file().parent.mkdir(parents=True)
    index_file().write_text("{")
    assert _hash(file) == hashlib.sha256(b"weights").hexdigest()
    assert hashlib.sha256(b"weights").hexdigest() in index_file().read_text()
