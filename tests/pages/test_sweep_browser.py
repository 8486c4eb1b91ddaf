"""The report of a sweep in a browser: sort, filter, pick a trial, a thousand trials, widths, contrast."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pages.sweep_page import write_sweep_page
from tests.pages.sweep_toys import EVIL, WINNING, bare, lost_trial, sweep
from tests.pages.test_gallery_browser import CONTRASTS

pytestmark = pytest.mark.slow
Opener = Callable[..., Page]
KINDS = ["sweep", "sweep-three", "sweep-failed"]
MIDDLE = """(line, at) => { const place = line.points[at].matrixTransform(line.getScreenCTM());
  return [place.x, place.y]; }"""


@pytest.fixture(scope="session", autouse=True)
def sweep_pages(page_folder: Path) -> None:
    pictures = page_folder / "pictures"
    pictures.mkdir()
    write_sweep_page(sweep(plain=True, folder=pictures), page_folder / "sweep.html")
    write_sweep_page(sweep(40, num_objectives=3, folder=pictures), page_folder / "sweep-three.html")
    write_sweep_page(sweep(1000, num_objectives=2), page_folder / "sweep-thousand.html")
    failed = bare([lost_trial(n, f"{EVIL} {'x' * 400}") for n in range(3)], sentence="All 3 trials failed.")
    write_sweep_page(failed, page_folder / "sweep-failed.html")


def test_columns_sort_best_first_and_what_has_no_value_comes_last(opened: Opener) -> None:
    page = opened("sweep")
    values = {trial.number: trial.values.get("likeness") for trial in sweep(plain=True).trials}
    known = sorted((n for n, v in values.items() if v is not None), key=lambda n: -(values[n] or 0))
    head = page.locator("#table th", has_text="likeness")
    head.locator(".sort").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert _rows(page)[:14] == known
    head.locator(".sort").click()
    assert _rows(page)[:14] == known[::-1]
    assert {values[n] for n in _rows(page)[14:]} == {None}
    page.locator("#table th", has_text="rank").locator(".sort").click()
    ranks = page.locator("#table tbody td:nth-child(4)").all_inner_texts()
    assert ranks == sorted(ranks, key=int)  # 8 before 16


def test_the_filter_keeps_the_rows_that_hold_all_its_words(opened: Opener) -> None:
    page = opened("sweep")
    expect(page.locator("#count")).to_have_text("18 trials")
    page.fill("#filter", "PRUNED")
    assert sorted(_rows(page)) == [5, 9, 13]
    expect(page.locator("#count")).to_have_text("3 of 18 trials")
    page.fill("#filter", "rank 16 winner")
    assert _rows(page) == [WINNING]
    page.fill("#filter", "<b>nothing</b>")
    assert _rows(page) == []
    page.fill("#filter", "")
    assert len(_rows(page)) == 18


def test_pointing_at_a_line_reads_its_trial_and_marks_its_row(opened: Opener) -> None:
    page = opened("sweep")
    line = page.locator(f'.parallel polyline[data-trial="{WINNING}"]')
    line.scroll_into_view_if_needed()
    x, y = line.evaluate(MIDDLE, 1)
    page.mouse.move(x, y)
    expect(page.locator("#picked-words")).to_contain_text("Trial 7 (winner): likeness 0.785")
    expect(page.locator(f'#table tr[data-trial="{WINNING}"]')).to_have_class("pointed")
    assert page.locator("tr.pointed[data-words]").count() == 1
    page.mouse.move(2, 2)
    expect(page.locator("#picked")).to_be_hidden()


def test_a_click_keeps_the_trial_in_every_plot_until_escape(opened: Opener) -> None:
    page = opened("sweep")
    line = page.locator('.parallel polyline[data-trial="14"]')
    line.scroll_into_view_if_needed()
    x, y = line.evaluate(MIDDLE, 3)
    page.mouse.click(x, y)
    page.mouse.move(2, 2)
    expect(page.locator("#picked-words")).to_contain_text("Trial 14: ")
    picked = page.locator(".picked").evaluate_all("all => all.map(one => one.dataset.trial)")
    assert set(picked) == {"14"} and len(picked) > 6  # history, line, slices, curve, row, pictures
    page.click("#picked-row")
    box = page.locator('#table tr[data-trial="14"]').bounding_box()
    assert box is not None and 0 < box["y"] < 900
    assert page.get_attribute("#picked-link", "href") == "trials/0014/index.html"
    page.keyboard.press("Escape")
    assert page.locator(".picked").count() == 0
    page.locator('#table tr[data-trial="3"] td').nth(2).click()
    assert page.locator('.history .picked[data-trial="3"]').count() == 1


def test_the_keyboard_goes_from_trial_to_trial_best_first(opened: Opener) -> None:
    page = opened("sweep")
    page.focus(".parallel")
    order = _rows(page)
    for number in order[:3]:
        page.keyboard.press("ArrowRight")
        expect(page.locator("#picked-words")).to_contain_text(re.compile(rf"^Trial {number}\b"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#picked-words")).to_contain_text(re.compile(rf"^Trial {order[1]}\b"))
    page.focus(f'#table tr[data-trial="{order[4]}"] a')
    expect(page.locator("#picked-words")).to_contain_text(f"Trial {order[4]}")


def test_one_objective_at_a_time_is_shown_and_colours_the_lines(opened: Opener) -> None:
    page = opened("sweep-three")
    assert page.locator('[data-choice="slices"]:visible').count() == 1
    assert page.locator('[data-choice="front"]:visible').count() == 1
    page.select_option('[data-chooses="front"]', "2")
    expect(page.locator('[data-choice="front"]:visible h3')).to_contain_text("memorisation")
    line = page.locator(f'.parallel polyline[data-trial="{WINNING}"]')
    before = line.evaluate("line => getComputedStyle(line).stroke")
    page.select_option("#colour", "2")  # the winner is among those that copy most
    assert line.evaluate("line => getComputedStyle(line).stroke") != before
    expect(page.locator(".legend[data-colour]:visible")).to_contain_text("memorisation")


def test_the_command_is_copied_or_selected(opened: Opener) -> None:
    page = opened("sweep")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click('[data-copies="command"]')
    expect(page.locator('[data-copies="command"]')).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text("#command")
    page.click("#experiment")
    assert page.evaluate("getSelection().toString().trim()") == page.inner_text("#experiment")


def test_a_thousand_trials_open_sort_and_filter_in_time(opened: Opener) -> None:
    page = opened("sweep-thousand")
    assert page.locator("#table tbody tr").count() == 1000
    seconds = page.evaluate(
        """async () => { const start = performance.now();
        for (const head of [2, 0, 1]) document.querySelectorAll("#table .sort")[head].click();
        const filter = document.querySelector("#filter");
        for (const words of ["adamw", "pruned", ""]) {
          filter.value = words; filter.dispatchEvent(new Event("input")); }
        document.body.offsetHeight; return (performance.now() - start) / 1000; }"""
    )
    assert seconds < 10  # far above what it takes; a quadratic sort would not end
    assert len(_rows(page)) == 1000


@pytest.mark.parametrize("width", [320, 768, 1920])
@pytest.mark.parametrize("kind", KINDS)
def test_no_report_is_wider_than_its_window_and_nothing_is_cut(opened: Opener, kind: str, width: int) -> None:
    page = opened(kind, width=width)
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
    cut = page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")]
        .filter(e => !e.closest(".scroll, svg, select") && e.clientWidth)
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + "." + e.className)"""
    )
    assert cut == []


@pytest.mark.parametrize("kind", KINDS)
def test_words_stand_out_from_light_and_from_dark_paper(opened: Opener, kind: str) -> None:
    for dark in (True, False):
        page = opened(kind, dark=dark)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(part) for part in re.findall(r"\d+", background)]
        assert max(levels) < 40 if dark else min(levels) > 230
        names = ".soft, .badge, th, td, dd, dt, .notice, nav a, .copy, .way, svg text, .share, .legend > span"
        words = page.locator(names).locator("visible=true")
        contrasts = words.evaluate_all(CONTRASTS)
        faint = [(words.nth(n).text_content(), ratio) for n, ratio in enumerate(contrasts) if ratio < 4.5]
        assert len(contrasts) > 15 and faint == []  # WCAG AA


def test_without_its_script_the_report_shows_everything(opened: Opener) -> None:
    page = opened("sweep-three", scripts=False)
    assert page.locator("#table tbody tr:visible").count() == 40
    assert page.locator('[data-choice="front"]:visible').count() == 3
    assert page.locator("#filter:visible, .copy:visible, #picked:visible").count() == 0


def test_markup_in_texts_stays_text(opened: Opener) -> None:
    page = opened("sweep-three")
    assert EVIL in page.inner_text("body") and page.locator("script").count() == 1
    page.focus(".parallel")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator("#picked img, #picked script").count() == 0


def _rows(page: Page) -> list[int]:
    rows: list[int] = page.locator("#table tbody tr:visible").evaluate_all(
        "all => all.map(row => +row.dataset.trial)"
    )
    return rows
