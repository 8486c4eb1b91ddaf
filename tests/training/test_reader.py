"""Batches that are read ahead: the same whoever reads them, in the same places after a stop."""

import multiprocessing
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from engine.config.outcome import Outcome
from engine.models.checkpoint import load_family
from engine.training.clock import Clock
from engine.training.feed import Feed
from engine.training.loop import StepReport
from engine.training.parts import load_pictures
from engine.training.reader import ReadBatch, read_ahead
from engine.training.watch import Watch
from tests.training.option_desk import read_tensors, write_masks_and_faces, write_photos
from tests.training.toy_runs import small_run, train_small

VARYING = (
    "dataset.cache_latents=false",
    "dataset.cache_text_embeddings=false",
    "dataset.shuffle_caption=true",
    "dataset.random_crop=true",
    "dataset.color_aug=true",
    "dataset.flip_aug=true",
    "sampling.num_prompts=0",
    "training.steps=6",
    "training.gradient_accumulation=2",
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_photos(tmp_path)
    write_masks_and_faces(tmp_path)
    return tmp_path / "photos"


def feed_of(folder: Path, *options: str) -> Feed:
    run, plan = small_run(folder, *options)
    family = load_family(run.model, device=torch.device("cpu"), dtype=torch.float32)
    return load_pictures(run, plan, family, clock=Clock(), console=Console(quiet=True)).feed


def assert_same(one: ReadBatch, other: ReadBatch) -> None:
    assert (one.micro_step, one.step, one.pictures, one.samples) == (
        other.micro_step,
        other.step,
        other.pictures,
        other.samples,
    )
    assert one.captions == other.captions
    for name in ("weights", "sizes", "mask", "mean", "std", "levels"):
        first, second = getattr(one, name), getattr(other, name)
        assert type(first) is type(second), name
        assert not isinstance(first, Tensor) or torch.equal(first, second), name
    assert (one.text is None) == (other.text is None)
    assert one.text is None or torch.equal(one.text["hidden"], other.text["hidden"])


@pytest.mark.parametrize(
    "options", [VARYING, (*VARYING[4:], "dataset.alpha_mask=true")], ids=["varying", "kept"]
)
def test_workers_read_what_the_run_would_read(photos: Path, options: tuple[str, ...]) -> None:
    pictures = photos if "dataset.alpha_mask=true" not in options else photos.parent / "clear"
    kept = () if "dataset.color_aug=true" in options[:5] else ("dataset.color_aug=false",)
    reader = feed_of(photos.parent, *options, *kept, f"dataset.path={pictures}").reader
    alone = list(read_ahead(reader, range(len(reader)), workers=0))
    ahead = list(read_ahead(reader, range(len(reader)), workers=2))
    assert len(alone) == len(ahead) == 12
    for one, other in zip(alone, ahead, strict=True):
        assert_same(one, other)
    assert_same(next(read_ahead(reader, range(7, 12), workers=0)), alone[7])


def test_pictures_of_a_step_keep_their_places_over_its_batches(photos: Path) -> None:
    reader = feed_of(photos.parent, *VARYING, f"dataset.path={photos}").reader
    for first in range(0, 12, 2):
        one, other = reader[first], reader[first + 1]
        assert one.step == other.step == first // 2
        assert list(one.samples) == list(range(len(one.pictures)))
        assert other.samples.start == len(one.pictures)


def test_a_run_with_workers_learns_the_same_bytes(photos: Path) -> None:
    options = (*VARYING, f"dataset.path={photos}")
    alone = train_small(photos.parent / "alone", *options, "training.workers=0")
    ahead = train_small(photos.parent / "ahead", *options, "training.workers=2")
    assert alone.weights is not None and ahead.weights is not None
    assert read_tensors(alone.weights) == read_tensors(ahead.weights)
    assert alone.run_id == ahead.run_id


def test_ctrl_c_in_a_terminal_does_not_stop_the_workers(photos: Path) -> None:
    # A terminal sends it to every process: the workers go on until the run itself ends.
    reader = feed_of(photos.parent, *VARYING, f"dataset.path={photos}").reader
    batches = read_ahead(reader, range(12), workers=1)
    first = next(batches)
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGINT)
    assert [first.micro_step, *(batch.micro_step for batch in batches)] == list(range(12))


def test_latents_that_the_cache_loses_on_the_way_are_encoded_again(photos: Path) -> None:
    options = (
        "sampling.num_prompts=0",
        f"dataset.path={photos}",
        "dataset.flip_aug=true",
        "training.steps=6",
    )
    feed = feed_of(photos.parent, *options)
    whole = [fed.batch for fed in feed.batches(0, 6)]
    for kept in (feed.reader.data.latents, feed.reader.data.text):
        kept._entries.clear()  # as if they had not fitted in memory
    from_disk = [fed.batch for fed in feed.batches(0, 6)]
    shutil.rmtree(photos.parent / "cache")
    again = [fed.batch for fed in feed.batches(0, 6)]
    for one, other, third in zip(whole, from_disk, again, strict=True):
        assert torch.equal(one.mean, other.mean)
        assert torch.equal(one.text["hidden"], other.text["hidden"])
        assert torch.equal(one.mean, third.mean) and torch.equal(one.std, third.std)
        assert torch.allclose(one.text["hidden"], third.text["hidden"], atol=1e-5)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_goes_during_a_run_ends_it_by_name_and_nothing_is_lost(
    photos: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    options = (
        *VARYING,
        f"dataset.path={photos}",
        "training.checkpoint_every=0",
        f"training.workers={workers}",
    )
    whole = train_small(photos.parent / "whole", *options)
    step_of, on_step = 2, Watch.on_step

    def removing(self: Watch, report: StepReport) -> bool:
        if report.step == step_of:
            for picture in photos.glob("*.png"):
                picture.rename(picture.with_suffix(".away"))
        return on_step(self, report)

    monkeypatch.setattr(Watch, "on_step", removing)
    stopped = train_small(photos.parent / "stopped", *options)
    assert stopped.outcome is Outcome.failed and stopped.steps_done >= 2
    assert stopped.cause is not None
    assert re.fullmatch(
        r".*/photos/\d\.png: No such file or directory\. Put it back as it was\.", stopped.cause
    )
    step_of = 0
    for picture in photos.glob("*.away"):
        picture.rename(picture.with_suffix(".png"))
    again = train_small(photos.parent / "stopped", *options)
    assert again.outcome is Outcome.completed
    assert whole.weights is not None and again.weights is not None
    assert read_tensors(whole.weights) == read_tensors(again.weights)
