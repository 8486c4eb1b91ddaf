"""Each picture and text is encoded once per encoder, in this process and, by the cache, in the next."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from score_toys import ToyEncoder, save_picture

from engine.config.errors import ConfigError
from evaluation.encoders.embedder import Embedder
from evaluation.encoders.encoder import Vectors
from evaluation.encoders.file_hashes import FileHashes
from evaluation.encoders.pictures import Pixels
from evaluation.tools import Role, load_tools

PROJECT = Path(__file__).parents[2]

VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0)}


def make_pictures(folder: Path) -> list[Path]:
    return [save_picture(folder / f"{number}.png", number) for number in (10, 20, 30)]


def cached_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "embeddings").rglob("*") if path.is_file())


def test_vectors_come_in_the_order_asked_for(tmp_path: Path) -> None:
    ten, twenty, thirty = make_pictures(tmp_path)
    vectors = Embedder(ToyEncoder(VECTORS)).images([thirty, ten, twenty, ten])
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array([(0, 1), (1, 0), (0.6, 0.8), (1, 0)], dtype=np.float32))


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


def test_the_next_process_finds_texts_and_what_was_cut_in_the_cache(tmp_path: Path) -> None:
    long = " ".join(["word"] * 11)
    texts = {"a": (1.0, 0.0), long: (0.0, 1.0)}
    first = Embedder(ToyEncoder({}, texts), cache_dir=tmp_path).texts([long, "a"])
    toys = ToyEncoder({}, {})  # knows no text: anything that it were asked would fail
    embedder = Embedder(toys, cache_dir=tmp_path)
    np.testing.assert_array_equal(embedder.texts([long, "a"]), first)
    assert embedder.count_truncated() == 1
    assert toys.asked == []


def test_a_picture_and_a_text_of_the_same_bytes_are_two_entries(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "10.png", 10)
    text = picture.read_bytes().decode("latin-1")
    embedder = Embedder(ToyEncoder(VECTORS, {text: (0.0, 1.0)}), cache_dir=tmp_path)
    assert embedder.images([picture]).tolist() != embedder.texts([text]).tolist()


def test_no_pictures_have_no_vectors(tmp_path: Path) -> None:
    assert Embedder(ToyEncoder({})).images([]).shape == (0, 0)
    assert Embedder(ToyEncoder({})).texts([]).shape == (0, 0)


def test_a_picture_that_was_drawn_again_is_encoded_again(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "picture.png", 10)
    embedder = Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path)
    assert embedder.images([picture]).tolist() == [[1, 0]]
    save_picture(picture, 30, size=17)
    assert embedder.images([picture]).tolist() == [[0, 1]]


def test_unchanged_files_are_not_read_again_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = make_pictures(tmp_path)
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)  # files of less than 2 s are read each time
    first = Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path / "cache").images(pictures)
    opened: list[Path] = []
    read = Path.open

    def note(path: Path, mode: str = "r") -> object:
        opened.append(path)
        return read(path, mode)

    monkeypatch.setattr(Path, "open", note)  # read_bytes opens by it too
    second = Embedder(ToyEncoder({}), cache_dir=tmp_path / "cache").images(pictures)
    np.testing.assert_array_equal(second, first)
    assert {path.suffix for path in opened} == {".index", ".safetensors"}


def test_a_file_that_was_edited_after_its_hash_was_kept_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = save_picture(tmp_path / "picture.png", 10)
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)
    hashes = FileHashes(tmp_path / "cache")
    first = hashes.sha256(picture)
    hashes.save()
    stat = picture.stat()
    content = picture.read_bytes()
    picture.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(picture, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # size and date stay, not when it changed
    assert FileHashes(tmp_path / "cache").known(picture) is None
    assert FileHashes(tmp_path / "cache").sha256(picture) != first


def test_a_cache_that_cannot_be_written_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    embedder = Embedder(ToyEncoder(VECTORS), cache_dir=tmp_path, batch_size=1)
    assert embedder.images(make_pictures(tmp_path)).shape == (3, 2)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_second_scoring_loads_no_model_and_no_torch(tmp_path: Path, tiny_clip: Path) -> None:
    pictures = make_pictures(tmp_path)
    texts = ["a dog", "abcdefghij"]
    tools = load_tools(encoder=str(tiny_clip), preference=str(tiny_clip), cache_dir=tmp_path)
    tools.look(pictures)
    embedder = tools.embedder(Role.text_image)
    first = [
        float(embedder.images(pictures).sum()),
        float(embedder.texts(texts).sum()),
        embedder.logit_scale(),
    ]
    program = f"""
import json, sys
from pathlib import Path
from evaluation.tools import Role, load_tools
named = dict.fromkeys(["encoder", "preference"], {str(tiny_clip)!r})
tools = load_tools(**named, cache_dir=Path({str(tmp_path)!r}))
paths = [Path(path) for path in {[str(path) for path in pictures]!r}]
tools.look(paths)
embedder = tools.embedder(Role.text_image)
found = [float(embedder.images(paths).sum()), float(embedder.texts({texts!r}).sum()), embedder.logit_scale()]
facts = [tools.facts(path).dhash for path in paths]
heavy = [name for name in ("torch", "transformers", "diffusers") if name in sys.modules]
print(json.dumps([found, facts, tools.count_truncated(), heavy]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    facts = [tools.facts(path).dhash for path in pictures]
    assert json.loads(done.stdout) == [first, facts, 1, []]


def test_processes_that_share_a_cache_do_not_disturb_each_other(tmp_path: Path) -> None:
    numbers = list(range(1, 41))
    pictures = [save_picture(tmp_path / f"{number}.png", number) for number in numbers]
    vectors = {number: (float(number), 1.0) for number in numbers}
    with ThreadPoolExecutor(4) as pool:  # an embedder each, as processes have
        found = list(
            pool.map(
                lambda _: Embedder(ToyEncoder(vectors), cache_dir=tmp_path, batch_size=3).images(pictures),
                range(4),
            )
        )
    for each in found:
        assert each[:, 0].tolist() == numbers
    entries = list((tmp_path / "embeddings").glob("??/*"))
    assert len(entries) == 40
    assert all(entry.suffix == ".safetensors" for entry in entries)  # nothing half-written is left


def test_memory_holds_a_batch_and_what_lies_ready_not_all_pictures(tmp_path: Path) -> None:
    alive = 0
    most = 0
    lock = threading.Lock()

    class Counted(ToyEncoder):
        def prepare(self, picture: Image.Image) -> Pixels:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            return super().prepare(picture)

        def embed_prepared(self, prepared: Sequence[Pixels]) -> Vectors:
            nonlocal alive
            with lock:
                alive -= len(prepared)
            return super().embed_prepared(prepared)

    numbers = list(range(1, 121))
    pictures = [save_picture(tmp_path / f"{number}.png", number) for number in numbers]
    embedder = Embedder(Counted({number: (float(number), 1.0) for number in numbers}), batch_size=4)
    assert embedder.images(pictures)[:, 0].tolist() == numbers
    assert most <= 4 + 4 + 2 * 8 + 1  # a batch, as many ahead, and what the threads hold
