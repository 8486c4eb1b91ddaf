"""Finds the studies of a folder, and opens one for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.errors import ConfigError
from evaluation.suggest import unknown_name
from sweeper.commands.arguments import Arguments
from sweeper.study.folder import StudyFile, StudyFolder
from sweeper.study.records import StudyRecord

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from sweeper.display.worker_status import WorkerStatus

_PATIENCE = 5.0  # seconds that a command waits for a server; workers wait longer
_JOURNAL = "journal"


@dataclass(kw_only=True, slots=True, frozen=True)
class OpenStudy:
    """A study as a command sees it."""

    folder: StudyFolder
    record: StudyRecord
    storage: "BaseStorage"
    search: "optuna.Study | None"  # None: not made yet
    confirm: "optuna.Study | None"
    workers: "tuple[WorkerStatus, ...]"  # at work, as their files say

    def stored(self, *, confirm: bool = False) -> "list[FrozenTrial]":
        """The trials as Optuna has them."""
        study = self.confirm if confirm else self.search
        return [] if study is None else study.get_trials(deepcopy=False)


def studies_in(folder: Path) -> list[StudyFolder]:
    """Every study of a folder, by name; ConfigError where there is no such folder."""
    if not folder.is_dir():
        raise ConfigError(
            f"folder={folder}: no such folder. Go to where the sweep was started, or give folder=..."
        )
    return [StudyFolder(path.absolute()) for path in sorted(folder.iterdir()) if _is_study(path)]


def chosen_study(arguments: Arguments) -> StudyFolder:
    """The one that is asked for, or the only one; ConfigError where that is none or not clear."""
    name = arguments.given.get("study")
    if name is None:
        return _only_study(arguments.folder)
    for path in (arguments.folder / name, Path(name)):
        if _is_study(path):
            return StudyFolder(path.absolute())
    if Path(name).is_dir() and "folder" not in arguments.given:
        return StudyFolder(Path(name).absolute())  # whose reading says what is wrong with it
    names = [study.root.name for study in studies_in(arguments.folder)]
    if not names:
        raise ConfigError(f"study={name}: no such study; there are none in {arguments.folder}.")
    raise ConfigError(f"study={unknown_name(name, names, 'study')}")


def open_study(folder: StudyFolder, url: str | None = None) -> OpenStudy:
    """Read a study; ConfigError where its storage cannot be reached.

    url  storage=...; None: what study.json names
    """
    from sweeper.display.worker_status import read_workers
    from sweeper.study.read import load_studies, read_session, storage_url
    from sweeper.study.storage import open_storage

    file = folder.read()
    _check_url(url, file, folder)
    with readable(folder):
        storage = open_storage(url or storage_url(file, folder), folder, patience=_PATIENCE)
        search, confirm = load_studies(file, storage)
        return OpenStudy(
            folder=folder,
            record=read_session(folder, search, confirm),
            storage=storage,
            search=search,
            confirm=confirm,
            workers=tuple(read_workers(folder)),
        )


@contextmanager
def readable(folder: StudyFolder) -> Iterator[None]:
    """Says in a sentence what a disk or a server refuses."""
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        raise ConfigError(
            f"{error.filename or folder.root}: {what}. Check the disk, and who may write there."
        ) from error
    except Exception as error:
        import sqlalchemy
        from optuna.exceptions import StorageInternalError

        if not isinstance(error, sqlalchemy.exc.SQLAlchemyError | StorageInternalError):
            raise
        raise ConfigError(
            f"storage: the database of {folder.root.name} went away ({type(error).__name__}). Try it again."
        ) from None  # the cause may hold the password


def near(path: Path) -> str:
    """The path as one types it: from the working directory where it lies in it."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _check_url(url: str | None, file: StudyFile, folder: StudyFolder) -> None:
    if url is not None and url != _JOURNAL and file.storage == _JOURNAL:
        raise ConfigError(
            f"storage: the study in {folder.root} is in a journal of its own folder. Leave storage out."
        )


def _only_study(folder: Path) -> StudyFolder:
    studies = studies_in(folder)
    if not studies:
        raise ConfigError(
            f"study: there are no studies in {folder}. A sweep makes one: "
            "python train.py --multirun +sweep=quick"
        )
    if len(studies) > 1:
        names = ", ".join(study.root.name for study in studies)
        raise ConfigError(f"study: there are {len(studies)} studies in {folder}: {names}. Give study=NAME.")
    return studies[0]


def _is_study(path: Path) -> bool:
    return StudyFolder(path).exists()
