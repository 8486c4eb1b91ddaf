"""The page in a real browser: headless Chromium, from the disk."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from engine.config.outcome import Outcome
from pages.run_page import read_run_folder, write_run_page
from tests.pages.page_toys import COLOURS, PROMPTS, TRUE_COLOUR, write_run_folder, write_samples

pytestmark = pytest.mark.slow
LONG = "unbroken" * 40
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
    done = _run(chromium, tmp_path, "--enable-logging=stderr", "--dump-dom", page.as_uri())
    assert "CONSOLE" not in done.stderr, done.stderr  # where it says what a content policy stopped
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


def test_a_style_sheet_of_another_hash_is_stopped_and_told(chromium: str, page: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(page.read_text().replace("--paper: #faf9f6", "--paper: #ff0000"))
    done = _run(chromium, tmp_path, "--enable-logging=stderr", "--dump-dom", changed.as_uri())
    assert "CONSOLE" in done.stderr and "Content Security Policy" in done.stderr


@pytest.mark.parametrize("width", [320, 420, 900, 1400])
def test_nothing_is_wider_than_the_window_or_runs_out_of_its_box(
    chromium: str, page: Path, tmp_path: Path, width: int
) -> None:
    assert _measure(chromium, page, tmp_path, width=width) == [width, width]


@pytest.mark.parametrize("width", [320, 900])
def test_words_without_spaces_and_long_numbers_are_broken_instead_of_cut(
    chromium: str, tmp_path: Path, width: int
) -> None:
    folder = write_run_folder(tmp_path / "run", outcome=Outcome.failed, cause=LONG)
    write_samples(folder, prompts=[LONG, "a " * 500])
    page = read_run_folder(folder)
    page.title = page.scores[0].title = page.scores[0].scale = page.scores[0].remark = page.config = LONG
    page.scores[0].base = page.scores[0].final = -1234567.25
    page.facts = [(LONG, LONG)]
    page.problems = [LONG]
    write_run_page(page, folder / "index.html")
    assert _measure(chromium, folder / "index.html", tmp_path, width=width) == [width, width]


def test_a_reader_of_the_dark_gets_a_dark_page(chromium: str, page: Path, tmp_path: Path) -> None:
    light = _shot(chromium, page, tmp_path, width=900)
    dark = _shot(chromium, page, tmp_path, "--blink-settings=preferredColorScheme=0", width=900)
    assert min(_rgb(light, (2, 2))) > 230 and max(_rgb(dark, (2, 2))) < 40


def _measure(chromium: str, page: Path, folder: Path, *, width: int) -> list[object]:
    """How wide the page is, its window, and then each element whose content is wider than itself.

    A script of the page around it does that, since the page allows none. What scrolls by itself is left out.
    """
    outer = folder / "outer.html"
    outer.write_text(
        f"""<iframe style="border:0;width:{width}px;height:900px"></iframe><script>
        const frame = document.querySelector("iframe");
        frame.onload = () => {{
          const root = frame.contentDocument.documentElement;
          const cut = [...root.querySelectorAll("body *")]
            .filter(e => !e.closest(".scroll, .frames, pre, svg") && e.clientWidth)
            .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + "." + e.className);
          document.title = JSON.stringify([root.scrollWidth, root.clientWidth, ...cut]);
        }};
        frame.src = "{page.as_uri()}";
        </script>"""
    )
    flags = ["--allow-file-access-from-files", "--hide-scrollbars", "--window-size=1600,1000"]
    done = _run(chromium, folder, *flags, "--dump-dom", outer.as_uri())
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None, "the page was not measured"
    measured: list[object] = json.loads(html.unescape(title[1]))
    return measured


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
