"""Each picture is encoded once per encoder, in this process and, by the cache, in the next."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from score_toys import ToyEncoder, save_picture

from engine.config.errors import ConfigError
from evaluation.embedder import Embedder

VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0)}


def make_pictures(folder: Path) -> list[Path]:
    return [save_picture(folder / f"{number}.png", number) for number in (10, 20, 30)]


def cached_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "embeddings").rglob("*") if path.is_file())


def test_vectors_come_in_the_order_asked_for(tmp_path: Path) -> None:
    ten, twenty, thirty = make_pictures(tmp_path)
    vectors = Embedder(ToyEncoder(VECTORS)).images([thirty, ten, twenty, ten])
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.float32([(0, 1), (1, 0), (0.6, 0.8), (1, 0)]))


def test_a_picture_is_encoded_once_and_so_is_its_copy(tmp_path: Path) -> None:
    pictures = [*make_pictures(tmp_path), save_picture(tmp_path / "copy.png", 10)]
    toys = ToyEncoder(VECTORS)
    embedder = Embedder(toys)
    embedder.images(pictures)
    embedder.images(pictures[::-1])
    assert toys.batches == [3]


def test_pictures_are_encoded_in_batches(tmp_path: Path) -> None:
    toys = ToyEncoder(VECTORS)
    Embedder(toys, batch_size=2).images(make_pictures(tmp_path))
    assert toys.batches == [2, 1]


def test_a_text_is_encoded_once() -> None:
    toys = ToyEncoder({}, {"a": (1, 0), "b": (0, 1)})
    embedder = Embedder(toys)
    np.testing.assert_array_equal(embedder.texts(["b", "a", "b"]), [(0, 1), (1, 0), (0, 1)])
    embedder.texts(["a"])
    assert toys.asked == ["b", "a"]


def test_texts_that_are_too_long_are_counted_once_each() -> None:
    long = " ".join(["word"] * 11)
    embedder = Embedder(ToyEncoder({}, {"a": (1, 0), long: (0, 1)}))
    embedder.texts(["a", long, long])
    assert embedder.count_truncated() == 1


def test_the_next_process_finds_the_vectors_in_the_cache(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path)
    first = Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path).images(pictures)
    assert len(cached_files(tmp_path)) == 3
    toys = ToyEncoder({})  # knows no picture: anything that it were asked would fail
    np.testing.assert_array_equal(Embedder(toys, cache_dir=tmp_path).images(pictures), first)
    assert toys.batches == []


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "one bit", "other file"])
def test_a_damaged_entry_of_the_cache_is_computed_again(tmp_path: Path, damage: str) -> None:
    pictures = make_pictures(tmp_path)[:1]
    first = Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path).images(pictures)
    (entry,) = cached_files(tmp_path)
    content = bytearray(entry.read_bytes())
    content[-1] ^= 1
    flipped = bytes(content)
    damaged = {"cut": flipped[:-8], "empty": b"", "zeros": bytes(len(flipped)), "one bit": flipped}
    entry.write_bytes(damaged.get(damage, b"{}"))
    toys = ToyEncoder(VECTORS)
    np.testing.assert_array_equal(Embedder(toys, cache_dir=tmp_path).images(pictures), first)
    assert toys.batches == [1]
    again = ToyEncoder({})
    np.testing.assert_array_equal(Embedder(again, cache_dir=tmp_path).images(pictures), first)


@pytest.mark.parametrize("change", ["picture", "encoder", "preprocessing"])
def test_what_changed_is_never_served_from_the_cache(tmp_path: Path, change: str) -> None:
    picture = save_picture(tmp_path / "picture.png", 10)
    Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path).images([picture])
    toys = ToyEncoder(VECTORS if change == "picture" else {10: (0.0, 1.0)})
    if change == "picture":
        save_picture(picture, 30)
    elif change == "encoder":
        toys.fingerprint = "e" * 64
    else:
        toys.preprocessing = "other"
    np.testing.assert_array_equal(Embedder(toys, cache_dir=tmp_path).images([picture]), [(0, 1)])


def test_a_renamed_picture_is_still_known(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "picture.png", 10)
    Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path).images([picture])
    moved = picture.rename(tmp_path / "moved.png")
    np.testing.assert_array_equal(Embedder(ToyEncoder({}), cache_dir=tmp_path).images([moved]), [(1, 0)])


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"broken\.png: cannot be read as a picture"):
        Embedder(ToyEncoder(VECTORS)).images([tmp_path / "broken.png"])


def test_a_picture_too_large_for_the_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ConfigError, match=r"10\.png: cannot be read as a picture .*decompression bomb"):
        Embedder(ToyEncoder(VECTORS)).images(make_pictures(tmp_path)[:1])


def test_an_encoder_that_gives_no_numbers_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    (picture, *_) = make_pictures(tmp_path)
    broken = ToyEncoder({10: (float("nan"), 0.0)}, {"a": (float("inf"), 0.0)})
    with pytest.raises(ConfigError, match=r"evaluation\.encoder=toy: gives what is not a number"):
        Embedder(broken, cache_dir=tmp_path).images([picture])
    with pytest.raises(ConfigError, match="not a number"):
        Embedder(broken, cache_dir=tmp_path).texts(["a"])
    assert cached_files(tmp_path) == []
