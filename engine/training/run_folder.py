"""The folder of a run: held by one process, and refused to a run on other data."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from engine.compose.plan import Plan
from engine.compose.record import (
    FILE_NAME,
    RunRecord,
    changed_inputs,
    make_record,
    read_run_yaml,
    write_run_yaml,
)
from engine.compose.start_file import start_fingerprint
from engine.config import ConfigError, RunConfig
from engine.data.fingerprints import dataset_fingerprint, difference, picture_fingerprints
from engine.data.json_file import write_json
from engine.models.checkpoint import fingerprints_of

_LOCK = ".lock"
_PICTURES = "pictures.json"  # the fingerprint of each
_SCHEMA = 1


class FolderInUseError(ConfigError):
    """Another process is at work in the folder of a run."""


@dataclass(kw_only=True, slots=True, frozen=True)
class OpenedFolder:
    """What a run knows once its folder is its own."""

    record: RunRecord  # as run.yaml has it now
    earlier: RunRecord | None  # as it was; None = the first start


@contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Make the folder and keep others out of it while the block runs; FolderInUseError if one is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FolderInUseError(
            f"output_dir={folder.parent}: another process is at work on {folder.name}. "
            "Wait for it, or change an option."
        ) from error
    try:
        yield
    finally:
        lock.release()


def open_folder(run: RunConfig, plan: Plan) -> OpenedFolder:
    """Write run.yaml, after a look at what an earlier start wrote there.

    force=true  empties the folder first
    raises      ConfigError when the pictures, the captions or the base are no longer those of that start
    """
    if run.force:
        _clear(plan.folder)
    pictures = picture_fingerprints(plan.scan)
    inputs = {"data": dataset_fingerprint(pictures), "base": fingerprints_of(run.model).base}
    inputs |= start_fingerprint(run)
    changed = changed_inputs(plan.folder, inputs)
    if changed:
        which = _difference(plan.folder, pictures)
        raise ConfigError(
            [
                f"{change}{which if key == 'data' else ''}. Its weights would be of neither. "
                "Add force=true to start afresh, or another name=... to keep both."
                for key, change in changed.items()
            ]
        )
    if not (plan.folder / _PICTURES).is_file():
        write_json(plan.folder / _PICTURES, {"schema": _SCHEMA, "pictures": pictures})
    earlier = read_run_yaml(plan.folder) if (plan.folder / FILE_NAME).is_file() else None
    threads = plan.threads
    if earlier is not None and run.training.threads is None:
        threads = earlier.threads  # sums of another number of threads differ in the last bit
    record = make_record(run, plan.sources, fingerprints=inputs, threads=threads, device=plan.device)
    write_run_yaml(plan.folder, record)
    return OpenedFolder(record=read_run_yaml(plan.folder), earlier=earlier)


def _difference(folder: Path, now: Mapping[str, str]) -> str:
    """Which pictures are other ones, where the earlier start wrote down what they were."""
    try:
        before = json.loads((folder / _PICTURES).read_text(encoding="utf-8"))["pictures"]
        return f"; {difference(before, now)}"
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _clear(folder: Path) -> None:
    """Everything goes but the lock; the record first, so that half of it is not taken for a run."""
    (folder / FILE_NAME).unlink(missing_ok=True)
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if path.name == _LOCK:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(path)
        else:
            path.unlink()
