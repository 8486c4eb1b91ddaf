"""What a run leaves behind as numbers: result.json."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine.config.outcome import Outcome
from engine.data.json_file import write_json

SCHEMA = 1


@dataclass(kw_only=True, slots=True)
class TrainResult:
    """How a run ended, and what it took."""

    run_id: str
    name: str
    folder: Path
    outcome: Outcome
    cause: str | None = None  # why it did not complete
    steps_done: int = 0
    total_steps: int = 0
    weights: Path | None = None  # the network's file
    num_parameters: int = 0  # trained ones
    loss_first: float | None = None  # mean over the first tenth of the steps
    loss_last: float | None = None  # mean over the last tenth of the steps
    val_losses: list[tuple[int, float]] = field(default_factory=list)  # (step, fixed validation loss)
    seconds: float = 0.0  # whole run, of all starts together
    seconds_by_phase: dict[str, float] = field(default_factory=dict)
    images_per_second: float | None = None  # pictures trained on a second of the loop
    peak_memory_bytes: int = 0  # of the GPU where one is used, else resident memory
    skipped_pictures: list[str] = field(default_factory=list)  # names that could not be decoded
    fingerprints: dict[str, str] = field(default_factory=dict)
    reused: bool = False  # true: the run had already ended, nothing was trained now
    tracker_lines: list[str] = field(default_factory=list)  # what a user can do with wandb's files


def write_result(result: TrainResult) -> None:
    """Write result.json into the run folder, whole or not at all."""
    row = asdict(result)
    del row["folder"], row["reused"], row["tracker_lines"]
    row["outcome"] = result.outcome.value
    row["weights"] = None if result.weights is None else result.weights.name
    row["val_losses"] = [  # null is what JSON has for a loss that is not finite
        (step, value if math.isfinite(value) else None) for step, value in result.val_losses
    ]
    write_json(result.folder / "result.json", {"schema": SCHEMA, **row})


def read_result(folder: Path) -> TrainResult | None:
    """The result of an earlier start of this run; None while it has not ended."""
    path = folder / "result.json"
    if not path.exists():
        return None
    row = json.loads(path.read_text(encoding="utf-8"))
    row.pop("schema")
    row["outcome"] = Outcome(row["outcome"])
    row["weights"] = None if row["weights"] is None else folder / row["weights"]
    row["val_losses"] = [
        (int(step), math.nan if value is None else float(value)) for step, value in row["val_losses"]
    ]
    return TrainResult(folder=folder, **row)
