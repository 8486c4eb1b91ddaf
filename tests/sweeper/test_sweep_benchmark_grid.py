"""The exhaustive grid that sweeps are measured against: its table, and that today's code still makes it."""

import csv
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/sweep_grid.py"
TABLE = SCRIPT.with_suffix(".csv")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, env=os.environ, check=False
    )


def _rows(path: Path = TABLE) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_has_each_setting_of_the_grid_once_and_what_the_base_and_true_pictures_come_to() -> None:
    rows = _rows()
    cells = [(int(row["rank"]), float(row["lr"]), float(row["noise_offset"])) for row in rows[:-2]]
    lrs = (1e-4, 2.5e-4, 6.3e-4, 1.6e-3, 4e-3, 1e-2)
    assert sorted(cells) == sorted(itertools.product((2, 4, 8, 16, 32, 64), lrs, (0.0, 0.05, 0.1)))
    assert [row["run_id"] for row in rows[-2:]] == ["base", "real"]
    assert len({row["run_id"] for row in rows}) == len({row["sha256"] for row in rows[:-2]}) + 2 == 110


def test_the_table_tells_settings_apart_and_its_best_is_inside_the_range_of_learning_rates() -> None:
    rows = _rows()
    runs, base, real = rows[:-2], float(rows[-2]["likeness"]), float(rows[-1]["likeness"])
    assert {row["outcome"] for row in runs} <= {"completed", "diverged"}
    scored = [row for row in runs if row["likeness"]]
    best = max(scored, key=lambda row: float(row["likeness"]))
    assert base < float(best["likeness"]) < real
    assert 1e-4 < float(best["lr"]) < 1e-2
    assert all(row["steps"] == "60" for row in scored)


@pytest.mark.slow
def test_every_row_is_still_the_run_that_it_was() -> None:
    done = _run("part=ids")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_grid_can_be_made_and_gone_on_with(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    arguments = ("size=tiny", "processes=1", f"folder={tmp_path}", f"table={table}")
    assert _run(*arguments).returncode == 0
    first = table.read_bytes()
    assert [row["steps"] for row in _rows(table)] == ["4", "4", "", ""]
    table.unlink()
    assert _run(*arguments).returncode == 0
    assert table.read_bytes() == first  # seconds too: nothing was trained again


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_random_rows_come_out_the_same_byte_for_byte() -> None:
    done = _run("part=again", "rows=2")
    print(done.stdout)  # with the seed that chose them
    assert done.returncode == 0, done.stdout + done.stderr
