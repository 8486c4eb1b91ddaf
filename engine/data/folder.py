"""The files of a folder and its sub-folders, in an order that does not depend on the file system."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

_OTHER_PICTURES = frozenset((".avif", ".gif", ".heic", ".jxl", ".psd", ".tif", ".tiff"))


def folder_problem(folder: Path) -> str | None:
    """What is wrong with the path of a folder, or None."""
    if folder.is_dir():
        return None
    if folder.exists():
        return "this is a file. Give the folder that it lies in."
    if folder.is_absolute():
        return "there is no such folder. Check the path."
    return f"there is no such folder in {Path.cwd()}. Check the path."


def files_below(folder: Path) -> tuple[list[Path], list[str]]:
    """Files in the folder and its sub-folders, hidden ones left out, in an order of its own.

    returns  the files, and the names of folders that cannot be opened
    """
    found: list[Path] = []
    closed: list[str] = []
    seen: set[Path] = set()

    def note_closed(error: OSError) -> None:
        closed.append(Path(error.filename).relative_to(folder).as_posix())

    for here, folders, names in os.walk(folder, followlinks=True, onerror=note_closed):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
        real = Path(here).resolve()
        if real in seen:  # a link back to a folder above it
            folders.clear()
            continue
        seen.add(real)
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts), closed


def no_pictures(num_files: int, endings: Iterable[str]) -> str:
    """What is wrong with a folder in which no file ends like a picture."""
    looked_for = ", ".join(ending.removeprefix(".") for ending in sorted(endings))
    if not num_files:
        return f"the folder is empty. Put pictures into it ({looked_for})."
    return f"no picture among its {num_files} files. Give a folder with pictures ({looked_for})."


def left_out(files: Sequence[Path], endings: frozenset[str]) -> list[str]:
    """Notes on pictures of formats that are not read."""
    others = Counter(
        file.suffix.lower() for file in files if file.suffix.lower() in _OTHER_PICTURES - endings
    )
    return [
        f"{count} {ending} files left out: not a format that is read"
        for ending, count in sorted(others.items())
    ]
