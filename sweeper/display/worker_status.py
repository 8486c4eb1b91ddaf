"""What each worker is at: a small file for each in the study's folder, read by displays only."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sweeper.study.folder import StudyFolder
from sweeper.study.process import is_surely_dead, this_process
from sweeper.study.records import Phase

WRITE_EVERY = 0.5  # seconds between two writes for steps; a new trial or activity is written at once
FORGOTTEN = 86_400.0  # seconds; a worker of another machine that said nothing for so long is gone


@dataclass(kw_only=True, slots=True, frozen=True)
class WorkerStatus:
    """One worker as it last said. Times are seconds since 1970 by its own clock."""

    worker: str  # host:process
    process: Mapping[str, object] = field(default_factory=dict)  # Process.as_json()
    slot: int | None = None  # of hydra/launcher=gpus
    device: str = ""  # "gpu 0", "cpu"
    activity: str = "starting"  # "training", "drawing pictures", "scoring", "waiting for others"
    trial: int | None = None  # None: it has none at the moment
    phase: Phase = Phase.search
    step: int = 0
    first_step: int = 0  # where this start of the trial went on from
    total_steps: int = 0
    loss: float | None = None
    trial_started: float = 0.0  # this start of the trial
    started: float = 0.0  # the worker
    updated: float = 0.0


class StatusFile:
    """A worker's own file. A full disk or a lost folder must not end a trial: it is then not written."""

    def __init__(self, folder: StudyFolder, *, slot: int | None = None, device: str = "") -> None:
        """slot, device: where the worker runs; nothing is written yet."""
        process = this_process()
        self._path = folder.worker_file(process.host, process.pid)
        now = time.time()
        self._status = WorkerStatus(
            worker=process.label, process=process.as_json(), slot=slot, device=device, started=now
        )
        self._written = 0.0

    def begin(self, trial: int, phase: Phase) -> None:
        """A trial was claimed."""
        fresh = replace(
            self._status, trial=trial, phase=phase, activity="starting", trial_started=time.time()
        )
        self._status = replace(fresh, step=0, first_step=0, total_steps=0, loss=None)
        self._write()

    def resume(self, first_step: int, total_steps: int) -> None:
        """The training starts, after `first_step` steps of an earlier start."""
        self._status = replace(
            self._status, activity="training", step=first_step, first_step=first_step, total_steps=total_steps
        )
        self._write()

    def step(self, step: int, loss: float) -> None:
        """A step is done; written at most twice a second."""
        self._status = replace(self._status, step=step, loss=loss)
        if time.monotonic() - self._written >= WRITE_EVERY:
            self._write()

    def activity(self, words: str) -> None:
        """What it does now, as a person says it."""
        if words != self._status.activity:
            self._status = replace(self._status, activity=words)
            self._write()

    def idle(self, words: str) -> None:
        """It has no trial at the moment, and why."""
        if self._status.trial is not None or words != self._status.activity:
            self._status = replace(self._status, trial=None, activity=words)
            self._write()

    def close(self) -> None:
        """The worker ends."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = time.monotonic()
        self._status = replace(self._status, updated=time.time())
        row = asdict(self._status) | {"phase": self._status.phase.value}
        half = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        with suppress(OSError):  # no fsync either: it is worth nothing after a power cut
            half.write_text(json.dumps(row), encoding="utf-8")
            half.replace(self._path)


def read_workers(folder: StudyFolder) -> list[WorkerStatus]:
    """The workers at work, by slot and name; those of dead processes of this machine are left out."""
    found = [_read(path) for path in sorted(folder.workers.glob("*.json"))]
    living = [status for status in found if status is not None and _may_live(status)]
    return sorted(living, key=lambda one: (one.slot is None, one.slot or 0, one.worker))


def _read(path: Path) -> WorkerStatus | None:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return WorkerStatus(**{**row, "phase": Phase(row["phase"])})
    except (OSError, ValueError, TypeError, KeyError):  # just removed, or of another version
        return None


def _may_live(status: WorkerStatus) -> bool:
    if is_surely_dead(status.process, last_sign=status.updated):
        return False
    return time.time() - status.updated < FORGOTTEN
