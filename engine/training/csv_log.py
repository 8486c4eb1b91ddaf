"""log.csv: one row a step, readable while the run goes on, and continued when it resumes."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.config.outcome import Outcome
from engine.training.tracker import FinalScores, TrackedPicture

COLUMNS = ("step", "loss", "lr", "grad_norm", "images_per_second", "val_loss")


class CSVLog:
    """The numbers of a run as text; a value that was not measured at a step is an empty field.

    Numbers are written in the shortest form that reads back as the same float64, so that equal runs give
    equal columns. Several calls for one step fill one row. Names outside COLUMNS are for the other trackers.
    """

    def __init__(self, path: Path, *, resumed_step: int | None = None) -> None:
        """Start a new file, or cut an old one to its rows up to resumed_step and go on behind them.

        A run that was killed has logged steps after its last checkpoint; it will log them again.
        Raises OSError when the file can't be written.
        """
        rows = _rows_up_to(path, resumed_step) if resumed_step is not None else []
        self._row: dict[str, str] = rows.pop() if rows else {}
        head = "".join(_line(row) for row in [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows])
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(head)
        self._row_start = self._file.tell()
        self._write_row()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add to the row of this step, or begin it."""
        if self._row.get("step") != str(step):
            assert not self._row or int(self._row["step"]) < step, f"step {step} after {self._row['step']}"
            self._row = {"step": str(step)}
            self._file.seek(0, io.SEEK_END)
            self._row_start = self._file.tell()
        self._row |= {name: repr(float(value)) for name, value in values.items() if name in COLUMNS}
        self._write_row()

    def pictures(self, step: int, set_name: str, samples: Sequence[TrackedPicture]) -> None:
        """Pictures are files under samples/ already."""

    def scores(self, step: int, scores: FinalScores) -> None:
        """Scores are in scores.json already."""

    def finish(self, outcome: Outcome) -> str | None:
        """Close the file; the outcome is in result.json."""
        self._file.close()
        return None

    def _write_row(self) -> None:
        if not self._row:
            self._file.flush()
            return
        self._file.seek(self._row_start)
        self._file.write(_line(self._row))
        self._file.truncate()
        self._file.flush()


def _rows_up_to(path: Path, step: int) -> list[dict[str, str]]:
    """The complete rows of an earlier start; a line that a power cut left half-written is dropped."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        whole_lines = [line for line in file if line.endswith("\n")]
    rows = [row for row in csv.DictReader(whole_lines) if row.get("step", "").isdigit()]
    return [{name: row[name] or "" for name in COLUMNS} for row in rows if int(row["step"]) <= step]


def _line(row: Mapping[str, str]) -> str:
    return ",".join(row.get(name, "") for name in COLUMNS) + "\n"
