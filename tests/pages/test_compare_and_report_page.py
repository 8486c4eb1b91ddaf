"""Comparison and report as text."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pages.compare_page import compare_html, write_compare_page
from pages.gallery_data import Change, ComparedRun, ComparedScores, ComparePage, Number, RankStep, ReportPage
from pages.numbers import interval_text, places_for, plain_number
from pages.report_page import report_html, write_report_page
from tests.pages.gallery_toys import COPY, EVIL, comparison, report
from tests.pages.test_gallery import Parsed


def test_the_table_ranks_the_runs_and_says_which_neighbours_are_told_apart(tmp_path: Path) -> None:
    page = Parsed(compare_html(comparison(tmp_path)))
    for words in (
        "0.750 ± 0.0301",
        "0.600 ± 0.0302",
        "separatedsteady before too long +0.150+0.100 to +0.200",
        f"within the noisetoo long before {EVIL} +0.010−0.030 to +0.050",
        "–needs 50 pictures",
    ):
        assert words in page.text, words
    ranks = _ranks(compare_html(comparison(tmp_path)))
    assert ranks[:6] == [1, 2, 3, 2, 1, 3] and set(ranks[6:]) == {1}  # the losses are equal


def test_where_lower_is_better_the_lowest_ranks_first_and_equal_values_share_a_rank() -> None:
    numbers = {"a": Number(value=0.2), "b": Number(value=0.1), "c": Number(value=0.1)}
    page = ComparePage(
        title="t",
        runs=[ComparedRun(name=name) for name in numbers],
        metrics=[ComparedScores(facts=COPY, numbers=numbers)],
    )
    assert _ranks(compare_html(page)) == [3, 1, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(value=0.1), "no interval"),
        (Change(value=0.0, low=0.0, high=0.0), "no difference"),
        (Change(value=-0.1, low=-0.2, high=-0.01), "separated"),
        (Change(value=0.1, low=-0.1, high=0.3), "within the noise"),
    ],
)
def test_what_an_interval_says_of_two_neighbours(change: Change, words: str) -> None:
    scores = ComparedScores(
        facts=COPY,
        numbers={"a": Number(value=1.0), "b": Number(value=2.0)},
        steps=[RankStep(better="a", worse="b", difference=change)],
    )
    runs = [ComparedRun(name="a"), ComparedRun(name="b")]
    assert f'">{words}</span>' in compare_html(ComparePage(title="t", runs=runs, metrics=[scores]))


def test_each_seed_is_a_line_of_the_runs_in_their_order(tmp_path: Path) -> None:
    html = compare_html(comparison(tmp_path))

    assert html.count('class="line" data-seed="1"') == 4
    shots = Parsed(html).shots("result")
    assert [shot["data-name"] for shot in shots[:6]] == ["steady", "too long", EVIL] * 2
    assert [shot["data-seed"] for shot in shots[:9]] == ["1"] * 3 + ["2"] * 3 + ["3"] * 3


def test_too_many_pictures_are_chosen_evenly_and_the_page_says_so(tmp_path: Path) -> None:
    page = Parsed(compare_html(comparison(tmp_path), most=18))
    assert len(page.shots("result")) == 18
    assert "The page shows 6 of 12 prompts and seeds, evenly chosen." in page.text


def test_a_picture_that_one_run_lacks_leaves_its_place(tmp_path: Path) -> None:
    page = comparison(tmp_path)
    first = page.prompts[0]
    page.prompts = [
        replace(first, pictures={name: p for name, p in first.pictures.items() if name != "too long"})
    ]
    html = compare_html(page)
    assert html.count('class="missing"') == 3 and len(Parsed(html).shots("result")) == 6


def test_the_report_holds_every_run_with_its_numbers_options_and_link() -> None:
    page = Parsed(report_html(report()))
    rows = [
        attributes["data-run"]
        for tag, attributes in page.elements
        if tag == "tr" and "data-run" in attributes
    ]
    assert rows == [*(f"rank{2**place}-lr{place}e-4" for place in range(8)), EVIL]
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert links.count("rank%203/index.html") == 2  # in the table and at its point
    for words in (
        "0.400 ± 0.020",
        "diverged",
        "loss ran away",
        "network.rank",
        "objective, higher is better",
    ):
        assert words in page.text, words


def test_the_values_to_sort_by_are_whole_numbers_of_the_data_not_what_is_shown() -> None:
    page = report()
    values = [
        attributes.get("data-value") for tag, attributes in Parsed(report_html(page)).elements if tag == "td"
    ]
    assert repr(page.runs[1].numbers["likeness"].value) in values


def test_text_of_runs_and_options_is_never_markup(tmp_path: Path) -> None:
    page = report()
    page.runs = [replace(run, options={EVIL: EVIL}, note=EVIL, outcome=EVIL) for run in page.runs]
    for html in (report_html(page), compare_html(comparison(tmp_path))):
        parsed = Parsed(html)
        assert [tag for tag, _ in parsed.elements].count("script") == 1
        assert not {name for _, attributes in parsed.elements for name in attributes if name.startswith("on")}
        assert EVIL in parsed.text


def test_empty_pages_say_so(tmp_path: Path) -> None:
    write_report_page(ReportPage(title="none"), tmp_path / "report.html")
    write_compare_page(ComparePage(title="none"), tmp_path / "compare.html")
    assert "There are no runs." in (tmp_path / "report.html").read_text()
    assert "Nothing was scored." in (tmp_path / "compare.html").read_text()


def test_an_interval_shows_on_which_side_of_zero_it_lies() -> None:
    assert interval_text(Change(value=-0.02, low=-0.038, high=-0.0002), 3) == "−0.0380 to −0.0002"
    assert interval_text(Change(value=0.0, low=0.0, high=0.0), 3) == "0.000 to 0.000"
    assert interval_text(Change(value=0.1), 3) == ""


def test_a_number_has_the_places_that_its_size_asks_for() -> None:
    assert [places_for([value]) for value in (0.75, 1.2, 12.3, 345.6, 0.083, 0.00012, 0.0)] == [
        3,
        3,
        1,
        0,
        4,
        6,
        3,
    ]
    assert places_for([0.001, 0.5, None, float("nan")]) == 3
    assert plain_number(-0.25, 2) == "−0.25" and plain_number(-0.0001, 2) == "0.00"
    assert plain_number(0.25, 2, sign=True) == "+0.25"


def _ranks(html: str) -> list[int]:
    return [int(rank) for rank in re.findall(r'data-rank="(\d+)"', html)]
