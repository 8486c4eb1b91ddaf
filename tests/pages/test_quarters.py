"""Quarters of a metric stand below it, in the gallery, the comparison and the page of a run."""

import re
from pathlib import Path

from pages.compare_page import compare_html
from pages.gallery import gallery_html
from pages.gallery_data import ComparedRun, ComparedScores, ComparePage, GalleryPage, MetricFacts, MetricRow
from pages.quarters import below_their_stems, quarter_title, stem_name
from pages.run_data import RunPage, ScoreRow
from pages.run_page import read_run_folder, run_page_html
from tests.pages.gallery_toys import LIKENESS, number, validation_losses
from tests.pages.page_toys import write_run_folder

NAMES = ["quarter 1 of 4: least noise", "quarter 2 of 4: less noise"]
NAMES += ["quarter 3 of 4: more noise", "quarter 4 of 4: most noise"]
ALL = ["a_q2", "b", "a", "c_q1", "a_q1", "b_q5", "b_qq1"]


def test_quarters_follow_their_stem_in_their_order_and_the_rest_stays() -> None:
    ordered = below_their_stems(ALL, lambda name: name)
    assert [name for name, _ in ordered] == ["b", "a", "a_q1", "a_q2", "c_q1", "b_q5", "b_qq1"]
    assert [stem for _, stem in ordered] == [None, None, "a", "a", None, None, None]


def test_rows_of_one_name_and_rows_without_a_name_are_all_kept() -> None:
    rows = ["", "", "a", "a", "a_q1"]
    ordered = below_their_stems(rows, lambda name: name)
    assert ordered == [("", None), ("", None), ("a", None), ("a_q1", "a"), ("a", None)]


def test_only_the_last_q_and_one_to_four_is_a_quarter() -> None:
    assert stem_name("val_loss_q4") == "val_loss"
    assert [stem_name(name) for name in ("val_loss", "val_loss_q0", "val_loss_q5", "_q1", "q1")] == [None] * 5


def test_a_title_loses_what_its_stem_says_and_no_other_title_does() -> None:
    assert quarter_title("Loss, quarter 1", "Loss") == "quarter 1"
    assert quarter_title("Loss", "Loss") == "Loss"
    assert quarter_title("Another loss", "Loss") == "Another loss"


def test_the_gallery_shows_quarters_below_without_their_scale() -> None:
    metrics = [*reversed(validation_losses()), MetricRow(facts=LIKENESS, final=number(0.5))]
    html = gallery_html(GalleryPage(title="t", metrics=metrics))
    assert _parts(html) == NAMES
    assert html.count("mean squared error") == 1 and html.count("at timestep 125") == 1
    table = html[html.index('id="scores"') :]
    assert table.index("mean squared error") < table.index(NAMES[0]) < table.index("Likeness")


def test_quarters_that_were_skipped_with_their_stem_are_not_named_again() -> None:
    rows = [MetricRow(facts=row.facts, skipped="no losses") for row in validation_losses()]
    html = gallery_html(GalleryPage(title="t", metrics=rows))
    assert html.count("Fixed validation loss") == 1 and "quarter" not in html
    alone = MetricRow(facts=rows[1].facts, skipped="another reason")
    html = gallery_html(GalleryPage(title="t", metrics=[rows[0], alone]))
    assert "quarter 1 of 4" in html and "another reason" in html


def test_the_comparison_shows_quarters_below_without_their_scale() -> None:
    scores = [ComparedScores(facts=row.facts, numbers={"a": number(0.5)}) for row in validation_losses()]
    html = compare_html(ComparePage(title="t", runs=[ComparedRun(name="a")], metrics=scores[::-1]))
    assert _parts(html) == NAMES and html.count("mean squared error") == 1


def test_the_page_of_a_run_shows_quarters_below_without_their_scale() -> None:
    rows = [
        ScoreRow(
            name=row.facts.name, title=row.facts.title, scale=row.facts.scale, final=0.5, remark=row.note
        )
        for row in validation_losses()
    ]
    html = run_page_html(RunPage(title="t", scores=rows))
    assert [words.split(" <")[0] for words in _parts(html)] == NAMES
    table = html[html.index("<h2>Scores") :]
    assert table.count("mean squared error") == 1 and table.count("at timestep 375") == 1


def test_the_names_of_the_metrics_of_a_run_come_from_its_folder(tmp_path: Path) -> None:
    page = read_run_folder(write_run_folder(tmp_path / "run"))
    assert [row.name for row in page.scores] == ["likeness", "adherence"]


def test_a_quarter_without_its_stem_is_a_row_like_any_other() -> None:
    facts = MetricFacts(name="val_loss_q1", title="Quarter", scale="its scale")
    html = gallery_html(GalleryPage(title="t", metrics=[MetricRow(facts=facts, final=number(0.5))]))
    assert _parts(html) == [] and "its scale" in html


def _parts(html: str) -> list[str]:
    """What the sub-rows are called, in their order."""
    cells = re.findall(r'<tr class="part"><t[hd][^>]*>(.*?)</t[hd]>', html)
    return [re.split(r" ?<small", cell)[0] for cell in cells]
