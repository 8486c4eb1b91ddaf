"""Folders that are not whole: the page says what is missing, and never fails."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.outcome import Outcome
from engine.training.csv_log import CSVLog
from pages.run_folder import duration
from pages.run_page import read_run_folder, run_page_html
from tests.pages.page_toys import Page, write_run_folder, write_samples


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _change(name: str, **values: object) -> Callable[[Path], object]:
    """Other values in a JSON file."""

    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps({**content, **values}), encoding="utf-8")

    return change


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
        (_write("scores.json", "[" * 100_000), "scores.json cannot be read"),
        (
            _change("scores.json", rows=[{"final": {"value": math.nan, "n": math.inf}}, 3, {}]),
            "(a score without a name)",
        ),
        (_write("result.json", "[]"), "result.json is of another version"),
        (_write("samples/samples.json", '{"schema": 99, "sets": {}}'), "samples.json is of another version"),
        (
            _change("samples/samples.json", sets={"step²": [], "final": 7, "base": ["x"]}),
            "There are no pictures",
        ),
        (_write("log.csv", "what,is\nthis,not\n"), "log.csv holds no numbers"),
        (_write("log.csv", 'step,loss\n1,"' + "1" * 200_000 + "\n"), "log.csv holds no numbers"),
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


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400, "x", [1], {}, True, None])
def test_a_result_with_anything_for_a_number_has_a_page(tmp_path: Path, number: object) -> None:
    folder = write_run_folder(tmp_path / "run")
    names = (
        "steps_done",
        "total_steps",
        "seconds",
        "num_parameters",
        "images_per_second",
        "peak_memory_bytes",
    )
    _change("result.json", **dict.fromkeys(names, number), val_losses=[[1, number], [number, 1], number])(
        folder
    )
    text = _text(folder)
    assert "completed" in text and "nan" not in text and "3 min 20 s" not in text


def test_what_cannot_be_read_is_not_said_to_be_absent(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    for name in ("result.json", "scores.json", "samples/samples.json"):
        (folder / name).write_text("{", encoding="utf-8")
    text = _text(folder)
    assert text.count("cannot be read") == 3
    for words in ("no result.json yet", "not scored", "drew none"):
        assert words not in text, words


def test_a_file_that_the_disk_refuses_is_named_with_the_reason(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    for name in ("log.csv", "run.yaml", "scores.json"):
        (folder / name).unlink()
        (folder / name).mkdir()
        assert f"{name} cannot be read (Is a directory)" in _text(folder)


def test_a_row_of_the_log_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    whole = read_run_folder(folder).loss
    assert [step for step, _ in whole] == [float(step) for step in range(1, 21)]
    with (folder / "log.csv").open("a") as log:
        log.write("21,0.0")  # of 0.0476: another number
    assert read_run_folder(folder).loss == whole


def test_losses_that_are_no_numbers_are_told_with_their_first_step(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    assert "not a number" not in _text(folder)
    log = CSVLog(folder / "log.csv", resumed_step=20)
    log.log(21, {"loss": math.nan})
    assert "The loss was not a number at step 21." in _text(folder)
    log.log(22, {"loss": math.inf})
    log.finish(Outcome.diverged)
    assert "The loss was not a number at 2 steps, first at step 21." in _text(folder)
    assert "nan" not in run_page_html(read_run_folder(folder))
    (folder / "log.csv").write_text("step,loss\n1,nan\n")
    assert "No losses yet" not in _text(folder) and "not a number at step 1." in _text(folder)


def test_seeds_of_64_bits_stay_apart(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    seeds = [2**63 - 2, 2**63 - 1]
    rows = [{"prompt_index": 0, "prompt": "p", "seed": seed, "file": "base/p00_s1.png"} for seed in seeds]
    _change("samples/samples.json", sets={"base": rows})(folder)
    assert [pair.seed for pair in read_run_folder(folder).prompts[0].pairs] == seeds


def test_previews_stand_in_the_order_of_their_steps(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    row = {"prompt_index": 0, "prompt": "p", "seed": 1, "file": "base/p00_s1.png"}
    names = ["final", "step1000000", "step000200", "base"]
    _change("samples/samples.json", sets={name: [row] for name in names})(folder)
    frames = read_run_folder(folder).strips[0].frames
    assert [label for label, _ in frames] == ["base", "step 200", "step 1000000", "final"]


def test_an_empty_prompt_is_named_so(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    write_samples(folder, prompts=[""])
    assert _text(folder).count("(empty prompt)") == 2


def test_validation_losses_come_from_the_result_where_the_log_has_none(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    (folder / "log.csv").unlink()
    _change("result.json", val_losses=[[0, 1.5], [20, 0.5]])(folder)
    assert read_run_folder(folder).val_loss == [(0.0, 1.5), (20.0, 0.5)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.31, "0.3 s"), (41.2, "41 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min"), (3599.6, "60 min 00 s")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def _text(folder: Path) -> str:
    return Page(run_page_html(read_run_folder(folder))).text
