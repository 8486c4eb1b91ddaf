"""The masks of pictures: a folder of its own, in which each lies under the name of its picture."""

from collections.abc import Mapping
from pathlib import Path

from engine.config import SubsetConfig
from engine.data.buckets import Size
from engine.data.folder import folder_problem
from engine.data.headers import HeaderError, read_size, readable_endings
from engine.data.sentences import listed


def find_masks(
    config: SubsetConfig, folder: Path, sizes: Mapping[Path, Size]
) -> tuple[dict[Path, Path], list[str]]:
    """The mask of each picture, and sentences on those that have none or one of another size.

    sizes  width and height of the pictures, which lie in the folder
    """
    if config.mask_dir is None:
        return {}, []
    mask_dir = Path(config.mask_dir)
    if missing := folder_problem(mask_dir):
        return {}, [f"mask_dir={config.mask_dir}: {missing}"]
    masks: dict[Path, Path] = {}
    wrong: list[str] = []
    for path, size in sizes.items():
        below = path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
        mask = _mask_below(mask_dir, below)
        problem = "none" if mask is None else _mask_problem(mask, size)
        if problem is not None:
            wrong.append(f"{below.as_posix()} ({problem})")
        elif mask is not None:
            masks[path] = mask
    if not wrong:
        return masks, []
    return masks, [
        f"mask_dir={config.mask_dir}: {len(wrong)} pictures have no mask that fits: {listed(wrong)}. "
        "Put a picture of the same name and size there for each."
    ]


def _mask_below(mask_dir: Path, name: Path) -> Path | None:
    endings = (name.suffix, *sorted(readable_endings()))
    return next((path for ending in endings if (path := mask_dir / name.with_suffix(ending)).is_file()), None)


def _mask_problem(mask: Path, size: Size) -> str | None:
    try:
        found = read_size(mask)
    except HeaderError as error:
        return str(error)
    return None if found == size else f"mask of {found[0]}x{found[1]}, picture of {size[0]}x{size[1]}"
