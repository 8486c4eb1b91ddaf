"""The journal file: a line an operation, mended where a kill or a full disk tore its last line."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from optuna.storages.journal import BaseJournalBackend

from sweeper.study.lock import file_lock


class TornJournalError(RuntimeError):
    """A line in the middle of the journal is not JSON: the file was changed by something else."""


class MendingJournal(BaseJournalBackend):
    """Optuna's journal format under a lock that the kernel frees when its holder dies.

    Optuna's own locks are files that must age for 30 s after a kill, and its writer appends to a torn line,
    after which nobody can read the file. Here the writer drops what a broken write left (it is kept in
    <name>.torn), and a reader takes whole lines only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._torn_path = path.with_name(f"{path.name}.torn")
        self._offsets = [0]  # byte at which log n starts; the last one: the end of what was read
        self._is_checked = False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The logs from a number on, oldest first; what is being written is left for the next call."""
        while len(self._offsets) <= log_number_from:
            if not self._read_lines(len(self._offsets) - 1):
                return iter(())
        return iter(self._read_lines(log_number_from))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines and wait for the disk; a full one (OSError) leaves the file as it was."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with file_lock(self._lock_path), self._path.open("r+b", buffering=0) as stream:
            end = self._mend(stream)
            stream.seek(end)
            try:
                _write_all(stream, lines)
            except OSError:
                os.ftruncate(stream.fileno(), end)  # readers have not taken it: its newline is missing
                raise
            os.fsync(stream.fileno())

    def __getstate__(self) -> dict[str, object]:
        return {"path": self._path}

    def __setstate__(self, state: Mapping[str, Path]) -> None:
        MendingJournal.__init__(self, state["path"])

    def _read_lines(self, number: int) -> list[dict[str, Any]]:
        try:
            return self._read_lines_now(number)
        except TornJournalError:
            with file_lock(self._lock_path):  # it may have been mended between two blocks of the read
                return self._read_lines_now(number)

    def _read_lines_now(self, number: int) -> list[dict[str, Any]]:
        with self._path.open("rb", buffering=0) as stream:
            stream.seek(self._offsets[number])
            data = stream.read()
        logs: list[dict[str, Any]] = []
        offsets = [self._offsets[number]]
        lines = data.split(b"\n")[:-1]
        for index, line in enumerate(lines):
            log = _parsed(line)
            if log is None:
                if all(_parsed(later) is None for later in lines[index:]):
                    break  # a torn end, or one that is being mended this very moment
                raise TornJournalError(
                    f"{self._path}: line {number + index + 1} is not JSON. Restore the file from a copy, "
                    "or delete that line if it holds nothing that matters."
                )
            logs.append(log)
            offsets.append(offsets[-1] + len(line) + 1)
        self._offsets[number:] = offsets
        return logs

    def _mend(self, stream: IO[bytes]) -> int:
        """Drop an incomplete last line; returns the end of the last whole one, in bytes."""
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            return 0
        if self._is_checked and _bytes_at(stream, size - 1, size) == b"\n":
            return size
        whole = _end_of_whole_lines(stream, size)
        if whole < size:
            with self._torn_path.open("ab") as torn:
                torn.write(_bytes_at(stream, whole, size) + b"\n")
            os.ftruncate(stream.fileno(), whole)
        self._is_checked = True
        return whole


def _write_all(stream: IO[bytes], data: bytes) -> None:
    while data:
        data = data[stream.write(data) :]


def _end_of_whole_lines(stream: IO[bytes], size: int) -> int:
    """The byte after the last line that ends and is JSON; one write may leave several lines torn."""
    end = size
    while end > 0:
        start = _line_start(stream, end)
        line = _bytes_at(stream, start, end)
        if line.endswith(b"\n") and _parsed(line) is not None:
            return end
        end = start
    return 0


def _line_start(stream: IO[bytes], end: int) -> int:
    """The first byte of the line whose last byte (a newline or not) is end - 1."""
    block = 1 << 16
    low = end - 1
    while low > 0:
        start = max(0, low - block)
        found = _bytes_at(stream, start, low).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        low = start
    return 0


def _bytes_at(stream: IO[bytes], start: int, end: int) -> bytes:
    stream.seek(start)
    return stream.read(end - start)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        log = json.loads(line)
    except ValueError:
        return None
    return log if isinstance(log, dict) else None


def read_whole_lines(path: Path) -> Sequence[dict[str, Any]]:
    """All logs of a journal, for tests and for whoever looks into one by hand."""
    return list(MendingJournal(path).read_logs(0))
