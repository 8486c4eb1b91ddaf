"""Reads headers and captions of many files in one process of several, and imports next to nothing."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from engine.data.caption_text import text_or_none
from engine.data.header_bytes import read_header

HEADERS, TEXTS = "headers", "texts"

_PROBE = 16  # files read one after the other, to see whether the disk has to be waited for
_SLOW = 0.5  # waits a file, above which threads gain more than they cost
_AT_ONCE = 1024  # files that are then read by threads before the next probe
_THREADS = 8  # of a process; with 4 processes 4 to 16 are as fast on a disk, more help a network
_TASK = 32  # files of one task: a task for each would cost more than its read

_Read = TypeVar("_Read")


def main() -> None:
    """A job in JSON on the standard input, its results in JSON on the standard output."""
    json.dump(do_job(json.loads(sys.stdin.buffer.read())), sys.stdout)


def do_job(job: dict[str, object]) -> list[object]:
    """What was read of each file, None where somebody has to look closer."""
    top, names, most_pixels = job["top"], job["names"], job["most_pixels"]
    assert isinstance(names, list)
    assert isinstance(most_pixels, float)
    if job["kind"] == HEADERS:
        return list(_read_each(lambda name: read_header(f"{top}/{name}", most_pixels=most_pixels), names))
    return list(_read_each(lambda name: text_or_none(f"{top}/{name}"), names))


def _read_each(read: Callable[[str], _Read], names: Sequence[str]) -> Iterator[_Read]:
    """What a function reads for each name, in their order.

    Python lets one thread compute at a time, so threads slow down reads from memory, while those from a
    disk or a network overlap.
    """
    start = 0
    while start < len(names):
        before, stop = _num_waits(), start + _PROBE
        yield from [read(name) for name in names[start:stop]]
        start = stop
        if _num_waits() - before > _SLOW * _PROBE:
            yield from _in_threads(read, names[start : start + _AT_ONCE])
            start += _AT_ONCE


def _in_threads(read: Callable[[str], _Read], names: Sequence[str]) -> Iterator[_Read]:
    from concurrent.futures import ThreadPoolExecutor

    tasks = [names[start : start + _TASK] for start in range(0, len(names), _TASK)]
    with ThreadPoolExecutor(_THREADS) as threads:
        for done in threads.map(lambda task: [read(name) for name in task], tasks):
            yield from done


def _num_waits() -> int:
    """How often this thread has had to wait; always 0 where the system does not count it.

    Time would not tell a slow disk from cores that are busy with other programs.
    """
    if sys.platform != "linux":
        return 0
    from resource import RUSAGE_THREAD, getrusage

    return getrusage(RUSAGE_THREAD).ru_nvcsw
