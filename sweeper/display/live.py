"""What a sweep shows while it runs: live lines on a terminal, elsewhere one plain line a trial that ended."""

import logging
import threading
import time
from collections.abc import Callable
from io import TextIOWrapper
from types import TracebackType

from rich.console import Console
from rich.live import Live

from sweeper.display.lines import ENDED, Seen, ended_line, live_view, see
from sweeper.display.worker_status import read_workers
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Phase, StudyRecord

REFRESH = 0.5  # seconds between two pictures of the display
READ_EVERY = 1.0  # seconds between two reads of the study
READ_SHARE = 10  # a read that takes long is followed by a pause so many times as long
_LAST = 5.0  # seconds that the end waits for a read at work

_log = logging.getLogger(__name__)


def terminal_console(console: Console) -> Console:
    """A console on the same stream for good: while trials send standard output to files of their own."""
    stream = console.file
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a study's name may hold what no terminal can show
    return Console(file=stream, force_terminal=console.is_terminal)


class SweepDisplay:
    """A thread of the controlling process that looks at the study; it never raises into the sweep."""

    def __init__(self, read: Callable[[], StudyRecord], folder: StudyFolder, console: Console) -> None:
        """read: the study as it stands, called in the display's thread, at most once a second."""
        self._read, self._folder = read, folder
        self._console = terminal_console(console)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._live: Live | None = None
        self._seen: Seen | None = None
        self._told: set[tuple[Phase, int]] | None = None  # ends that were shown, or were there at the start
        self._next_read = self._started = time.monotonic()
        self._complained = False

    def __enter__(self) -> "SweepDisplay":
        self._started = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_LAST)
        if self._live is not None:
            self._live.stop()

    def _run(self) -> None:
        last = False
        while not last:
            last = self._stop.wait(REFRESH if self._seen is not None else 0.0)
            try:
                self._look(at_once=last)
            except Exception as error:  # a display is never worth a sweep
                self._complain(error)
                last = last or self._stop.wait(READ_EVERY)

    def _look(self, *, at_once: bool) -> None:
        if at_once or self._seen is None or time.monotonic() >= self._next_read:
            began = time.monotonic()
            self._seen = see(self._read())
            took = time.monotonic() - began
            self._next_read = began + max(READ_EVERY, READ_SHARE * took)
        if self._live is not None:
            self._show(self._live, self._seen)
        else:
            self._print_ends(self._seen)

    def _show(self, live: Live, seen: Seen) -> None:
        workers = read_workers(self._folder)
        elapsed = time.monotonic() - self._started
        live.update(live_view(seen, workers, elapsed=elapsed, now=time.time()), refresh=True)

    def _print_ends(self, seen: Seen) -> None:
        ended = [trial for trial in seen.runs if trial.state in ENDED]
        if self._told is None:  # trials of earlier starts
            self._told = {(trial.phase, trial.number) for trial in ended}
        new = [trial for trial in ended if (trial.phase, trial.number) not in self._told]
        for trial in sorted(new, key=lambda one: one.ended.timestamp() if one.ended else 0.0):
            self._told.add((trial.phase, trial.number))
            self._console.print(ended_line(trial, seen), soft_wrap=True)

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("the display of the sweep can't be refreshed (%s: %s)", type(error).__name__, error)
