"""The page of a run: what it shows, that it is one file, and that text stays text."""

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.outcome import Outcome
from engine.training.result import write_result
from evaluation.records import scores_text
from pages.run_page import read_run_folder, run_page_html, write_run_page
from tests.pages.page_toys import PROMPTS, Page, result, scores, write_run_folder, write_samples


def test_base_and_result_stand_side_by_side_with_the_true_picture(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    page = _page(folder)
    base, final, true = (
        _uri(folder / name) for name in ("samples/base/p00_s1.png", "samples/final/p00_s1.png", "true.png")
    )
    assert page.pictures()[:6] == [base, final, true] * 2
    assert page.pictures()[6:10] == [base, final] * 2  # the second prompt names no true picture
    preview = _uri(folder / "samples/step000010/p00_s1.png")
    assert page.pictures()[10:] == [base, preview, final]
    assert all(prompt in page.text for prompt in PROMPTS)
    assert "ddim, 20 steps, 2.0 guidance, 64 x 64 pixels" in page.text


def test_scores_are_shown_with_spread_verdict_and_n(tmp_path: Path) -> None:
    text = " ".join(_page(write_run_folder(tmp_path / "run")).text.split())
    for words in (
        "0.50 → 0.75 ± 0.03",
        "better than the base",
        "4 pictures of 2 prompts; true pictures score 0.88",
        "+0.250 ± 0.050",
        "0.667 ± 0.111",
        "no encoder was given",
        "final/p01_s2.png is black",
    ):
        assert words in text, words


def test_outcome_length_memory_and_settings_are_told(tmp_path: Path) -> None:
    text = " ".join(_page(write_run_folder(tmp_path / "run")).text.split())
    for words in (
        "completed",
        "20 of 20 steps in 3 min 20 s",
        "1,234",
        "12.3",
        "bad.png (truncated)",
        "name: toy",
    ):
        assert words in text, words


def test_the_curves_are_drawn_from_the_log(tmp_path: Path) -> None:
    html = run_page_html(read_run_folder(write_run_folder(tmp_path / "run")))
    assert html.count("<svg") == 3 and html.count("<polyline") == 4
    assert "Validation loss" in html and "Learning rate" in html


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.diverged, "The loss ran away"),
        (Outcome.out_of_memory, "The memory was too small"),
        (Outcome.interrupted, "the same command goes on"),
        (Outcome.pruned, "The sweep stopped it early"),
        (Outcome.failed, "It stopped with an error"),
    ],
)
def test_another_end_is_told_with_its_cause(tmp_path: Path, outcome: Outcome, words: str) -> None:
    page = _page(write_run_folder(tmp_path / "run", outcome=outcome, cause="because of <this>"))
    assert outcome.value.replace("_", " ") in page.text
    assert words in page.text and "because of <this>" in page.text


def test_the_page_is_one_file_that_loads_and_runs_nothing(tmp_path: Path) -> None:
    page = _page(write_run_folder(tmp_path / "run"))
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    for name, value in page.attributes:
        assert not re.match(r"\s*(https?:|//|file:|javascript:)", value), (name, value)
        assert not name.startswith("on")
    assert all(uri.startswith("data:image/") for uri in page.pictures())


def test_the_content_policy_allows_the_style_sheet_by_its_hash_and_nothing_else(tmp_path: Path) -> None:
    html = run_page_html(read_run_folder(write_run_folder(tmp_path / "run")))
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'" in html


def test_prompts_names_and_settings_with_markup_stay_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    folder = write_run_folder(tmp_path / "run")
    calm = Page(run_page_html(read_run_folder(folder)))
    end = result(folder, outcome=Outcome.failed, cause=evil)
    write_result(replace(end, name=evil, skipped_pictures=[evil], seconds_by_phase={evil: 1.0}))
    plan = scores()
    row = replace(plan.rows[0], title=evil, scale=evil, note=evil)
    excluded = [replace(plan.excluded[0], file=evil, reason=evil)]
    changed = replace(plan, rows=[row, *plan.rows[1:]], excluded=excluded)
    (folder / "scores.json").write_text(scores_text(changed), encoding="utf-8")
    (folder / "run.yaml").write_text(f"name: {evil}\n", encoding="utf-8")
    write_samples(folder, prompts=[evil, evil])
    page = _page(folder)
    assert set(page.tags) <= set(calm.tags) | {"small", "br"}
    assert {name for name, _ in page.attributes} <= {name for name, _ in calm.attributes}
    # title, heading, cause, skipped picture, phase; tile, table: name, scale, note; excluded twice;
    # run.yaml; two cards and a strip
    assert page.text.count(evil) == 15


def test_the_same_folder_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    before = {path.name for path in folder.iterdir()}
    write_run_page(read_run_folder(folder), folder / "index.html")
    first = (folder / "index.html").read_bytes()
    write_run_page(read_run_folder(folder), folder / "index.html")
    assert (folder / "index.html").read_bytes() == first
    assert {path.name for path in folder.iterdir()} == before | {"index.html"}


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run_folder(tmp_path / "run")
    (folder / "index.html").write_text("old")

    before = {path.name for path in folder.iterdir()}
    whole = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        whole(path, data[: len(data) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        write_run_page(read_run_folder(folder), folder / "index.html")
    assert (folder / "index.html").read_bytes() == b"old"
    assert {path.name for path in folder.iterdir()} == before, "half a page is left beside it"


def test_a_name_of_bytes_that_are_no_text_does_not_stop_the_page(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    page = read_run_folder(folder)
    page.cause = "photo\udcff.png"  # as Python names such a file
    write_run_page(page, folder / "index.html")
    assert "photo?.png" in (folder / "index.html").read_text(encoding="utf-8")


def _page(folder: Path) -> Page:
    return Page(run_page_html(read_run_folder(folder)))


def _uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
