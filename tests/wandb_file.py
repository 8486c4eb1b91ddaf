"""Reads a run's .wandb file: what a test can hold wandb's offline mode to."""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wandb.proto import wandb_internal_pb2

_BLOCK = 32 * 1024  # leveldb's log format: blocks of 32 KiB, records split at their ends
_FILE_HEADER = 7
_CLOSING_SECONDS = 2.0  # how long wandb's process may take to write the rest of a run that has ended
_POLL_SECONDS = 0.02
_RECORD_HEADER = struct.Struct("<IHB")  # checksum, length, kind (1 full, 2 first, 3 middle, 4 last)


@dataclass(slots=True)
class LoggedRun:
    """What was logged, as wandb stores it; names of history and summary are joined with dots."""

    run: wandb_internal_pb2.RunRecord
    config: dict[str, object] = field(default_factory=dict)
    history: list[dict[str, object]] = field(default_factory=list)
    summary: dict[str, object] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)  # name or glob -> the metric on its x-axis
    exit_code: int | None = None
    kinds: set[str] = field(default_factory=set)  # which kinds of records the file holds


def read_wandb_run(folder: Path) -> LoggedRun:
    """The only .wandb file below a folder.

    wandb's process writes the last of it some milliseconds after finish() has returned; a run that was
    killed never gets its end, and is read as it is.
    """
    (path,) = folder.rglob("*.wandb")
    deadline = time.monotonic() + _CLOSING_SECONDS
    size, logged = -1, _read(path)
    while (logged.exit_code is None or path.stat().st_size != size) and time.monotonic() < deadline:
        size = path.stat().st_size
        time.sleep(_POLL_SECONDS)
        logged = _read(path)
    return logged


def _read(path: Path) -> LoggedRun:
    logged = LoggedRun(run=wandb_internal_pb2.RunRecord())
    for data in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        _add(logged, record)
    return logged


def _records(data: bytes) -> Iterator[bytes]:
    position, parts = _FILE_HEADER, b""
    while position + _RECORD_HEADER.size <= len(data):
        if _BLOCK - position % _BLOCK < _RECORD_HEADER.size:  # too little room for a header: padding
            position += _BLOCK - position % _BLOCK
            continue
        _, length, kind = _RECORD_HEADER.unpack_from(data, position)
        position += _RECORD_HEADER.size
        if position + length > len(data):  # still being written
            return
        parts += data[position : position + length]
        position += length
        if kind in (1, 4):
            yield parts
            parts = b""


def _add(logged: LoggedRun, record: wandb_internal_pb2.Record) -> None:
    kind = record.WhichOneof("record_type") or ""
    logged.kinds.add(kind)
    if kind == "run":
        logged.run.CopyFrom(record.run)
        logged.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    elif kind == "history":
        logged.history.append(_values(record.history.item))
    elif kind == "summary":
        logged.summary |= _values(record.summary.update)
    elif kind == "metric":
        name = record.metric.name or record.metric.glob_name
        logged.step_metrics[name] = record.metric.step_metric
    elif kind == "exit":
        logged.exit_code = record.exit.exit_code


def _values(items: "list[wandb_internal_pb2.HistoryItem]") -> dict[str, object]:
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}
