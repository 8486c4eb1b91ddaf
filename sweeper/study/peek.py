"""A look at where a study is kept, or would be, that makes nothing there: no file, no table, no row."""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.compose.folders import folder_problems
from engine.config import ConfigError
from sweeper.study.folder import StudyFolder
from sweeper.study.storage import answering_engine, open_made, open_storage

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "journal"
_OPTION = "hydra.sweeper.storage"
_TABLES = {"studies", "trials", "version_info", "alembic_version"}  # with these Optuna has nothing to make


def storage_problems(url: str) -> list[str]:
    """Why studies can't be kept at a URL: its form, its driver, or a server that does not let one in."""
    if url == JOURNAL:
        return []
    if "://" not in url:
        return [
            f"{_OPTION}={url}: unknown. Give journal or the URL of a database, "
            "such as postgresql://user@host/database."
        ]
    file = sqlite_file(url)
    if file is not None and not file.exists():
        if not file.parent.is_dir():
            return [f"{_OPTION}={url}: there is no folder {file.parent}. Make it, or name another."]
        return folder_problems(_OPTION, str(file.parent))
    try:
        answering_engine(url).dispose()
    except ConfigError as error:
        return list(error.problems)
    return []


def peek(url: str, folder: StudyFolder) -> "BaseStorage | None":
    """The storage, where it holds anything already; None: the first start would make it.

    raises  ConfigError where it cannot be reached
    """
    if url == JOURNAL:
        return open_storage(url, folder) if folder.journal.is_file() else None
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None
    from sqlalchemy import inspect

    engine = answering_engine(url)
    try:
        is_made = set(inspect(engine).get_table_names()) >= _TABLES
    finally:
        engine.dispose()
    return open_made(url) if is_made else None


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, which a mere connection would make; None of other databases."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)).absolute() if is_file else None
