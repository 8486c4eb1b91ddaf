"""Pictures in kohya's folder form: <repeats>_<words> below a parent, one parent more for regularisation."""

from dataclasses import dataclass, replace
from pathlib import Path

from engine.config import DatasetConfig
from engine.data.folder import folder_problem
from engine.data.headers import readable_endings
from engine.data.indexes import Indexes
from engine.data.scan import Scan, Subset, scan_subset
from engine.data.sentences import listed


@dataclass(kw_only=True, slots=True, frozen=True)
class FolderName:
    """What the name of a folder says."""

    repeats: int
    words: str  # identifier and class: the caption of pictures without one; "" where there are none


def parse_folder_name(name: str) -> FolderName | None:
    """10_shs dog -> 10 repeats of "shs dog"; None for a name that does not begin with a number from 1 up.

    Source: kohya sd-scripts 0.10.1, config_util.generate_dreambooth_subsets_config_by_subdirs.
    """
    number, _, words = name.partition("_")
    try:
        repeats = int(number)
    except ValueError:
        return None
    return FolderName(repeats=repeats, words=words) if repeats >= 1 else None


def scan_kohya_folders(
    config: DatasetConfig, parent: Path, reg_parent: Path | None, indexes: Indexes
) -> list[Scan]:
    """The pictures of all folders below both parents, each folder a subset."""
    scans = _scan_parent(config, parent, indexes, key="path")
    if reg_parent is not None:
        scans += _scan_parent(config, reg_parent, indexes, key="reg_path")
    return scans


def _scan_parent(config: DatasetConfig, parent: Path, indexes: Indexes, *, key: str) -> list[Scan]:
    whole = Scan(folder=parent, source=f"dataset.{key}={getattr(config, key) or parent}", config=config)
    if missing := folder_problem(parent):
        whole.problems.append(f"{whole.source}: {missing}")
        return [whole]
    try:
        entries = sorted(path for path in parent.iterdir() if not path.name.startswith("."))
    except PermissionError:
        whole.problems.append(f"{whole.source}: no permission to open it. Allow it.")
        return [whole]
    folders = [path for path in entries if path.is_dir()]
    named = [(folder, parse_folder_name(folder.name)) for folder in folders]
    ignored = [folder.name for folder, name in named if name is None]
    if len(ignored) == len(named):
        whole.problems.append(f"{whole.source}: {_no_named_folder(parent, len(folders))}")
        return [whole]
    loose = sum(path.suffix.lower() in readable_endings() for path in entries)
    if loose:
        whole.notes.append(f"pictures beside the folders are not read: {loose}")
    if ignored:
        whole.notes.append(f"folders without a number in front are not read: {listed(ignored)}")
    subsets = [_subset(config, folder, name, key) for folder, name in named if name is not None]
    return [whole, *(scan_subset(subset, config, indexes) for subset in subsets)]


def _no_named_folder(parent: Path, count: int) -> str:
    if parse_folder_name(parent.name) is not None:
        return f"a folder <repeats>_<words> itself. Give its parent: {parent.parent}."
    return (
        f"{'it has no folder that' if not count else f'none of its folders ({count})'} is named "
        "<repeats>_<words>, as 10_shs dog. "
        "Give the parent of such folders, or use dataset=folder."
    )


def _subset(config: DatasetConfig, folder: Path, name: FolderName, key: str) -> Subset:
    own = replace(
        config, path=str(folder), class_tokens=name.words or None, num_repeats=name.repeats, reg_path=None
    )
    is_reg = key == "reg_path"
    return Subset(source=f"dataset.{key}={folder}", folder=folder, config=own, is_reg=is_reg)
