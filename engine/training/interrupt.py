"""Ctrl-C and SIGTERM: while a run trains, the step in hand is finished and saved before it ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """A context in which both signals raise KeyboardInterrupt, but for the first one in a patient block."""

    def __init__(self) -> None:
        self.signal: str | None = None  # the name of the one that a patient block held back
        self._patient = False
        self._former: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]

    @contextmanager
    def patient(self) -> Iterator[None]:
        """In this block the first signal only leaves its name; the second stops at once."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None or not self._patient:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name
