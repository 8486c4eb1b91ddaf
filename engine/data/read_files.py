"""Small reads of many files: one after the other from memory, several at a time from a slow disk."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_PROBE = 16  # files read one after the other, to see whether the disk has to be waited for
_SLOW = 0.5  # waits a file, above which threads gain more than they cost
_AT_ONCE = 1024  # files that are then read by threads before the next probe
_THREADS = 16  # they wait, and compute next to nothing
_TASK = 32  # files of one task: a task for each would cost more than its read

_Read = TypeVar("_Read")


def read_files(read: Callable[[str], _Read], names: Sequence[str]) -> Iterator[_Read]:
    """What a function reads for each name, in their order.

    Python lets one thread compute at a time, so threads slow down reads from memory, while those from a
    disk or a network overlap. benchmarks/data.py has the figures.
    """
    with ThreadPoolExecutor(_THREADS) as threads:  # none is started before it has something to do
        start = 0
        while start < len(names):
            before, stop = _num_waits(), start + _PROBE
            yield from [read(name) for name in names[start:stop]]
            start = stop
            if _num_waits() - before > _SLOW * _PROBE:
                stop = start + _AT_ONCE
                tasks = [names[at : min(at + _TASK, stop)] for at in range(start, stop, _TASK)]
                for done in threads.map(lambda task: [read(name) for name in task], tasks):
                    yield from done
                start = stop


def _num_waits() -> int:
    """How often this thread has had to wait; always 0 where the system does not count it.

    Time would not tell a slow disk from cores that are busy with other programs.
    """
    if sys.platform != "linux":
        return 0
    from resource import RUSAGE_THREAD, getrusage

    return getrusage(RUSAGE_THREAD).ru_nvcsw
