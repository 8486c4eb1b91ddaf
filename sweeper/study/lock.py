"""The one lock of a study: whoever asks for a trial or tells its end holds it; a holder's death frees it."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.study.folder import StudyFolder

if TYPE_CHECKING:
    import sqlalchemy
    from optuna.storages import BaseStorage

POLL_SECONDS = 0.01
WAIT_SECONDS = 2.0  # between two tries to reach a server that is away


def study_lock(storage: "BaseStorage", folder: StudyFolder, name: str) -> AbstractContextManager[None]:
    """The lock of study `name`; waits for it without end. Not reentrant.

    journal, sqlite  flock (LockFileEx on Windows) on study.lock, or on <file>.lock beside the sqlite file:
                     the kernel frees it when its holder dies. Works over NFS v4 and v3 with lockd.
    postgresql       an advisory lock on a connection of its own; the server frees it with the connection.
                     (Not through a pooler in transaction mode, which gives statements to any connection.)
    mysql, mariadb   GET_LOCK, likewise
    """
    from sweeper.study.database import PatientStorage

    if not isinstance(storage, PatientStorage):
        return file_lock(folder.lock)
    engine = storage.engine
    if engine.dialect.name == "sqlite":
        database = engine.url.database
        return file_lock(Path(f"{database}.lock") if database else folder.lock)
    return server_lock(engine, name, patience=storage.patience)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """A lock between processes and threads on a file beside what it guards; the file stays."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, poll_interval=POLL_SECONDS):
        yield


@contextmanager
def server_lock(engine: "sqlalchemy.Engine", name: str, *, patience: float) -> Iterator[None]:
    """A lock that the database server keeps; it is waited for over a restart of the server.

    patience  seconds that the server may be away before its error is raised
    """
    from sqlalchemy import exc, text

    connection = _locked_connection(engine, name, patience)
    try:
        yield
    finally:
        # A server that went away took the lock with it; a connection in doubt is closed, which frees it.
        try:
            connection.execute(text(_statements(engine)[1]), {"key": _key(engine, name)})
            connection.close()
        except (exc.DBAPIError, exc.InvalidRequestError):
            connection.invalidate()
            connection.close()


def _locked_connection(engine: "sqlalchemy.Engine", name: str, patience: float) -> "sqlalchemy.Connection":
    from sqlalchemy import exc, text

    away_since: float | None = None
    while True:
        connection = None
        try:
            connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            _notice_lost_clients(connection)
            away_since = None
            connection.execute(text(_statements(engine)[0]), {"key": _key(engine, name)})
            return connection
        except exc.DBAPIError:
            if connection is not None:
                connection.invalidate()
                connection.close()
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > patience:
                raise
            time.sleep(WAIT_SECONDS)
        except BaseException:
            if connection is not None:  # Ctrl-C while waiting: the server may give the lock a moment later
                connection.invalidate()
                connection.close()
            raise


def _notice_lost_clients(connection: "sqlalchemy.Connection") -> None:
    """Have PostgreSQL find out in a minute that this machine lost its power, not in the usual two hours."""
    if connection.dialect.name != "postgresql":
        return
    for setting, seconds in (("idle", 30), ("interval", 10), ("count", 3)):
        connection.exec_driver_sql(f"SET tcp_keepalives_{setting} = {seconds}")


def _statements(engine: "sqlalchemy.Engine") -> tuple[str, str]:
    if engine.dialect.name == "postgresql":
        return "SELECT pg_advisory_lock(:key)", "SELECT pg_advisory_unlock(:key)"
    return "SELECT GET_LOCK(:key, 1000000000)", "SELECT RELEASE_LOCK(:key)"


def _key(engine: "sqlalchemy.Engine", name: str) -> int | str:
    """A key of the study within its database: 63 bits for PostgreSQL, at most 64 letters for MySQL."""
    digest = hashlib.sha256(f"diffusion-sweeper {engine.url.database} {name}".encode()).digest()
    if engine.dialect.name == "postgresql":
        return int.from_bytes(digest[:8], "big") >> 1
    return digest.hex()[:64]
