"""All jobs of a launch, as many at a time as there are slots."""

import os
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hydra.core.utils import JobReturn

from sweeper.slots.job import SlotError, Work, failed, pack_job, pack_shared
from sweeper.slots.places import Slot
from sweeper.slots.process import SlotProcess
from sweeper.slots.relay import say

_LOOK = 0.05  # seconds between two looks at the processes
_GRACE = 10.0  # seconds; a job that died earlier would die again
_PATIENCE = 30.0  # seconds that jobs have to end after an error of ours


class Pool:
    """The slots at work on the jobs of one launch."""

    def __init__(
        self, work: Work, jobs: Sequence[Sequence[str]], slots: Sequence[Slot], *, first: int, restarts: int
    ) -> None:
        """first: the number of the first job; restarts: how often a job whose process died is begun again."""
        self._shared = pack_shared(work)
        self._jobs, self._first, self._restarts = jobs, first, restarts
        self._free = deque(slots)
        self._waiting = deque(range(len(jobs)))
        self._tries = [0] * len(jobs)
        self._returns: dict[int, JobReturn] = {}
        self._running: dict[int, SlotProcess] = {}
        self._stopped: signal.Signals | None = None  # what the user sent first
        self._killed = self._announced = False

    def run(self) -> list[JobReturn]:
        """Every job's return, in the order of the jobs.

        After Ctrl-C or SIGTERM no job is started any more, those at work are waited for; a second one kills.
        raises  KeyboardInterrupt if jobs are without a return then
        """
        with (
            tempfile.TemporaryDirectory(prefix="slots-", ignore_cleanup_errors=True) as folder,
            self._signals(),
        ):
            try:
                self._work(Path(folder))
            finally:
                self._end_all()
        if len(self._returns) < len(self._jobs):
            raise KeyboardInterrupt
        return [self._returns[job] for job in range(len(self._jobs))]

    def _work(self, folder: Path) -> None:
        while self._running or (self._waiting and self._stopped is None):
            while self._waiting and self._free and self._stopped is None:
                self._start(self._waiting.popleft(), folder)
            for job in [job for job, process in self._running.items() if process.has_ended]:
                self._take(job)
            self._announce_stop()
            time.sleep(_LOOK)

    def _start(self, job: int, folder: Path) -> None:
        packed = pack_job(self._shared, overrides=self._jobs[job], number=self._first + job)
        result = folder / f"{job}-{self._tries[job]}"
        process = SlotProcess(self._free.popleft(), packed, result, os.environ)
        self._running[job] = process
        if self._stopped is not None:  # it came while the process was being made
            process.signal(self._stopped)

    def _take(self, job: int) -> None:
        """The return of a job whose process has ended, or another try."""
        process = self._running.pop(job)
        ended = process.close()
        self._free.append(process.slot)
        if ended is not None:
            self._returns[job] = ended
        elif self._stopped is None:
            self._restart_or_fail(job, process)

    def _restart_or_fail(self, job: int, process: SlotProcess) -> None:
        slot, seconds = process.slot.number, process.seconds
        may_again = seconds > _GRACE and not process.was_interrupted
        if self._tries[job] < self._restarts and may_again:
            self._tries[job] += 1
            say(f"{process.death()}: started again ({self._tries[job]} of {self._restarts})", slot=slot)
            self._waiting.appendleft(job)
            return
        again = f" ({self._tries[job]} restarts before)" if self._tries[job] else ""
        say(f"{process.death()}{again}", slot=slot)
        self._returns[job] = failed(self._jobs[job], SlotError(process.death() + again))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        former = {}
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                former[number] = signal.signal(number, self._note)
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._stopped is None:
            self._stopped = signal.Signals(number)
            for process in list(self._running.values()):
                process.signal(self._stopped)
        elif not self._killed:
            self._killed = True
            for process in list(self._running.values()):
                process.kill()

    def _announce_stop(self) -> None:
        """Not from the handler of the signal, which may have come in the middle of another line."""
        if self._stopped is not None and not self._announced and self._running:
            self._announced = True
            count = len(self._running)
            who = "the process at work is" if count == 1 else f"the {count} processes at work are"
            say(f"{self._stopped.name}: {who} finishing the step; Ctrl-C again ends at once", slot=None)

    def _end_all(self) -> None:
        """Nothing runs on when the launch is left by an error."""
        for process in self._running.values():
            process.signal(signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        while any(not process.has_ended for process in self._running.values()) and time.monotonic() < until:
            time.sleep(_LOOK)
        for process in self._running.values():
            process.kill()
