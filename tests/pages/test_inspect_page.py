"""The page of inspect=N, from a folder as inspect_batches leaves it."""

from dataclasses import asdict
from pathlib import Path

from PIL import Image

from engine.data.json_file import write_json
from engine.training.inspect_batches import SCHEMA, FedBatch, FedPicture
from pages.inspect_page import write_inspect_page
from tests.pages.page_toys import Page

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_each_batch_is_shown_with_its_pictures_captions_and_sources(tmp_path: Path) -> None:
    page = _page(tmp_path, captions=["a sks thing", ""])
    text = " ".join(page.text.split())
    for words in (
        "The first batch as it is fed",
        "Batch 1",
        "step 7, bucket 64 x 32",
        "a sks thing; photo.png",
    ):
        assert words in text, words
    assert "(empty caption); photo.png; regularisation, weight 0.5" in text
    assert "Left out: broken.png" in text
    assert len(page.pictures()) == 2 and page.pictures()[0].startswith("data:image/png;base64,")
    assert text.count("its mask: the loss counts where it is white") == 1  # of the first picture
    assert "missing" in text  # the second picture is not there


def test_captions_names_and_titles_with_markup_stay_text(tmp_path: Path) -> None:
    page = _page(tmp_path / EVIL.replace("/", ""), captions=[EVIL, EVIL], skipped=EVIL)
    assert "script" not in page.tags and page.tags.count("img") == 2
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(EVIL) == 3


def _page(run: Path, *, captions: list[str], skipped: str = "broken.png") -> Page:
    folder = run / "inspect"
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 32), (9, 99, 199)).save(folder / "0.png")
    rows = [
        FedPicture(
            file=f"{number}.png",
            caption=caption,
            source="/a/photo.png",
            mask=None if number else "0.png",
            is_reg=bool(number),
            weight=0.5,
        )
        for number, caption in enumerate(captions)
    ]
    batch = FedBatch(step=7, width=64, height=32, pictures=rows)
    write_json(folder / "batches.json", {"schema": SCHEMA, "skipped": [skipped], "batches": [asdict(batch)]})
    return Page(write_inspect_page(folder).read_text(encoding="utf-8"))
