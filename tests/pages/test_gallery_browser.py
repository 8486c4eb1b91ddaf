"""The gallery in a real browser, and what holds of all pages: text stays text, widths, contrast, keyboard."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.pages.gallery_toys import (
    BROKEN,
    COLOUR_OF_MIDDLE,
    EVIL,
    LIKENESS,
    PROMPTS,
    SEEDS,
    colour,
    score,
)

pytestmark = pytest.mark.slow
KINDS = ["gallery", "compare", "report"]
BY_SCORE = sorted(
    ((prompt, seed) for prompt in range(4) for seed in SEEDS if (prompt, seed) != BROKEN),
    key=lambda place: score(*place),
    reverse=True,
)
Opener = Callable[..., Page]


def test_the_order_of_the_cells_is_that_of_the_values(opened: Opener) -> None:
    page = opened("gallery")
    assert _places(page) == [(prompt, seed) for prompt in range(4) for seed in SEEDS]
    page.select_option("#order", "best")
    assert _places(page) == [*BY_SCORE, BROKEN]
    page.select_option("#order", "worst")
    assert _places(page) == [*reversed(BY_SCORE), BROKEN]
    shown = page.locator(".shot.result .value").all_inner_texts()
    assert shown == [f"{score(*place):.3f}" for place in reversed(BY_SCORE)] + [""]
    page.select_option("#metric", "memorisation")  # lower is better: the one copy is the worst
    assert _places(page)[0] == (1, 3)
    page.select_option("#order", "prompt")
    assert _places(page) == [(prompt, seed) for prompt in range(4) for seed in SEEDS]
    assert page.locator("#flat .shot").count() == 0


def test_filters_show_the_broken_ones_a_kind_or_a_type(opened: Opener) -> None:
    page = opened("gallery")
    page.select_option("#show", "broken")
    assert _places(page) == [BROKEN]
    expect(page.locator("#count")).to_have_text("1 of 12 pictures")
    page.select_option("#show", "type:style")
    assert {prompt for prompt, _ in _places(page)} == {2, 3}
    page.select_option("#show", "kind:plain")
    page.select_option("#order", "best")
    assert {prompt for prompt, _ in _places(page)} == {3}
    page.select_option("#show", "all")
    expect(page.locator("#count")).to_have_text("12 pictures")


def test_zoom_shows_the_picture_its_facts_and_the_next_one(opened: Opener) -> None:
    page = opened("gallery")
    page.locator(".shot.result .open").nth(1).click()
    _expect_zoom(page, (0, 2))
    expect(page.locator("#zoom-place")).to_have_text("2 of 12")
    page.keyboard.press("ArrowRight")
    _expect_zoom(page, (0, 3))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    _expect_zoom(page, (0, 1))
    assert EVIL in page.inner_text("#zoom-file")
    page.keyboard.press("ArrowLeft")
    _expect_zoom(page, (3, 3))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#zoom-fault")).to_have_text("black")
    assert page.locator("#zoom tr:visible").count() == 0
    page.keyboard.press("Escape")
    expect(page.locator("#zoom")).not_to_be_visible()
    assert page.evaluate("document.activeElement.closest('.shot').dataset.file") == "final/p03_s2.png"


def test_zoom_goes_on_in_the_order_that_is_shown(opened: Opener) -> None:
    page = opened("gallery")
    page.select_option("#order", "best")
    page.locator("#flat .open").first.click()
    for place in BY_SCORE[:4]:
        _expect_zoom(page, place)
        page.click("#zoom-on")
    page.click("#zoom-close")
    expect(page.locator("#zoom")).not_to_be_visible()


def test_zoom_shows_a_larger_version_than_the_thumbnail(opened: Opener) -> None:
    page = opened("large")
    first = page.locator(".shot.result img").first
    assert first.evaluate("image => image.naturalWidth") == 256
    page.locator(".shot.result .open").first.click()
    assert (
        page.locator("#zoom-picture").evaluate("image => image.decode().then(() => image.naturalWidth)")
        == 640
    )
    assert _is_near(page.locator("#zoom-picture").evaluate(COLOUR_OF_MIDDLE), colour(0, 1))


def test_the_keyboard_is_enough(opened: Opener) -> None:
    page = opened("gallery")
    page.focus("#order")
    page.keyboard.press("ArrowDown")  # best first
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "open"
    width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert width == "2px"  # the focus is seen
    page.keyboard.press("Enter")
    _expect_zoom(page, BY_SCORE[0])
    page.keyboard.press("ArrowRight")
    _expect_zoom(page, BY_SCORE[1])
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "open"
    page = opened("report")
    page.focus("th:nth-child(3) .sort")
    page.keyboard.press("Enter")
    assert page.get_attribute("th:nth-child(3)", "aria-sort") == "descending"


def test_a_broken_picture_has_an_outline_of_its_own_colour_and_says_why(opened: Opener) -> None:
    page = opened("gallery")
    colours = page.locator(".shot.result .open img").evaluate_all(
        "all => all.map(image => getComputedStyle(image).outlineColor)"
    )
    place = BROKEN[0] * len(SEEDS) + SEEDS.index(BROKEN[1])
    assert colours[place] == "rgb(179, 38, 30)" and colours.count(colours[place]) == 1
    assert page.locator(".shot.broken .fault").all_inner_texts() == ["black"]


def test_small_pictures_keep_hard_pixels_and_every_picture_has_a_text(opened: Opener) -> None:
    page = opened("gallery")
    images = page.locator("main img")
    assert set(images.evaluate_all("all => all.map(image => getComputedStyle(image).imageRendering)")) == {
        "pixelated"
    }
    texts = images.evaluate_all("all => all.map(image => image.alt)")
    assert len(texts) == 26 and texts[0] == f"result, {PROMPTS[0]}, seed 1"
    assert page.locator("[onclick], [style]").count() == 0


def test_markup_in_texts_stays_text(opened: Opener) -> None:
    for kind in KINDS:
        page = opened(kind)
        assert EVIL in page.inner_text("body")
        assert page.locator("body img:not([src^='data:']):not(#zoom-picture)").count() == 0
        assert page.locator("script").count() == 1


def test_a_changed_script_is_stopped_and_the_page_shows_everything_all_the_same(
    browser: Browser, page_folder: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(
        (page_folder / "gallery.html").read_text().replace('"use strict";', '"use strict"; window.hacked=1;')
    )
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(changed.as_uri())
    assert page.evaluate("window.hacked") is None and any("Content Security Policy" in text for text in said)
    assert page.locator(".shot.result img:visible").count() == 12
    expect(page.locator(".controls")).not_to_be_visible()
    page.close()


@pytest.mark.parametrize("width", [320, 900, 1920])
@pytest.mark.parametrize("kind", KINDS)
def test_no_page_is_wider_than_its_window_and_nothing_is_cut(opened: Opener, kind: str, width: int) -> None:
    page = opened(kind, width=width)
    measured = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert measured == [width, width]
    cut = page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")]
        .filter(e => !e.closest(".scroll, .lines, svg, select") && e.clientWidth)
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + "." + e.className)"""
    )
    assert cut == []
    if kind != "report":
        page.locator(".open").first.click()
        box = page.locator("#zoom").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("kind", KINDS)
def test_no_word_of_a_metric_or_column_is_broken(opened: Opener, kind: str, width: int) -> None:
    cells = opened(kind, width=width).locator("table.scores th, .axis-title")
    words, broken = cells.evaluate_all(BROKEN_WORDS)
    assert words > 20 and broken == []


def test_the_result_column_lies_in_the_window_of_a_phone(opened: Opener) -> None:
    page = opened("gallery", width=420)
    box = page.locator(".scroll:has(table)").bounding_box()
    result = page.locator(".scores tbody tr:first-child td:nth-child(3)").bounding_box()
    assert box is not None and result is not None
    assert result["x"] + result["width"] <= box["x"] + box["width"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_box_is_shaded_at_the_edge_behind_which_there_is_more(
    opened: Opener, kind: str, dark: bool
) -> None:
    page = opened(kind, width=420, dark=dark)
    boxes = page.locator(".scroll")
    for place in range(boxes.count()):
        box = boxes.nth(place)
        assert box.evaluate("box => box.scrollWidth > box.clientWidth + 60")
        assert _shades(box) == (False, True)
        box.evaluate("box => box.scrollBy(30, 0)")
        assert _shades(box) == (True, True)
        box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
        assert _shades(box) == (True, False)


def test_a_table_that_fits_has_no_shade(opened: Opener) -> None:
    page = opened("gallery", width=1920)
    assert _shades(page.locator(".scroll").first) == (False, False)


def test_the_title_across_the_scatter_lies_in_the_window_of_a_phone(opened: Opener) -> None:
    page = opened("report", width=420)
    expect(page.locator(".axis-title")).to_have_text("Adherence to the prompt (higher is better)")
    words = page.locator(".axis-title").evaluate(
        """title => { const range = document.createRange(); range.selectNodeContents(title);
        const box = range.getBoundingClientRect(); return [box.left, box.right]; }"""
    )
    assert words[0] >= 12 and words[1] <= 408


@pytest.mark.parametrize("kind", ["gallery", "compare"])
def test_a_quarter_is_smaller_and_lower_than_its_stem(opened: Opener, kind: str) -> None:
    page = opened(kind)
    rows = page.locator("tr.part")
    assert rows.count() == 4
    for place in range(4):
        row = rows.nth(place).locator("th")
        size, left = row.evaluate(
            "cell => [getComputedStyle(cell)].flatMap(s => "
            "[parseFloat(s.fontSize), parseFloat(s.paddingLeft)])"
        )
        assert size < 15 and left >= 20
    stem = page.locator("tr:has(+ tr.part):not(.part)").bounding_box()
    part = rows.first.bounding_box()
    assert stem is not None and part is not None and part["height"] < stem["height"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_of_the_dark_gets_a_dark_page_with_words_that_stand_out(opened: Opener, kind: str) -> None:
    for dark in (True, False):
        page = opened(kind, dark=dark)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(part) for part in re.findall(r"\d+", background)]
        assert max(levels) < 40 if dark else min(levels) > 230
        words = page.locator(".soft:visible, .badge:visible, .fault:visible, th:visible, .tick")
        contrasts = words.evaluate_all(CONTRASTS)
        faint = [(words.nth(n).inner_text(), ratio) for n, ratio in enumerate(contrasts) if ratio < 4.5]
        assert contrasts and faint == []  # WCAG AA


BROKEN_WORDS = """cells => {
  const broken = [];
  let count = 0;
  for (const cell of cells) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      for (const match of walker.currentNode.data.matchAll(/(?<!\\S)[a-zA-Z]{2,16}(?=[\\s,;:]|$)/g)) {
        const range = document.createRange();
        range.setStart(walker.currentNode, match.index);
        range.setEnd(walker.currentNode, match.index + match[0].length);
        const tops = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        count += 1;
        if (tops.size > 1) broken.push(match[0]);
      }
    }
  }
  return [count, broken];
}"""  # words of ordinary length that stand in two lines

CONTRASTS = """all => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = parts => parts.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const parts = rgb(getComputedStyle(one).backgroundColor);
      if (parts.length < 4 || parts[3] === 1) return parts;
    }
  };
  return all.map(element => {
    const style = getComputedStyle(element);
    const front = rgb(element.closest("svg") ? style.fill : style.color);
    const [high, low] = [light(front), light(behind(element))].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  });
}"""


def _shades(box: Locator) -> tuple[bool, bool]:
    """Whether the left and the right edge of a box have another colour than the card has."""
    shot = Image.open(io.BytesIO(box.screenshot())).convert("RGB")
    found = re.findall(r"\d+", box.evaluate("box => getComputedStyle(box).backgroundColor"))
    card = tuple(int(part) for part in found)
    height = shot.height // 2
    columns = [[shot.getpixel((x, y)) for y in range(20, height)] for x in (3, shot.width - 4)]
    left, right = (sum(pixel == card for pixel in column) < len(column) // 2 for column in columns)
    return left, right


def _expect_zoom(page: Page, place: tuple[int, int]) -> None:
    """The dialog shows this picture: its prompt, seed, score, and its pixels."""
    prompt, seed = place
    expect(page.locator("#zoom")).to_be_visible()
    expect(page.locator("#zoom-prompt")).to_have_text(PROMPTS[prompt])
    expect(page.locator("#zoom-name")).to_have_text(f"result, seed {seed}")
    picture = page.locator("#zoom-picture")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    assert picture.evaluate(COLOUR_OF_MIDDLE) == list(colour(prompt, seed))
    row = page.locator(f'#zoom tr[data-metric="{LIKENESS.name}"] td')
    expect(row).to_have_text(f"{score(prompt, seed):.3f}")


def _places(page: Page) -> list[tuple[int, int]]:
    """(prompt, seed) of the scored pictures that are seen, in their order."""
    names = page.locator(".shot.result:visible").evaluate_all("all => all.map(shot => shot.dataset.file)")
    found = [re.search(r"p(\d\d)_s(\d)\.png$", name) for name in names]
    return [(int(match[1]), int(match[2])) for match in found if match]


def _is_near(pixel: list[int], wanted: tuple[int, int, int]) -> bool:
    return all(abs(part - other) <= 6 for part, other in zip(pixel, wanted, strict=True))
