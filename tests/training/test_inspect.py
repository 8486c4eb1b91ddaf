"""inspect=N: the page shows what the steps are fed, and nothing is trained."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from engine.models.family import ModelFamily
from engine.models.sd1 import StableDiffusion1
from engine.training import loop
from engine.training.inspect_batches import inspect_batches
from engine.training.step import Batch
from pages.inspect_page import write_inspect_page
from tests.pages.page_toys import Page
from tests.training.toy_runs import small_run, train_small

VARYING = ("dataset.cache_text_embeddings=false", "dataset.shuffle_caption=true", "sampling.num_prompts=0")


def test_batches_are_shown_as_the_steps_are_fed_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = (*VARYING, "training.steps=2", "training.gradient_accumulation=2", "dataset.flip_aug=true")
    run, plan = small_run(tmp_path, *options, "inspect=4")
    folder = inspect_batches(run, plan, console=Console(quiet=True))
    shown = json.loads((folder / "batches.json").read_text())["batches"]
    assert [batch["step"] for batch in shown] == [1, 1, 2, 2]
    assert not list(plan.folder.glob("*.safetensors")) and not (plan.folder / "result.json").exists()

    fed = []
    plain = loop.training_losses

    def noting(family: ModelFamily, batch: Batch, *rest: object) -> object:
        fed.append((batch.weights, family.decode_latents(batch.mean)))
        return plain(family, batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "training_losses", noting)
    asked = []
    encode = StableDiffusion1.encode_prompts
    monkeypatch.setattr(
        StableDiffusion1,
        "encode_prompts",
        lambda self, prompts: (asked.append(list(prompts)), encode(self, prompts))[1],
    )
    train_small(tmp_path, *options)
    assert len(fed) == len(shown) == 4
    assert [[row["caption"] for row in batch["pictures"]] for batch in shown] == asked[1:]  # [0]: validation
    for batch, (weights, pixels) in zip(shown, fed, strict=True):
        assert [row["weight"] for row in batch["pictures"]] == weights.tolist()
        for row, picture in zip(batch["pictures"], pixels, strict=True):
            image = np.asarray(Image.open(folder / row["file"])).astype(np.float32) / 255
            assert np.abs(image - picture.permute(1, 2, 0).numpy()).max() <= 1 / 255
    texts = [row["caption"] for batch in shown for row in batch["pictures"]]
    originals = {picture.caption for picture in plan.scan.pictures}
    assert any(text not in originals for text in texts)  # tags were shuffled


def test_the_page_shows_every_picture_with_its_words_as_text(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(photos / "a.png")
    Image.new("RGB", (96, 48), (30, 30, 200)).save(photos / "b.png")
    (photos / "a.txt").write_text("<script>alert(1)</script>")
    (photos / "b.txt").write_text("a blue wall")
    run, plan = small_run(tmp_path, f"dataset.path={photos}", "inspect=3", "sampling.num_prompts=0")
    page_file = write_inspect_page(inspect_batches(run, plan, console=Console(quiet=True)))
    assert page_file == plan.folder / "inspect.html"
    page = Page(page_file.read_text())
    assert "<script>alert(1)</script>" in page.text and "script" not in page.tags
    assert "a blue wall" in page.text and "a.png" in page.text
    assert "bucket 64 x 64" in page.text and "The first 3 batches" in page.text
    assert len(page.pictures()) == 3


def test_masks_are_shown_beside_the_pictures_that_they_mirror_with(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    picture = Image.new("RGBA", (64, 64), (200, 30, 30, 255))
    picture.paste((0, 0, 200, 0), (0, 0, 32, 64))  # the left half is transparent
    picture.save(photos / "a.png")
    Image.new("RGB", (64, 64), (30, 200, 30)).save(photos / "b.png")
    options = ("dataset.class_tokens=a wall", "dataset.alpha_mask=true", "dataset.flip_aug=true")
    run, plan = small_run(tmp_path, f"dataset.path={photos}", *options, "inspect=6", "sampling.num_prompts=0")
    folder = inspect_batches(run, plan, console=Console(quiet=True))
    rows = [
        row
        for batch in json.loads((folder / "batches.json").read_text())["batches"]
        for row in batch["pictures"]
    ]
    sides = set()
    for row in rows:
        assert (row["mask"] is None) == row["source"].endswith("b.png")
        if row["mask"] is not None:
            mask, seen = (np.asarray(Image.open(folder / row[key])).astype(int) for key in ("mask", "file"))
            left_counts = mask[:, 0].mean() > 200
            assert mask.shape == seen.shape[:2]
            red_left = seen[:, :16, 0].mean() - seen[:, :16, 2].mean() > 0
            assert left_counts == red_left  # what is opaque and red counts, on whichever side it is
            sides.add(bool(left_counts))
    assert sides == {True, False}
