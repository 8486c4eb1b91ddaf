"""The cache: what a key depends on, and what a damaged or half-written entry does."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import Interpolation, SubsetConfig
from engine.data.buckets import BucketChoice, Buckets, choose_bucket
from engine.data.cache import ContentCache, latent_key, mask_key, text_key

KEY = "ab" + "0" * 62
CHOICE = choose_bucket(64, 64, Buckets(sizes=((64, 64),), max_area=4096, step=64))


def test_an_entry_comes_back_as_it_was_put(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "latents")
    assert cache.get(KEY) is None
    mean = torch.randn(4, 8, 8).transpose(1, 2)
    cache.put(KEY, {"mean": mean, "std": torch.ones(1)})
    entry = cache.get(KEY)
    assert entry is not None and set(entry) == {"mean", "std"}
    assert torch.equal(entry["mean"], mean)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")] == [
        f"latents/ab/{KEY}.safetensors"
    ]


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "one bit", "other file", "folder"])
def test_a_damaged_entry_is_not_served(tmp_path: Path, damage: str) -> None:
    cache = ContentCache(tmp_path)
    cache.put(KEY, {"mean": torch.randn(16)})
    path = cache.path_of(KEY)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-8])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "zeros":
        path.write_bytes(bytes(len(content)))
    elif damage == "one bit":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "other file":
        path.write_text("{}")
    else:
        path.unlink()
        path.mkdir()
    assert cache.get(KEY) is None
    assert cache.damaged == [path]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        ContentCache(tmp_path).put(KEY, {"mean": torch.ones(4)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_writers_of_one_entry_do_not_disturb_a_reader(tmp_path: Path) -> None:
    cache, tensors = ContentCache(tmp_path), {"mean": torch.randn(5000)}
    cache.put(KEY, tensors)

    def write() -> None:
        for _ in range(50):
            ContentCache(tmp_path).put(KEY, tensors)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert cache.get(KEY) is not None
    assert cache.damaged == []
    assert len(list(tmp_path.rglob("*"))) == 2  # the folder ab and the entry


def test_a_latents_key_follows_everything_that_changes_them() -> None:
    def key(
        content: str = "c", vae: str = "v", dtype: torch.dtype = torch.float32, *, flipped: bool = False
    ) -> str:
        config = SubsetConfig()
        return latent_key(content, CHOICE, config=config, vae_fingerprint=vae, dtype=dtype, flipped=flipped)

    def way_key(choice: BucketChoice, **options: Any) -> str:
        config = SubsetConfig(**options)
        return latent_key("c", choice, config=config, vae_fingerprint="v", dtype=torch.float32)

    wider = choose_bucket(100, 64, Buckets(sizes=((64, 64),), max_area=4096, step=64))  # same bucket
    larger = choose_bucket(64, 64, Buckets(sizes=((128, 128),), max_area=16384, step=64))
    keys = [key(), key("d"), key(vae="w"), key(dtype=torch.bfloat16), key(flipped=True)]
    keys += [way_key(wider), way_key(larger), way_key(CHOICE, alpha_mask=True)]
    keys += [way_key(CHOICE, resize_interpolation=how) for how in Interpolation]
    assert len(set(keys)) == 8 + len(Interpolation)
    assert way_key(CHOICE) == way_key(CHOICE, caption_prefix="photo of", num_repeats=3) == key()
    assert key() == key()
    assert len(key()) == 64


def test_a_captions_key_follows_everything_that_changes_its_embeddings() -> None:
    def key(
        caption: str = "a", encoder: str = "e", clip_skip: int = 1, length: int = 77, *, half: bool = False
    ) -> str:
        dtype = torch.float16 if half else torch.float32
        return text_key(
            caption, text_fingerprint=encoder, clip_skip=clip_skip, token_length=length, dtype=dtype
        )

    assert len({key(), key("b"), key(encoder="f"), key(clip_skip=2), key(length=150), key(half=True)}) == 6


def test_a_masks_key_follows_everything_that_changes_it() -> None:
    larger = choose_bucket(64, 64, Buckets(sizes=((128, 128),), max_area=16384, step=64))
    plain, box = SubsetConfig(), SubsetConfig(resize_interpolation=Interpolation.box)
    keys = {
        mask_key("c", CHOICE, config=plain, factor=8),
        mask_key("d", CHOICE, config=plain, factor=8),
        mask_key("c", larger, config=plain, factor=8),
        mask_key("c", CHOICE, config=box, factor=8),
        mask_key("c", CHOICE, config=plain, factor=4),
    }
    assert len(keys) == 5
