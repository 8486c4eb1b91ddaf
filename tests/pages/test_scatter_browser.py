"""Tables, scatter and seeds of comparison and report in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pages.scatter import ScatterPoint, pareto_front
from tests.pages.gallery_toys import ADHERENCE, COLOUR_OF_MIDDLE, EVIL, LIKENESS, colour, report

pytestmark = pytest.mark.slow
Opener = Callable[..., Page]


def test_columns_of_the_report_sort_best_first_then_the_other_way(opened: Opener) -> None:
    page = opened("report")
    runs = report().runs
    by_likeness = sorted(
        (run for run in runs if run.numbers), key=lambda run: run.numbers[LIKENESS.name].value, reverse=True
    )
    names = [run.name for run in by_likeness]
    head = page.locator("th", has_text=LIKENESS.title)
    head.locator(".sort").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert _rows(page) == [*names, EVIL]  # what has no number comes last
    head.locator(".sort").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert _rows(page) == [*reversed(names), EVIL]
    page.locator("th", has_text="network.rank").locator(".sort").click()
    assert head.get_attribute("aria-sort") is None
    ranks = [
        run.options["network.rank"] for run in sorted(runs, key=lambda run: int(run.options["network.rank"]))
    ]
    assert page.locator("tbody td:nth-child(6)").all_inner_texts() == ranks  # as numbers: 8 before 16


def test_the_scatter_has_a_marker_a_run_and_its_line_goes_through_the_front_only(opened: Opener) -> None:
    page = opened("report")
    runs = [run for run in report().runs if run.numbers]
    markers = {
        run: (float(x), float(y))
        for run, x, y in page.locator(".scatter .point").evaluate_all(
            """all => all.map(point => { const circle = point.querySelector("circle").getBoundingClientRect();
            return [point.dataset.run, circle.x + circle.width / 2, circle.y + circle.height / 2]; })"""
        )
    }
    assert set(markers) == {run.name for run in runs}
    values = {run.name: (run.numbers[ADHERENCE.name].value, run.numbers[LIKENESS.name].value) for run in runs}
    for axis, sign in ((0, 1), (1, -1)):
        by_value = sorted(values, key=lambda name: values[name][axis])
        assert by_value == sorted(markers, key=lambda name: sign * markers[name][axis])
    points = [
        ScatterPoint(name=run.name, x=run.numbers[ADHERENCE.name], y=run.numbers[LIKENESS.name])
        for run in runs
    ]
    front = [markers[point.name] for point in pareto_front(points, (ADHERENCE, LIKENESS))]
    line = page.locator(".front").evaluate(
        """line => [...line.points].map(p => { const place = p.matrixTransform(line.getScreenCTM());
        return [place.x, place.y]; })"""
    )
    assert 3 <= len(line) == len(front) < len(runs)
    for drawn, wanted in zip(line, front, strict=True):
        assert drawn == pytest.approx(wanted, abs=0.2)
    assert page.locator(".point.on-front").count() == len(front)


def test_pointing_at_a_run_or_reaching_it_by_tab_reads_it_and_marks_its_row(opened: Opener) -> None:
    page = opened("report")
    run = report().runs[4]
    page.locator(f'.point[data-run="{run.name}"]').focus()
    expect(page.locator("#readout")).to_contain_text(f"{run.name}: {ADHERENCE.title} 0.275 ± 0.008")
    assert page.locator("tr.pointed").get_attribute("data-run") == run.name
    other = report().runs[2]
    page.locator(f'.point[data-run="{other.name}"] circle').hover()
    assert page.locator("tr.pointed").get_attribute("data-run") == other.name


def test_the_comparison_shows_one_seed_of_all_runs_at_a_time(opened: Opener) -> None:
    page = opened("compare")
    assert page.locator(".shot.result:visible").count() == 4 * 3
    page.select_option("#seed", "2")
    seeds = page.locator(".shot.result:visible").evaluate_all("all => all.map(shot => shot.dataset.seed)")
    assert set(seeds) == {"2"}
    image = page.locator(".shot.result:visible img").first
    assert image.evaluate(COLOUR_OF_MIDDLE) == list(colour(0, 2))
    page.select_option("#seed", "all")
    assert page.locator(".shot.result:visible").count() == 4 * 3 * 3
    page.locator(".shot.result:visible .open").nth(1).click()
    expect(page.locator("#zoom-name")).to_have_text("too long, seed 1")


def _rows(page: Page) -> list[str]:
    rows: list[str] = page.locator("tbody tr").evaluate_all("all => all.map(row => row.dataset.run)")
    return rows
