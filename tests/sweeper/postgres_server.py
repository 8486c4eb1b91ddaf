"""A PostgreSQL server of a test's own: Debian's binaries, a free loopback port, a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "secret-of-the-test"


def server_binaries() -> Path:
    """The folder of initdb and postgres; AssertionError where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


class PostgresServer:
    """Starts, kills and starts again one server; its process is the only one that is ever killed."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.port = _free_port()
        self._binaries = server_binaries()
        self._as_user = _unprivileged(folder)
        self._process: subprocess.Popen[bytes] | None = None
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb",
            "-D",
            self.data,
            "-U",
            "sweeper",
            "-A",
            "scram-sha-256",
            "--no-sync",
            f"--pwfile={password}",
        )

    @property
    def url(self) -> str:
        """Of the server's own database."""
        return f"postgresql://sweeper:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["-D", self.data, "-p", self.port, "-h", "127.0.0.1", "-k", self.data]
        settings = ["-c", "fsync=off", "-c", "max_connections=60"]
        self._process = subprocess.Popen(
            [*self._as_user, *map(str, [self._binaries / "postgres", *options, *settings])],
            stdout=subprocess.DEVNULL,
            stderr=(self.data / "server.log").open("ab") if self.data.is_dir() else subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready = subprocess.run(
                [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return
            assert self._process.poll() is None, (self.data / "server.log").read_text()
            time.sleep(0.05)
        raise AssertionError("PostgreSQL did not start within 60 seconds")

    def kill(self) -> None:
        """kill -9 of the whole server; what it had not committed is gone."""
        assert self._process is not None
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as_user, str(self._binaries / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that runs, and is gone afterwards with its folder."""
    folder = Path(tempfile.mkdtemp(prefix="sweeper-postgres-"))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> list[str]:
    """What runs a program as a user that PostgreSQL accepts; it refuses root."""
    if os.geteuid() != 0:
        return []
    folder.chmod(0o755)
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
