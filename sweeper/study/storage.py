"""Where a study is kept: a journal file in its folder, PostgreSQL, or any database that Optuna takes."""

import logging
import warnings
from typing import TYPE_CHECKING

from engine.config import ConfigError
from sweeper.study.folder import StudyFolder

if TYPE_CHECKING:
    import sqlalchemy
    from optuna.storages import BaseStorage

PATIENCE_SECONDS = 600.0  # a server that comes back within it costs nothing
INSTALL = {
    "postgresql": 'pip install "diffusion-sweeper[postgresql]"',
    "mysql": "pip install mysqlclient",
    "mariadb": "pip install mysqlclient",
}


def open_storage(
    url: str, folder: StudyFolder, *, patience: float = PATIENCE_SECONDS, wait: bool = False
) -> "BaseStorage":
    """Open the storage of a study; ConfigError with what to do where it cannot be opened.

    url       journal | postgresql://user:password@host/database | mysql://... | sqlite:///...
    patience  seconds that a server may be away later on before its error is raised
    wait      wait that long already now: a worker may start while the server is away
    """
    import optuna

    quiet_optuna()
    if url == "journal":
        from sweeper.study.journal import MendingJournal

        return optuna.storages.JournalStorage(MendingJournal(folder.journal))
    return _open_database(url, folder, patience=patience, wait=wait)


def answering_engine(url: str) -> "sqlalchemy.Engine":
    """Connections to the database of a URL, which answered just now; ConfigError says why it did not."""
    return _checked_engine(url, 0.0)


def open_made(url: str) -> "BaseStorage":
    """A database whose tables are there already, to be read: nothing is made in it, nor in a folder."""
    import optuna

    quiet_optuna()
    try:
        return optuna.storages.RDBStorage(_with_driver(url), skip_table_creation=True)
    except RuntimeError as error:  # tables of another version of Optuna
        raise ConfigError(f"hydra.sweeper.storage={safe_url(url)}: {error}") from error


def quiet_optuna() -> None:
    """Keep Optuna's own lines (info, experimental, heartbeat) from the user."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It warns, with a traceback, of each try to read trials while the server is away.
    logging.getLogger("optuna.storages._rdb.storage").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def safe_url(url: str) -> str:
    """A storage URL as it may be shown and kept: without its password."""
    if "://" not in url:
        return url
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return f"{url.split('://', 1)[0]}://..."
    secret = {key: "***" for key in parsed.query if "pass" in key.lower()}
    shown = parsed.update_query_dict(secret).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", "***")  # as the rest of it is marked, which readers look for


def _open_database(url: str, folder: StudyFolder, *, patience: float, wait: bool) -> "BaseStorage":
    from sweeper.study.database import OnceStorage, PatientStorage, patiently
    from sweeper.study.lock import file_lock, server_lock

    full = _with_driver(url)
    engine = _checked_engine(url, patience if wait else 0.0)
    options: dict[str, object] = {"pool_pre_ping": True}
    if engine.dialect.name == "sqlite":
        options["connect_args"] = {"timeout": 60}  # seconds that another writer is waited for
        guard = file_lock(folder.root / "storage.lock")
    else:
        options["connect_args"] = _connect_arguments(engine)
        guard = server_lock(engine, "tables of Optuna", patience=patience if wait else 0.0)
    try:
        with guard:  # two that make the tables at one moment: the second would fail
            made = patiently(lambda _: OnceStorage(full, engine_kwargs=options), patience if wait else 0.0)
            return PatientStorage(made, patience=patience)
    except RuntimeError as error:  # tables of another version of Optuna
        raise ConfigError(f"hydra.sweeper.storage={safe_url(url)}: {error}") from error
    finally:
        engine.dispose()


def _with_driver(url: str) -> str:
    """The URL with psycopg 3 named, where it names no driver; other databases keep SQLAlchemy's choice."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def _connect_arguments(engine: "sqlalchemy.Engine") -> dict[str, object]:
    """Notice within a minute that a server's machine is gone; an unplugged cable sends no word of it."""
    if engine.dialect.name != "postgresql":
        return {}
    named = set(engine.url.query)
    wanted = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    return {key: value for key, value in wanted.items() if key not in named}


def _checked_engine(url: str, patience: float) -> "sqlalchemy.Engine":
    """Connections to a server that answered; ConfigError says what is wrong with it."""
    import time

    import sqlalchemy
    from sqlalchemy import exc

    shown = f"hydra.sweeper.storage={safe_url(url)}"
    try:
        engine = sqlalchemy.create_engine(_with_driver(url), poolclass=sqlalchemy.NullPool)
    except ImportError as error:
        install = INSTALL.get(url.split(":")[0].split("+")[0], "pip install it")
        raise ConfigError(f"{shown}: its driver is missing ({error}). Run: {install}") from error
    except (exc.ArgumentError, ValueError) as error:
        raise ConfigError(
            f"{shown}: no storage of this kind is known. Use journal, postgresql://user@host/database, "
            "or another URL of SQLAlchemy."
        ) from error
    deadline = time.monotonic() + patience
    while True:
        try:
            with engine.connect():
                return engine
        except exc.DBAPIError as error:
            sentence, passes = _refusal(str(error.orig))
            if not passes or time.monotonic() > deadline:
                raise ConfigError(f"{shown}: {sentence}") from None  # the cause may hold the password
        time.sleep(0.5)


def _refusal(message: str) -> tuple[str, bool]:
    """What a driver's message means and what to do, and whether waiting may help."""
    lines = [" ".join(line.split()) for line in message.splitlines() if line.strip()]
    first = next((line for line in reversed(lines) if not line.endswith("?")), "no reason given")  # no advice
    lower = message.lower()
    if "password" in lower or "access denied" in lower or "authentication" in lower:
        return "the server refuses this user and password. Put the right ones into the URL.", False
    if ("database" in lower and "does not exist" in lower) or "unknown database" in lower:
        return "there is no such database on the server. Make it (createdb <name>) or name another.", False
    if "role" in lower and "does not exist" in lower:
        return "the server knows no such user. Put the right one into the URL.", False
    if "unable to open database file" in lower:
        return "the file cannot be made. Name a folder that exists and may be written to.", False
    if "resolve" in lower or "name or service not known" in lower:
        return f"the host is not found ({first}). Check its name.", True
    return f"the server does not answer ({first}). Start it, or check host and port.", True
