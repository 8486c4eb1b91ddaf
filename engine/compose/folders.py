"""Whether files can be made in a folder that an option names."""

import os
import tempfile
from pathlib import Path


def folder_problems(option: str, name: str) -> list[str]:
    """Whether files can be made in a folder that may not be there yet; tried without making it."""
    if not name.strip():
        return [f"{option}=: empty. Give a folder."]
    folder = Path(name).absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists() or parent.is_symlink())
    if not existing.is_dir():
        return [f"{option}={name}: {existing} is a file. Give another folder."]
    if not os.access(existing, os.W_OK | os.X_OK) or not _takes_files(existing):
        return [f"{option}={name}: {existing} can't be written to. Give another folder."]
    return []


def _takes_files(folder: Path) -> bool:
    """Whether a file can really be made: rights alone don't tell of a read-only or full disk."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
