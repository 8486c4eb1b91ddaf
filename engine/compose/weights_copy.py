"""Where a copy of a run's weights goes, and whether it may: a file of another run is not written over."""

import filecmp
from pathlib import Path

from engine.compose.folders import folder_problems
from engine.compose.run_id import run_folder
from engine.config import RunConfig


def copy_problems(run: RunConfig) -> list[str]:
    """Why the weights could not be copied to files.copy_to at the end; [] = they can, or nothing is asked."""
    name, path = run.files.copy_to, copy_path(run)
    if name is None or path is None:
        return []
    if name.strip() and not path.parent.is_dir():
        return [f"files.copy_to={name}: no such folder. Make it, or correct the path."]
    if problems := folder_problems("files.copy_to", str(path.parent) if name.strip() else name):
        return problems
    if is_free(path, run_folder(run) / path.name):
        return []
    return [
        f"files.copy_to={name}: {path.name} is there and not of this run. Give another name=..., or move "
        "that file away."
    ]


def copy_path(run: RunConfig) -> Path | None:
    """The file that the copy is to be; None where none is asked for."""
    folder = run.files.copy_to
    return None if folder is None else Path(folder).expanduser() / f"{run.name}.safetensors"


def is_free(path: Path, own: Path) -> bool:
    """Whether a path holds nothing, or the same bytes as a run's own weights file."""
    if not (path.exists() or path.is_symlink()):
        return True
    return path.is_file() and own.is_file() and filecmp.cmp(path, own, shallow=False)
