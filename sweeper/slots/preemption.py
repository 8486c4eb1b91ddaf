"""A cluster's warning that a job's time is over: its trial ends cleanly before the job is queued again."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], object]
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # submitit's is SIGUSR2, or what SUBMITIT_PREEMPT_SIGNAL names


@contextmanager
def preemptible() -> Iterator[None]:
    """In this block a launcher's own handler of a warning is called at the end instead of at once.

    submitit's queues the job again and leaves the program by SystemExit, wherever that is: in the middle of a
    step, where a trial takes it for its own failure. Here the warning becomes a SIGTERM, which finishes the
    step, saves, and hands the trial back; then the launcher's handler gets its turn. A signal that nobody
    handles is left alone.
    """
    former: dict[signal.Signals, _Handler] = {}
    received: list[signal.Signals] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if not received:  # Slurm may warn again; a second SIGTERM would not finish the step
            received.append(signal.Signals(number))
            signal.raise_signal(signal.SIGTERM)

    if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids handlers
        for warning in _WARNINGS:
            handler = signal.getsignal(warning)
            if callable(handler):
                former[warning] = handler
                signal.signal(warning, note)
    try:
        yield
    finally:
        for warning, handler in former.items():
            signal.signal(warning, handler)
    if received:
        former[received[0]](received[0], None)
