"""The page in a real browser: headless Chromium, from the disk."""

import html
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from pages.run_page import read_run_folder, write_run_page
from tests.pages.page_toys import COLOURS, PROMPTS, TRUE_COLOUR, write_run_folder

pytestmark = pytest.mark.slow
NEAR = 6  # of 255: how far a colour may be from the one in the file


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found is not None, "No Chromium on this machine: install it (Debian: apt-get install chromium)."
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run_folder(tmp_path_factory.mktemp("browser") / "run")
    write_run_page(read_run_folder(folder), folder / "index.html")
    return folder / "index.html"


def test_the_browser_shows_the_text_and_keeps_the_markup_of_prompts_as_text(
    chromium: str, page: Path, tmp_path: Path
) -> None:
    done = _run(chromium, tmp_path, "--dump-dom", page.as_uri())
    assert "Refused to" not in done.stderr  # its words for what a content policy stops
    dom = html.unescape(re.sub(r"<[^>]+>", "", done.stdout))
    for words in (*PROMPTS, "better than the base", "20 of 20 steps", "Likeness to the concept"):
        assert words in dom, words


@pytest.mark.parametrize("width", [1400, 420])
def test_every_set_of_pictures_is_seen(chromium: str, page: Path, tmp_path: Path, width: int) -> None:
    shot = _shot(chromium, page, tmp_path, width=width)
    for name, colour in {**COLOURS, "true": TRUE_COLOUR}.items():
        seen = _count_near(shot, colour)
        assert seen > 40 * 40, f"{name}: {seen} pixels of its colour"
    assert _count_near(shot, COLOURS["base"]) > 4 * 60 * 60  # four pictures and the strip's


def test_nothing_is_wider_than_a_phone(chromium: str, page: Path, tmp_path: Path) -> None:
    shot = _shot(chromium, page, tmp_path, width=420)
    paper = shot.getpixel((0, 0))
    edge = [shot.getpixel((x, y)) for x in (shot.width - 1, shot.width - 4) for y in range(0, shot.height, 7)]
    assert Counter(edge)[paper] == len(edge), "something reaches the right edge"


def test_a_reader_of_the_dark_gets_a_dark_page(chromium: str, page: Path, tmp_path: Path) -> None:
    light = _shot(chromium, page, tmp_path, width=900)
    dark = _shot(chromium, page, tmp_path, "--blink-settings=preferredColorScheme=0", width=900)
    assert min(_rgb(light, (2, 2))) > 230 and max(_rgb(dark, (2, 2))) < 40


def _shot(chromium: str, page: Path, folder: Path, *flags: str, width: int) -> Image.Image:
    """The page as it is seen; narrow ones through a frame, since a window is at least 500 pixels wide."""
    target = folder / "shot.png"
    address = page.as_uri()
    if width < 500:
        frame = folder / "frame.html"
        frame.write_text(
            f'<body style="margin:0"><iframe src="{address}" '
            f'style="border:0;width:{width}px;height:4000px"></iframe>'
        )
        address = frame.as_uri()
    size = f"--window-size={max(width, 500)},4000"
    _run(chromium, folder, *flags, "--hide-scrollbars", size, f"--screenshot={target}", address)
    return Image.open(target).convert("RGB").crop((0, 0, width, 4000))


def _run(chromium: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    common = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    return subprocess.run(
        [chromium, *common, *arguments], capture_output=True, text=True, timeout=120, check=True
    )


def _rgb(picture: Image.Image, place: tuple[int, int]) -> tuple[int, int, int]:
    red, green, blue = picture.getpixel(place)  # type: ignore[misc]
    return red, green, blue


def _count_near(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    colours = picture.getcolors(maxcolors=picture.width * picture.height) or []
    return sum(
        count
        for count, pixel in colours
        if all(abs(part - wanted) <= NEAR for part, wanted in zip(pixel, colour, strict=True))  # type: ignore[arg-type]
    )
