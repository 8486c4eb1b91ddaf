"""The masks of pictures: a folder of its own, in which each lies under the name of its picture."""

from collections.abc import Mapping
from pathlib import Path, PurePath

from engine.config import SubsetConfig
from engine.data.buckets import Size
from engine.data.folder import folder_problem, list_files
from engine.data.headers import read_sizes, readable_endings
from engine.data.indexes import Indexes
from engine.data.sentences import listed, pictures


def find_masks(
    config: SubsetConfig, sizes: Mapping[str, Size], indexes: Indexes
) -> tuple[dict[str, Path], list[str]]:
    """The mask of each picture, and a sentence on those that have none or one of another size.

    sizes    width and height of the pictures by their name within their folder
    returns  masks by the same names
    """
    if config.mask_dir is None:
        return {}, []
    mask_dir = Path(config.mask_dir)
    if missing := folder_problem(mask_dir):
        return {}, [f"mask_dir={config.mask_dir}: {missing}"]
    listing = list_files(mask_dir)
    endings = sorted(readable_endings())
    named: dict[str, str] = {}
    for name in sizes:
        below = PurePath(name).name if PurePath(name).is_absolute() else name
        base = below.rpartition(".")[0]
        near = (below, *(base + ending for ending in endings))
        found_here = [one for one in near if listing.stamps.get(one) is not None]
        if found_here:
            named[name] = found_here[0]
    found = read_sizes(listing, list(dict.fromkeys(named.values())), indexes.of(listing))
    wrong = []
    for name, (width, height) in sizes.items():
        mask = named.get(name)
        if mask is None:
            wrong.append(f"{name} (none)")
        elif mask in found.errors:
            wrong.append(f"{name} ({found.errors[mask]})")
        elif found.sizes[mask] != (width, height):
            other = found.sizes[mask]
            wrong.append(f"{name} (mask of {other[0]}x{other[1]}, picture of {width}x{height})")
    masks = {name: mask_dir / mask for name, mask in named.items()}
    if not wrong:
        return masks, []
    return masks, [
        f"mask_dir={config.mask_dir}: {pictures(len(wrong))} without a mask that fits: {listed(wrong)}. "
        "Put a picture of the same name and size there for each."
    ]
