"""trials.csv: every trial of a study with everything that is known of it, numbers as they are."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sweeper.study.records import StudyRecord, TrialRecord

_FIXED = (
    "phase",
    "number",
    "of",
    "state",
    "outcome",
    "cause",
    "run_id",
    "seed",
    "seconds",
    "gpu_seconds",
    "step_seconds",
    "steps_done",
    "total_steps",
    "peak_memory_bytes",
    "restarts",
    "started",
    "ended",
    "worker",
    "folder",
    "weights",
    "weights_sha256",
    "notes",
    "command",
)


def trials_csv(record: StudyRecord) -> str:
    """One line a trial, the search first; columns: facts, params.*, objective.*, constraint.*, metrics."""
    trials = [*record.trials, *record.confirmations]
    rows = [_row(trial) for trial in trials]
    columns = [*_FIXED, *sorted({key for row in rows for key in row} - set(_FIXED), key=_order)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_trials_csv(record: StudyRecord, path: Path) -> None:
    """Write it whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(trials_csv(record), encoding="utf-8")
    part.replace(path)


def _row(trial: TrialRecord) -> dict[str, object]:
    fixed = {name: _cell(getattr(trial, name)) for name in _FIXED}
    groups: Mapping[str, Mapping[str, object]] = {
        "params": trial.params,
        "objective": trial.values,
        "constraint": trial.constraints,
    }
    parts = {f"{group}.{key}": _cell(value) for group, own in groups.items() for key, value in own.items()}
    return {**fixed, **parts, **dict(_metrics(trial))}


def _metrics(trial: TrialRecord) -> Iterator[tuple[str, object]]:
    for metric, score in trial.scores.items():
        for name in ("value", "spread", "n", "base", "real", "anchored"):
            yield f"metric.{metric}.{name}", _cell(getattr(score, name))
    if trial.reports:
        yield "signal.last_step", trial.reports[-1][0]
        yield "signal.last", _cell(trial.reports[-1][1])


def _cell(value: object) -> object:
    """Nothing for what is not known; lists on one line; floats with all their digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(str(entry) for entry in value)
    return getattr(value, "value", value)


def _order(column: str) -> tuple[int, str]:
    groups = ("params", "objective", "constraint", "metric", "signal")
    return groups.index(column.split(".")[0]), column
