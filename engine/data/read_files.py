"""Headers and captions of many files, by several processes where there are thousands to read."""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, cast

from engine.data.read_worker import HEADERS, TEXTS, do_job

_FILES_OF_A_PROCESS = 2000  # at least: it takes about 25 ms to start, and 10 us to read a header
_MOST_PROCESSES = 8
_HEAD_START = 0.4  # of a share: what this process does more, since it has not to start first
_PROJECT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from engine.data.read_worker import main; main()"


def read_headers(top: str, names: Sequence[str], *, most_pixels: float) -> list[tuple[int, int] | None]:
    """Width and height of each picture of a folder, as header_bytes.read_header gives them."""
    found = cast("list[Sequence[int] | None]", _read(HEADERS, top, names, most_pixels))
    return [None if size is None else (size[0], size[1]) for size in found]


def read_texts(top: str, names: Sequence[str]) -> list[str | None]:
    """The text of each caption file of a folder; None where caption_text.read_text says why there is none."""
    return cast("list[str | None]", _read(TEXTS, top, names, math.inf))


def _read(kind: str, top: str, names: Sequence[str], most_pixels: float) -> list[object]:
    """Shared between this process and others, which are no forks and do not import the main program."""
    num = max(1, min(_num_cores(), _MOST_PROCESSES, len(names) // _FILES_OF_A_PROCESS))
    share = math.ceil(len(names) / (num + _HEAD_START)) if num > 1 else len(names)
    own = len(names) - (num - 1) * share
    starts = [0, *range(own, len(names), share or 1)]
    jobs: list[dict[str, object]] = [
        {"kind": kind, "top": top, "names": names[start:stop], "most_pixels": float(most_pixels)}
        for start, stop in pairwise([*starts, len(names)])
    ]
    started = [_start(job) for job in jobs[1:]]
    found = do_job(jobs[0])
    for job, process in zip(jobs[1:], started, strict=True):
        results = None if process is None else process.results()
        found += do_job(job) if results is None else results
    return found


@dataclass(kw_only=True, slots=True, frozen=True)
class _Process:
    """A job that is being done elsewhere. Files instead of pipes: neither side waits for the other."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def results(self) -> list[object] | None:
        """None where it failed."""
        with self.output, self.process:
            if self.process.wait() != 0:
                return None
            self.output.seek(0)
            return cast("list[object]", json.loads(self.output.read()))


def _start(job: dict[str, object]) -> _Process | None:
    """A process of its own for a job, or None where none can be started."""
    command = [sys.executable, "-I", "-S", "-c", _START, str(_PROJECT)]
    try:
        output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by results)
        with tempfile.TemporaryFile() as content:
            content.write(json.dumps(job).encode())
            content.seek(0)
            process = subprocess.Popen(command, stdin=content, stdout=output, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return _Process(process=process, output=output)


def _num_cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
