"""What ends a trial from another thread: it was taken over by another worker, or it hangs."""

import os
import signal
import sys
import threading
import time

GRACE_SECONDS = 20.0  # for the step in hand to end and be saved; then again, until the trial gives way
GRACE_SHARE = 0.25  # of the lease at most: the trial must be free before another worker takes it
EXIT_CODE = 75  # of a process that cannot be moved at all; a launcher may start it again


class Ender:
    """Interrupts the main thread as Ctrl-C would; ends the process where that has no effect."""

    def __init__(self, lease: float) -> None:
        """lease: seconds without a sign of life after which others take the trial."""
        self._grace = min(GRACE_SECONDS, GRACE_SHARE * lease)
        self.reason: str | None = None  # why the trial was ended; None: it was not
        self._done = threading.Event()

    def __call__(self, reason: str) -> None:
        """Called by the lease, in its thread."""
        self.reason = reason
        for _ in range(2):  # the first one lets the step end, the second does not
            _interrupt()
            if self._done.wait(self._grace):
                return
        sys.__stderr__ and print(f"{reason}; this worker cannot be stopped and ends", file=sys.__stderr__)
        os._exit(EXIT_CODE)

    def done(self) -> None:
        """The trial has come back."""
        self._done.set()


def _interrupt() -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # a real signal: it also wakes a thread that sleeps
    else:
        import _thread

        _thread.interrupt_main()
    time.sleep(0)
