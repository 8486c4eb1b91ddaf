"""Where a run that another program started leaves its files: a sweep gives each of its trials a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_FOLDER: ContextVar[Path | None] = ContextVar("folder of the run", default=None)


@contextmanager
def placed_in(folder: Path) -> Iterator[None]:
    """Runs that begin in this block use `folder` in place of output_dir/<name>-<run_id>."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def given_folder() -> Path | None:
    """The folder that the caller of this run set; None: the run has its own."""
    return _FOLDER.get()
