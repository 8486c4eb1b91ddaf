"""Checkpoints: all that the next step depends on, in one file that is there whole or not at all."""

import logging
import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

_log = logging.getLogger(__name__)
_KEPT = 2  # the newest, and one to fall back on
SCHEMA = 1


@dataclass(kw_only=True, slots=True)
class Checkpoint:
    """The state after `step` optimizer steps; random numbers need none, they are functions of the step."""

    step: int
    network: dict[str, torch.Tensor]
    optimizer: dict[str, Any]  # torch's own state_dict
    lr_schedule: dict[str, Any]
    grad_scaler: dict[str, Any] | None = None  # fp16 only
    losses: list[float] = field(default_factory=list)  # one a step since step 1
    val_losses: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0  # spent up to here, of all starts together


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write step000100.pt under a temporary name, flush it to the disk, rename it, drop older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step{checkpoint.step:06d}.pt"
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    row = {"schema": SCHEMA, **{name: getattr(checkpoint, name) for name in Checkpoint.__slots__}}
    with partial.open("wb") as stream:
        torch.save(row, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    flush_folder(folder)
    for older in _newest_first(folder)[_KEPT:]:
        older.unlink()
    for orphan in folder.glob(".*.partial"):
        orphan.unlink(missing_ok=True)
    return path


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest readable checkpoint; an unreadable one is named and passed over."""
    for path in _newest_first(folder):
        try:
            row = torch.load(path, map_location="cpu", weights_only=True)
            if row.pop("schema") == SCHEMA:
                return Checkpoint(**row)
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            _log.warning("checkpoint %s cannot be read (%s); the one before it is used", path.name, error)
    return None


def drop_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that is complete."""
    for path in folder.glob("step*.pt"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, so that a rename survives a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step*.pt"), reverse=True)
