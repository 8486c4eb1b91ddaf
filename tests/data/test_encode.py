"""Encoding a folder: what is computed, what comes from the cache, and what is left out by name."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from picture_files import noise_picture, write_picture
from torch import Tensor

from engine.config import ConfigError, DatasetConfig
from engine.data.buckets import buckets_of, choose_bucket
from engine.data.encode import encode_dataset
from engine.data.encoded import EncodedDataset, Encoders, Latents, Storage
from engine.data.images import load_pixels, to_tensor
from engine.data.kept import MEMORY_BYTES
from engine.data.scan import scan_folder


@dataclass(kw_only=True)
class ToyLatents:
    mean: Tensor
    std: Tensor


@dataclass
class ToyModel:
    """Latents are means over 8 x 8 pixels, texts are their letters; what was asked for is written down."""

    batches: list[tuple[int, ...]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    def encode_images(self, pixels: Tensor) -> ToyLatents:
        self.batches.append(tuple(pixels.shape))
        mean = torch.nn.functional.avg_pool2d(pixels, 8)
        return ToyLatents(mean=mean, std=mean.abs() + 1)

    def encode_prompts(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        self.prompts += prompts
        rows = [torch.tensor([[ord(letter) * 1.0] for letter in text.ljust(8)]) for text in prompts]
        return {"hidden": torch.stack(rows), "ids": torch.tensor([[len(text)] for text in prompts])}


@dataclass
class Run:
    """A toy run on a folder, repeated with what changed."""

    tmp_path: Path
    model: ToyModel = field(default_factory=ToyModel)

    @property
    def photos(self) -> Path:
        return self.tmp_path / "photos"

    def __call__(  # noqa: PLR0913  (what tests vary)
        self,
        *,
        resolution: int = 64,
        vae: str = "vae",
        text_dtype: torch.dtype = torch.float32,
        batch_size: int = 1,
        mirrored: bool = False,
        kept: bool = True,
        on_disk: bool = True,
        memory_bytes: int = MEMORY_BYTES,
    ) -> EncodedDataset:
        self.model.batches.clear()
        self.model.prompts.clear()
        config = DatasetConfig(
            path="photos",
            resolution=resolution,
            min_bucket_reso=32,
            max_bucket_reso=128,
            bucket_reso_steps=32,
            flip_aug=mirrored,
        )
        scan = scan_folder(config, self.photos)
        assert scan.problems == []
        choices = [choose_bucket(p.width, p.height, buckets_of(config)) for p in scan.pictures]
        encoders = Encoders(
            encode_images=self.model.encode_images if kept else None,
            encode_prompts=self.model.encode_prompts if kept else None,
            vae_fingerprint=vae,
            text_fingerprint="text",
            vae_dtype=torch.float32,
            text_dtype=text_dtype,
        )
        storage = Storage(cache_dir=self.tmp_path / "cache" if on_disk else None, memory_bytes=memory_bytes)
        return encode_dataset(
            scan, choices, encoders=encoders, storage=storage, batch_size=batch_size, on_progress=self.see
        )

    def see(self, done: int, total: int) -> None:
        self.seen = (done, total)


def latents(data: EncodedDataset, index: int, *, mirrored: bool = False) -> Latents:
    found = data.latents_of(index, mirrored=mirrored)
    assert found is not None
    return found


def all_latents(data: EncodedDataset, *, mirrored: bool = False) -> list[Latents]:
    return [latents(data, index, mirrored=mirrored) for index in range(len(data.pictures))]


def text(data: EncodedDataset, index: int) -> Tensor:
    found = data.text_of(index)
    assert found is not None
    return found["hidden"]


def assert_equal(one: EncodedDataset, other: EncodedDataset) -> None:
    for index in range(len(one.pictures)):
        assert torch.equal(text(one, index), text(other, index))
        assert torch.equal(latents(one, index).mean, latents(other, index).mean)
        assert torch.equal(latents(one, index).std, latents(other, index).std)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    write_picture(run.photos / "a.png", (64, 64), caption="red")
    write_picture(run.photos / "b.png", (128, 32), caption="blue")
    write_picture(run.photos / "c.png", (64, 64), caption="red")
    return run


def test_latents_and_texts_are_those_of_each_picture(run: Run) -> None:
    data = run()
    assert [picture.path.name for picture in data.pictures] == ["a.png", "b.png", "c.png"]
    assert data.bucket_of == [(64, 64), (128, 32), (64, 64)]
    assert [tuple(one.mean.shape) for one in all_latents(data)] == [(3, 8, 8), (3, 4, 16), (3, 8, 8)]
    choice = choose_bucket(64, 64, buckets_of(DatasetConfig(resolution=64, min_bucket_reso=64)))
    pixels = to_tensor(load_pixels(data.pictures[0], choice))
    assert torch.equal(latents(data, 0).mean, torch.nn.functional.avg_pool2d(pixels[None], 8)[0])
    assert torch.equal(latents(data, 0).std, latents(data, 0).mean.abs() + 1)
    assert text(data, 0) is text(data, 2)
    assert text(data, 1)[:, 0].tolist() == [ord(letter) for letter in "blue    "]
    assert data.repeats == [1, 1, 1]
    assert (data.num_encoded, data.skipped, run.seen) == (5, [], (5, 5))
    assert run.model.prompts == ["blue", "red"]


def test_a_second_run_computes_nothing_and_gives_the_same(run: Run) -> None:
    first, second = run(), run()
    assert (second.num_encoded, run.model.batches, run.model.prompts) == (0, [], [])
    assert_equal(first, second)


def test_a_renamed_or_touched_picture_is_not_encoded_again(run: Run) -> None:
    run()
    (run.photos / "sub").mkdir()
    for ending in (".png", ".txt"):
        (run.photos / f"a{ending}").rename(run.photos / f"sub/z{ending}")
    os.utime(run.photos / "c.png", (1, 1))
    assert run().num_encoded == 0


def test_changed_bytes_encode_that_picture_again(run: Run) -> None:
    before = latents(run(), 0).mean
    noise_picture(64, 64, seed=99).save(run.photos / "a.png")
    after = run()
    assert (after.num_encoded, run.model.batches) == (1, [(1, 3, 64, 64)])
    assert not torch.equal(latents(after, 0).mean, before)


def test_a_changed_caption_encodes_that_caption_again(run: Run) -> None:
    run()
    (run.photos / "a.txt").write_text("green")
    assert (run().num_encoded, run.model.prompts) == (1, ["green"])


def test_another_vae_resolution_or_precision_encodes_again(run: Run) -> None:
    run()
    assert (run(vae="other").num_encoded, len(run.model.batches)) == (3, 3)
    assert run(resolution=96).num_encoded == 2  # b.png has a bucket of its own size at both
    assert run.model.batches == [(1, 3, 96, 96)] * 2
    assert (run(text_dtype=torch.bfloat16).num_encoded, run.model.batches) == (2, [])


def test_equal_pictures_are_encoded_once(run: Run) -> None:
    (run.photos / "a2.png").write_bytes((run.photos / "a.png").read_bytes())
    (run.photos / "a2.txt").write_text("red")
    assert run().num_encoded == 5


def test_batches_hold_one_bucket_and_no_more_than_asked_for(run: Run) -> None:
    for number in range(3):
        write_picture(run.photos / f"d{number}.png", (64, 64), caption="red")
    data = run(batch_size=2)
    assert sorted(run.model.batches) == [(1, 3, 32, 128), (1, 3, 64, 64), (2, 3, 64, 64), (2, 3, 64, 64)]
    assert latents(run(vae="again"), 4).mean.equal(latents(data, 4).mean)  # each found its own place again


def test_a_damaged_entry_is_computed_again_and_reported_once(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    before = run()
    for path in (run.tmp_path / "cache/latents").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-4])
    with caplog.at_level(logging.WARNING):
        after = run()
    assert after.num_encoded == 3
    assert torch.equal(latents(after, 1).mean, latents(before, 1).mean)
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("3 damaged cache entries were computed again: ")
    assert run().num_encoded == 0


def test_a_picture_that_fails_in_decoding_is_named_and_left_out(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    noise_picture(64, 64).save(run.photos / "bad.jpg")
    (run.photos / "bad.txt").write_text("red")
    whole = (run.photos / "bad.jpg").read_bytes()
    (run.photos / "bad.jpg").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        data = run()
    assert len(all_latents(data)) == len(data.captions) == len(data.bucket_of) == 3
    assert [picture.path.name for picture in data.pictures] == ["a.png", "b.png", "c.png"]
    assert len(data.skipped) == 1
    assert data.skipped[0].startswith("bad.jpg (damaged: ")
    assert caplog.records[0].getMessage().startswith("1 picture left out: bad.jpg (damaged: ")


def test_no_picture_left_is_an_error_that_names_them(run: Run) -> None:
    for name in ("a", "b", "c"):
        path = run.photos / f"{name}.png"
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        ConfigError, match=r"dataset.path=photos: no picture to train on can be decoded: a.png \(damaged"
    ):
        run()


def test_a_cache_that_cannot_be_written_is_named(run: Run) -> None:
    (run.tmp_path / "cache").write_text("a file in its place")
    with pytest.raises(ConfigError, match=r"cache_dir=.*cannot be written"):
        run()


def test_numbers_that_are_not_finite_stop_the_run_and_are_not_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(pixels: Tensor) -> ToyLatents:
        return ToyLatents(mean=pixels * float("nan"), std=pixels)

    monkeypatch.setattr(run.model, "encode_images", broken)
    with pytest.raises(FloatingPointError, match=r"a\.png: the encoder gives numbers that are not finite"):
        run()
    assert list((run.tmp_path / "cache").rglob("*.safetensors")) == []


def test_both_sides_of_a_picture_are_kept_and_the_first_is_not_encoded_again(run: Run) -> None:
    plain = run()
    both = run(mirrored=True)
    assert len(run.model.batches) == 3  # the mirrored sides
    assert run.seen == (8, 8)  # two sides of three pictures, two captions
    assert_equal(plain, both)
    for one, mirrored in zip(all_latents(both), all_latents(both, mirrored=True), strict=True):
        assert torch.allclose(one.mean.flip(-1), mirrored.mean, atol=1e-6)
        assert not torch.allclose(one.mean, mirrored.mean, atol=1e-3)
    run(mirrored=True)
    assert run.model.batches == []


def test_what_is_not_kept_is_not_encoded_but_damaged_pictures_are_still_named(run: Run) -> None:
    whole = (run.photos / "b.png").read_bytes()
    (run.photos / "b.png").write_bytes(whole[:-30])
    data = run(kept=False)
    assert run.model.batches == [] and run.model.prompts == []
    assert (data.latents_of(0), data.text_of(0)) == (None, None)
    assert [picture.path.name for picture in data.pictures] == ["a.png", "c.png"]
    assert len(data.skipped) == 1 and data.skipped[0].startswith("b.png (")


def test_in_memory_nothing_is_written_and_the_numbers_are_the_same(run: Run) -> None:
    alone = run(on_disk=False)
    assert not (run.tmp_path / "cache").exists()
    assert run(on_disk=False).num_encoded == 5  # nothing is left of it
    assert_equal(alone, run())


def test_what_does_not_fit_in_memory_is_read_from_the_disk(run: Run) -> None:
    run.model.encode_images(torch.zeros(1, 3, 64, 64))
    all_in_memory = run()
    assert (all_in_memory.latents.num_on_disk, all_in_memory.text.num_on_disk) == (0, 0)
    one_fits = run(memory_bytes=2 * 3 * 8 * 8 * 4)  # mean and std of one square picture
    assert one_fits.latents.num_on_disk == 2
    assert_equal(all_in_memory, one_fits)
    none_fits = run(memory_bytes=0)
    assert (none_fits.latents.num_on_disk, none_fits.text.num_on_disk) == (3, 2)
    assert_equal(all_in_memory, none_fits)


def test_an_entry_that_is_gone_from_the_disk_is_told_of(run: Run) -> None:
    data = run(memory_bytes=0)
    for path in (run.tmp_path / "cache").rglob("*.safetensors"):
        path.unlink()
    assert (data.latents_of(0), data.text_of(0)) == (None, None)
