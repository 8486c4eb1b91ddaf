"""What a slot's process prints, line by line on our own terminal, with the slot's number before it."""

import sys
import threading
from typing import IO, Literal

_LONGEST = 1 << 16  # bytes of a line that are shown in one piece
_lock = threading.Lock()  # a line of one slot stays whole beside those of others


def say(text: str, *, slot: int | None, to: Literal["stdout", "stderr"] = "stderr") -> None:
    """One line, on what standard output or error are at this moment: a live display above which it shows."""
    stream = sys.stdout if to == "stdout" else sys.stderr
    line = f"[slot {slot}] {text}\n" if slot is not None else f"{text}\n"
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with _lock:
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


class Relay:
    """A thread that passes one pipe on until all that write into it have ended."""

    def __init__(self, pipe: IO[bytes], *, slot: int, to: Literal["stdout", "stderr"]) -> None:
        self._pipe, self._slot, self._to = pipe, slot, to
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Let it show what was printed before the end; a grandchild may hold the pipe open for longer."""
        self._thread.join(seconds)

    def _pass_on(self) -> None:
        for line in iter(lambda: self._pipe.readline(_LONGEST), b""):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            try:
                say(text.rsplit("\r", 1)[-1], slot=self._slot, to=self._to)
            except (
                OSError,
                ValueError,
            ):  # our own output is gone: the job's must still be taken, or it blocks
                continue
        self._pipe.close()
