"""Folders that are not whole: the page says what is missing, and never fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pages.run_folder import duration
from pages.run_page import read_run_folder, run_page_html
from tests.pages.page_toys import Page, write_run_folder


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_remove("scores.json"), "There are no scores"),
        (_remove("samples/samples.json"), "There are no pictures"),
        (_remove("log.csv"), "No losses yet"),
        (_remove("result.json"), "There is no result.json yet"),
        (_remove("run.yaml"), "The folder holds no run.yaml"),
        (_remove("samples/final/p00_s1.png"), "missing"),
        (_write("samples/final/p00_s1.png", "not a picture"), "missing"),
        (_write("scores.json", '{"schema": 1, "rows": ['), "scores.json cannot be read"),
        (_write("result.json", "[]"), "result.json is of another version"),
        (_write("samples/samples.json", '{"schema": 2, "sets": {}}'), "samples.json is of another version"),
        (_write("log.csv", "what,is\nthis,not\n"), "log.csv holds no numbers"),
    ],
)
def test_what_is_missing_or_broken_is_said(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    folder = write_run_folder(tmp_path / "run")
    assert words not in _text(folder)
    damage(folder)
    assert words in _text(folder)


def test_an_empty_folder_has_a_page() -> None:
    assert "not ended" in _text(Path("/nowhere/at/all"))


def test_a_row_of_the_log_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    with (folder / "log.csv").open("a") as log:
        log.write("21,0.0")
    (folder / "log.csv").write_text((folder / "log.csv").read_text() + "\n22,nan,1e-4,,,\n")
    loss = read_run_folder(folder).loss
    assert [step for step, _ in loss][:20] == [float(step) for step in range(1, 21)]
    assert "<polyline" in run_page_html(read_run_folder(folder))


def test_validation_losses_come_from_the_result_where_the_log_has_none(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    (folder / "log.csv").unlink()
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(
        text.replace('"val_losses": []', '"val_losses": [[0, 1.5], [20, 0.5]]')
    )
    assert read_run_folder(folder).val_loss == [(0.0, 1.5), (20.0, 0.5)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.31, "0.3 s"), (41.2, "41 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min"), (3599.6, "60 min 00 s")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def _text(folder: Path) -> str:
    return Page(run_page_html(read_run_folder(folder))).text
