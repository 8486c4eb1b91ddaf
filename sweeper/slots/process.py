"""One fresh interpreter in a slot: started, signalled, and told in words when it died."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hydra.core.utils import JobReturn

from sweeper.slots.job import read_return
from sweeper.slots.places import Slot
from sweeper.slots.relay import Relay

_SCRIPT = Path(__file__).with_name("child.py")
INTERRUPTED = 130  # exit code of a job that Ctrl-C or SIGTERM ended
_LAST_WORDS = 2.0  # seconds that output is waited for after the end


class SlotProcess:
    """A process that works on one job.

    It has a process group of its own: the terminal's Ctrl-C reaches the parent only, which passes it on once;
    and when it is killed, the processes that it has started (readers of pictures) go with it.
    """

    def __init__(self, slot: Slot, packed: bytes, result: Path, environ: Mapping[str, str]) -> None:
        self.slot = slot
        self._result = result
        self._started, self._ended = time.monotonic(), 0.0
        self._process = subprocess.Popen(
            [sys.executable, str(_SCRIPT), str(result)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environ, **slot.environment},
            process_group=0,
        )
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        self._relays = (
            Relay(process.stdout, slot=slot.number, to="stdout"),
            Relay(process.stderr, slot=slot.number, to="stderr"),
        )
        self._line = process.stdin
        threading.Thread(target=self._tell, args=(packed,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process itself; its group has the same number."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """From the start until now, or to its end."""
        return (self._ended or time.monotonic()) - self._started

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        if self._process.poll() is None:
            return False
        self._ended = self._ended or time.monotonic()
        return True

    @property
    def was_interrupted(self) -> bool:
        """Whether somebody sent it Ctrl-C or SIGTERM, and it ended by that."""
        return self._process.returncode in (INTERRUPTED, -signal.SIGINT, -signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """To the process alone: it tells its own helpers."""
        if not self.has_ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """At once, with all that it has started; does not wait, as a signal's handler must not."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> JobReturn | None:
        """After the end: the last output is shown, and the job's return is read; None if there is none."""
        self._process.wait()
        ended = read_return(self._result)
        if ended is None:
            self.kill()  # orphans of a process that died would keep its GPU memory
        for relay in self._relays:
            relay.wait(_LAST_WORDS)
        with suppress(OSError):
            self._line.close()
        return ended

    def death(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        who = f"the process of slot {self.slot.number} ({self.slot.device}, process {self.pid})"
        if self.was_interrupted:
            return f"{who} was interrupted, after {self.seconds:.0f} s"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            memory = ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
            return f"{who} was killed by {name}{memory}, after {self.seconds:.0f} s"
        return f"{who} ended with exit code {code} and without a result, after {self.seconds:.0f} s"

    def _tell(self, packed: bytes) -> None:
        """Write the job into the line, which stays open: in a thread, as a pipe holds 64 KiB."""
        with suppress(OSError):  # it died before it had read: seen by its end
            self._line.write(len(packed).to_bytes(8, "little") + packed)
            self._line.flush()
