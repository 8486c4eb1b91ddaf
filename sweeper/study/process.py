"""Which process a worker is, told apart from all others, and whether it still lives."""

import platform
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

CLOCK_SLACK_SECONDS = 60.0


@dataclass(kw_only=True, slots=True, frozen=True)
class Process:
    """A process: its machine, the machine's start, the name space of its number, the number, its own start.

    A process number alone is given again after a restart of the machine, and means another process in
    another container.
    """

    host: str
    machine: str  # machine-id and network card; copies of one disk image share the first only
    boot: str  # changes with each start of the machine; "" where the system tells none
    space: str  # of process numbers (containers); "" where there are none
    pid: int
    born: float  # Linux: clock ticks since the machine's start; elsewhere seconds since 1970

    @property
    def label(self) -> str:
        """host:process, for people."""
        return f"{self.host}:{self.pid}"

    def as_json(self) -> dict[str, object]:
        """What the storage keeps."""
        return asdict(self)


def this_process() -> Process:
    """The process that runs this."""
    import os

    pid = os.getpid()
    return Process(
        host=socket.gethostname(),
        machine=f"{_text('/etc/machine-id')}-{uuid.getnode():012x}",
        boot=_text("/proc/sys/kernel/random/boot_id"),
        space=_process_space(),
        pid=pid,
        born=_born(pid) or 0.0,
    )


def is_surely_dead(process: Mapping[str, object], *, last_sign: float) -> bool:
    """Whether a process ended, as far as this machine can know; False where it cannot.

    process    Process.as_json() of the worker
    last_sign  when it last gave a sign of life, seconds since 1970 by its own clock
    """
    here = this_process()
    if process.get("host") != here.host or process.get("machine") != here.machine:
        return False
    if process.get("boot") != here.boot:
        # Started again since. A twin with the same name and card would give signs after this machine's start.
        return last_sign + CLOCK_SLACK_SECONDS < _boot_time()
    if process.get("space") != here.space:
        return False
    born = _born(int(str(process["pid"])))
    return born is None or abs(born - float(str(process["born"]))) > _BORN_SLACK


_BORN_SLACK = 0.5 if platform.system() == "Linux" else 5.0  # ticks are exact; other clocks are set by hand


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _process_space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _boot_time() -> float:
    """When this machine started, seconds since 1970 by its present clock."""
    import psutil

    if platform.system() == "Linux":
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return float(psutil.boot_time())


def _born(pid: int) -> float | None:
    """When a process of this machine started; None if there is none of this number, or only its remains."""
    if platform.system() == "Linux":
        try:
            # The name in brackets may hold anything; the fields after it are counted from the last bracket.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        state, *rest = fields.rpartition(")")[2].split()
        return None if state in "ZX" else float(rest[18])  # field 22 of proc(5): starttime
    import psutil

    try:
        found = psutil.Process(pid)
        return None if found.status() == psutil.STATUS_ZOMBIE else float(found.create_time())
    except psutil.NoSuchProcess:
        return None
