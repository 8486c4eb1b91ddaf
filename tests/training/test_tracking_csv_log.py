"""log.csv: its rows, and what a resumed run makes of them."""

from pathlib import Path

import pytest

from engine.config.outcome import Outcome
from engine.training.csv_log import CSVLog

HEAD = "step,loss,lr,grad_norm,images_per_second,val_loss\n"


def test_a_row_holds_what_was_measured_and_leaves_the_rest_empty(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    log.log(1, {"loss": 0.5, "lr": 0.001})
    log.log(2, {"loss": 0.25, "lr": 0.001, "grad_norm": 1.5, "images_per_second": 8.0, "val_loss": 0.125})
    log.finish(Outcome.completed)
    assert (tmp_path / "log.csv").read_text() == HEAD + "1,0.5,0.001,,,\n2,0.25,0.001,1.5,8.0,0.125\n"


def test_several_calls_for_one_step_fill_one_row(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    log.log(0, {"val_loss": 1.0})
    log.log(1, {"loss": 0.5})
    log.log(1, {"val_loss": 0.25})
    log.log(2, {"loss": 0.125})
    assert (tmp_path / "log.csv").read_text() == HEAD + "0,,,,,1.0\n1,0.5,,,,0.25\n2,0.125,,,,\n"


def test_every_row_is_on_disk_before_the_log_is_closed(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text() == HEAD
    log.log(7, {"loss": 0.5})
    assert (tmp_path / "log.csv").read_text() == HEAD + "7,0.5,,,,\n"


def test_numbers_read_back_as_the_same_float(tmp_path: Path) -> None:
    loss = 0.1 + 0.2
    CSVLog(tmp_path / "log.csv").log(1, {"loss": loss, "lr": 1e-7})
    row = (tmp_path / "log.csv").read_text().splitlines()[1].split(",")
    assert float(row[1]) == loss
    assert float(row[2]) == 1e-7


def test_nan_stays_nan(tmp_path: Path) -> None:
    CSVLog(tmp_path / "log.csv").log(1, {"loss": float("nan")})
    assert (tmp_path / "log.csv").read_text() == HEAD + "1,nan,,,,\n"


def test_a_run_that_was_killed_and_resumed_leaves_the_log_of_one_that_was_not(tmp_path: Path) -> None:
    def log_steps(log: CSVLog, first: int, last: int) -> None:
        for step in range(first, last + 1):
            log.log(step, {"loss": 1 / step, "lr": 0.1 / step})
            if step % 4 == 0:
                log.log(step, {"val_loss": 2 / step})

    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    log_steps(CSVLog(whole), 1, 12)
    log_steps(CSVLog(killed), 1, 7)  # the last checkpoint was at step 4
    log_steps(CSVLog(killed, resumed_step=4), 5, 12)
    assert killed.read_bytes() == whole.read_bytes()


def test_a_resumed_log_still_takes_values_of_the_step_that_was_resumed(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    log.log(4, {"loss": 0.5})
    log.log(5, {"loss": 0.25})
    CSVLog(tmp_path / "log.csv", resumed_step=4).log(4, {"val_loss": 0.125})
    assert (tmp_path / "log.csv").read_text() == HEAD + "4,0.5,,,,0.125\n"


def test_a_line_that_was_cut_in_the_middle_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEAD + "1,0.5,,,,\n2,0.2")
    CSVLog(tmp_path / "log.csv", resumed_step=2)
    assert (tmp_path / "log.csv").read_text() == HEAD + "1,0.5,,,,\n"


def test_a_run_from_its_beginning_does_not_keep_old_rows(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEAD + "1,0.5,,,,\n")
    CSVLog(tmp_path / "log.csv").log(0, {"val_loss": 1.0})
    assert (tmp_path / "log.csv").read_text() == HEAD + "0,,,,,1.0\n"


def test_steps_never_fall(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    log.log(2, {"loss": 0.5})
    with pytest.raises(AssertionError, match="step 1 after 2"):
        log.log(1, {"loss": 0.5})
