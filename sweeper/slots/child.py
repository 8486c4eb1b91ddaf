"""The process of a slot: started as a script, it reads one job from its standard input and runs it.

Its input is its life line too: it ends when the parent dies, however that is, and the job is interrupted.
"""

import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def main(result: Path) -> int:
    """The job to its end; its return is left in `result`. Returns the exit code."""
    line = _take_input()
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    length = int.from_bytes(_read(line, 8), "little")
    sys.path[:], sys.argv[:], shared, overrides, number = pickle.loads(
        _read(line, length)
    )  # our parent's bytes
    threading.Thread(target=_watch, args=(line, result), daemon=True).start()
    return _run(shared, overrides, number, result)


def _run(shared: bytes, overrides: list[str], number: int, result: Path) -> int:
    from sweeper.slots.job import SlotError, failed, run_packed, write_return

    try:
        ended = run_packed(shared, overrides, number)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as error:
        ended = failed(overrides, SlotError(f"the job left the program by sys.exit({error.code!r})"))
    except Exception as error:  # before the job: what composing or importing raised
        ended = failed(overrides, error)
    write_return(ended, result)
    return 0


def _take_input() -> int:
    """The descriptor of the line to the parent; standard input itself is empty from here on."""
    line = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    return line


def _read(line: int, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = os.read(line, min(length, 1 << 20))
        if not part:
            os._exit(INTERRUPTED)  # the parent died before it had told the job
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _watch(line: int, result: Path) -> None:
    """Wait for the line's end, that is the parent's; then interrupt the job as SIGTERM would."""
    while os.read(line, 1):
        pass
    nowhere = os.open(os.devnull, os.O_WRONLY)  # nobody reads our output now: writing would raise
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with suppress(OSError):  # the last one out takes the folder along
        result.parent.rmdir()
    main_thread = threading.main_thread().ident
    assert main_thread is not None, "it has started"
    signal.pthread_kill(main_thread, signal.SIGTERM)  # this thread's own would not end a wait of the main one


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except KeyboardInterrupt:  # before the job had begun
        sys.exit(INTERRUPTED)
