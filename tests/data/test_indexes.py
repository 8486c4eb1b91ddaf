"""Contents of files are known without reading them again, while nothing tells that they were edited."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from fingerprint_of import fingerprint_of
from picture_files import noise_picture, write_picture
from torch import Tensor

from engine.compose.planning import choose_buckets
from engine.config import ConfigError, DatasetConfig
from engine.data.encode import encode_dataset
from engine.data.encoded import EncodedDataset, Encoders, MeanAndStd, Storage
from engine.data.indexes import Indexes
from engine.data.scan import Scan, scan_folder


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates are trusted at once, and not only after the 2 seconds in which an edit may not show in them."""
    monkeypatch.setattr("engine.data.scan_index._YOUNG_NS", -(10**9))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_picture(tmp_path / f"photos/{name}.bmp", caption=name)
        write_picture(tmp_path / f"masks/{name}.bmp")
    return tmp_path / "photos"


class Gaussian:
    """Stands in for what a VAE gives."""

    def __init__(self, pixels: Tensor) -> None:
        self.mean = torch.nn.functional.avg_pool2d(pixels, 8)
        self.std = self.mean.abs()


def encode(pixels: Tensor) -> MeanAndStd:
    return Gaussian(pixels)


def embed(prompts: Sequence[str]) -> dict[str, Tensor]:
    return {"hidden": torch.zeros(len(prompts), 2, 2)}


ENCODERS = Encoders(
    encode_images=encode,
    encode_prompts=embed,
    vae_fingerprint="vae",
    text_fingerprint="text",
    vae_dtype=torch.float32,
    text_dtype=torch.float32,
)


def start(photos: Path) -> tuple[Scan, str, EncodedDataset]:
    """What each start of a run does with its pictures."""
    cache = photos.parent / "cache"
    config = DatasetConfig(path=str(photos), resolution=64, mask_dir=str(photos.parent / "masks"))
    scan = scan_folder(config, photos, Indexes(cache))
    assert scan.problems == []
    fingerprint = fingerprint_of(scan)
    data = encode_dataset(scan, choose_buckets(scan), encoders=ENCODERS, storage=Storage(cache_dir=cache))
    scan.indexes.save()
    return scan, fingerprint, data


def first_mask(data: EncodedDataset) -> Tensor:
    found = data.masks[0]
    assert found is not None
    return found


def test_a_second_start_reads_no_picture_and_no_mask(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, fingerprint, first = start(photos)
    assert first.num_encoded == 4  # two pictures, two captions
    for function in ("engine.data.encode.read_file", "engine.data.indexes._sha256"):
        monkeypatch.setattr(function, lambda file: pytest.fail(f"{file} is read"))
    read_nothing = lambda top, names, **rest: [pytest.fail(f"{name} is read") for name in names]  # noqa: E731
    monkeypatch.setattr("engine.data.headers.read_headers", read_nothing)
    _, again, second = start(photos)
    assert (again, second.num_encoded) == (fingerprint, 0)
    assert torch.equal(first_mask(first), first_mask(second))


@pytest.mark.parametrize("place", ["photos/a.bmp", "masks/a.bmp"])
def test_other_bytes_of_the_same_length_and_date_are_seen(photos: Path, place: str) -> None:
    file = photos.parent / place
    _, fingerprint, first = start(photos)
    stat = file.stat()
    noise_picture(64, 64, seed=99).save(file)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    scan, again, second = start(photos)
    assert again != fingerprint
    assert scan.content_of(scan.pictures[0]) == hashlib.sha256((photos / "a.bmp").read_bytes()).hexdigest()
    if place.startswith("photos"):
        assert (second.num_encoded, second.skipped) == (1, [])
    else:
        assert not torch.equal(first_mask(first), first_mask(second))


def test_a_picture_that_changes_after_its_content_was_taken_is_left_out_by_name(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scan, "content_of", lambda self, picture: "0" * 64)
    scan = scan_folder(DatasetConfig(path=str(photos), resolution=64), photos)
    with pytest.raises(ConfigError, match=r"a\.bmp \(changed since the folder was read\)"):
        encode_dataset(scan, choose_buckets(scan), encoders=ENCODERS, storage=Storage(cache_dir=None))


def rows(scan: Scan) -> list[tuple[str, int, int, str]]:
    return [(scan.name(one), one.width, one.height, one.caption) for one in scan.pictures]


def indexed(photos: Path, **options: bool) -> list[tuple[str, int, int, str]]:
    """What a scan finds that knows of the scans before it."""
    indexes = Indexes(photos.parent / "cache")
    scan = scan_folder(DatasetConfig(path=str(photos), **options), photos, indexes)  # type: ignore[arg-type]
    indexes.save()
    return rows(scan)


def test_captions_and_pictures_that_were_edited_in_place_are_read_again(photos: Path) -> None:
    assert indexed(photos) == [("a.bmp", 64, 64, "a"), ("b.bmp", 64, 64, "b")]
    (photos / "a.txt").write_text("A")  # as long as before
    noise_picture(50, 40).save(photos / "b.bmp")
    assert indexed(photos) == [("a.bmp", 64, 64, "A"), ("b.bmp", 50, 40, "b")]
    (photos / "a.txt").unlink()
    (photos / "a.caption").write_text("new")
    assert indexed(photos)[0] == ("a.bmp", 64, 64, "new")


def test_an_indexed_caption_has_all_its_lines_for_wildcards(photos: Path) -> None:
    (photos / "a.txt").write_text("one\n\ntwo\n")
    assert indexed(photos)[0][3] == "one"
    assert indexed(photos, enable_wildcard=True)[0][3] == "one\ntwo"


def test_a_cache_that_cannot_be_written_only_costs_time(photos: Path) -> None:
    (photos.parent / "cache").write_text("a file in its place")
    assert indexed(photos) == indexed(photos) == [("a.bmp", 64, 64, "a"), ("b.bmp", 64, 64, "b")]
