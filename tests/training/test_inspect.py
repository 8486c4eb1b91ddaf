"""inspect=N: the page shows what the steps are fed, and nothing is trained."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from engine.training import loop
from engine.training.inspect_batches import inspect_batches
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
    plain = loop.Feed.load

    def noting(self: loop.Feed, pictures: list[int], **where: object) -> object:
        names = [str(self.data.pictures[index].path) for index in pictures]
        batch = plain(self, pictures, **where)  # type: ignore[arg-type]
        fed.append((names, self.captions(pictures, **where), self.family.decode_latents(batch.mean)))  # type: ignore[arg-type]
        return batch

    monkeypatch.setattr(loop.Feed, "load", noting)
    train_small(tmp_path, *options)
    assert len(fed) == len(shown) == 4
    for batch, (names, captions, pixels) in zip(shown, fed, strict=True):
        assert [row["source"] for row in batch["pictures"]] == names
        assert [row["caption"] for row in batch["pictures"]] == captions
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
