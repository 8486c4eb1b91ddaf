"""Pictures in kohya's folder form: <repeats>_<words> below a parent, one parent more for regularisation."""

from dataclasses import dataclass, replace
from pathlib import Path

from engine.config import DatasetConfig, Layout
from engine.data.folder import folder_problem
from engine.data.headers import readable_endings
from engine.data.repeats import regularisation_repeats
from engine.data.scan import Picture, Scan, scan_folder


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


def scan_dataset(config: DatasetConfig, folder: Path) -> Scan:
    """The pictures of a run, whatever the layout of its folder; problems are in the scan."""
    if config.layout is Layout.folder:
        return scan_folder(config, folder)
    return scan_kohya_folders(config, folder, None if config.reg_path is None else Path(config.reg_path))


def scan_kohya_folders(config: DatasetConfig, parent: Path, reg_parent: Path | None) -> Scan:
    """The pictures of all folders below both parents.

    Regularisation pictures are repeated, or left unused, until they are as many as those to learn.
    """
    scan = _scan_parent(config, parent, key="path")
    if reg_parent is not None:
        reg = _scan_parent(config, reg_parent, key="reg_path")
        _join(scan, reg)
        _balance(scan, reg.pictures)
    return scan


def _scan_parent(config: DatasetConfig, parent: Path, *, key: str) -> Scan:
    whole = Scan(folder=parent, source=f"dataset.{key}={getattr(config, key) or parent}")
    if missing := folder_problem(parent):
        whole.problems.append(f"{whole.source}: {missing}")
        return whole
    try:
        entries = sorted(path for path in parent.iterdir() if not path.name.startswith("."))
    except PermissionError:
        whole.problems.append(f"{whole.source}: no permission to open it. Allow it.")
        return whole
    folders = [path for path in entries if path.is_dir()]
    named = [(folder, parse_folder_name(folder.name)) for folder in folders]
    ignored = [folder.name for folder, name in named if name is None]
    if len(ignored) == len(named):
        whole.problems.append(f"{whole.source}: {_no_named_folder(parent, len(folders))}")
        return whole
    loose = sum(path.suffix.lower() in readable_endings() for path in entries)
    if loose:
        whole.notes.append(f"pictures beside the folders are not read: {loose}")
    if ignored:
        whole.notes.append(f"folders without a number in front are not read: {', '.join(ignored)}")
    for folder, name in named:
        if name is not None:
            _add_folder(whole, config, folder, name)
    return whole


def _no_named_folder(parent: Path, count: int) -> str:
    if parse_folder_name(parent.name) is not None:
        return f"a folder <repeats>_<words> itself. Give its parent: {parent.parent}."
    return (
        f"none of its {count} folders is named <repeats>_<words>, as 10_shs dog. "
        "Give the parent of such folders, or use dataset=folder."
    )


def _add_folder(whole: Scan, config: DatasetConfig, folder: Path, name: FolderName) -> None:
    own = replace(
        config, path=str(folder), class_tokens=name.words or None, num_repeats=name.repeats, reg_path=None
    )
    part = scan_folder(own, folder)
    part.problems = [problem for problem in part.problems if not problem.startswith("dataset.class_tokens=")]
    _join(whole, part)


def _join(whole: Scan, part: Scan) -> None:
    whole.pictures += part.pictures
    whole.problems += part.problems
    whole.notes += [f"{part.folder.name}: {note}" for note in part.notes]
    if not part.folder.is_relative_to(whole.folder):
        whole.other_folders.append(part.folder)
    for ending, count in part.captions_by_ending.items():
        whole.captions_by_ending[ending] = whole.captions_by_ending.get(ending, 0) + count


def _balance(scan: Scan, regularisation: list[Picture]) -> None:
    """Mark the last of the pictures as regularisation, each as often as the rule says."""
    learnt = scan.pictures[: len(scan.pictures) - len(regularisation)]
    repeats = regularisation_repeats(
        sum(picture.repeats for picture in learnt), [picture.repeats for picture in regularisation]
    )
    used = [
        replace(picture, repeats=count, is_reg=True)
        for picture, count in zip(regularisation, repeats, strict=True)
        if count
    ]
    if len(used) < len(regularisation):
        unused = len(regularisation) - len(used)
        scan.notes.append(f"{unused} regularisation pictures are not used: there are enough without them")
    scan.pictures = learnt + used
