"""What a data set is, picture by picture: whether it is still that which a run was started with."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields

from engine.config import DatasetConfig
from engine.data.scan import Scan, Subset
from engine.data.sentences import listed

_NOT_OF_THE_LOOK = frozenset(  # options that say where pictures lie; what they lead to is looked at itself
    ("path", "config_file", "layout", "reg_path", "metadata_file", "mask_dir", "class_tokens", "num_repeats")
)


def picture_fingerprints(scan: Scan) -> dict[str, str]:
    """By name sha256 over content, caption, repeats, mask and treatment, in hexadecimal.

    A picture that several subsets have is told apart by their number.
    raises  OSError
    """
    treatment = {id(subset): _own_options(subset, scan.config) for subset in scan.subsets}
    numbers = {id(subset): number for number, subset in enumerate(scan.subsets, start=1)}
    found: dict[str, str] = {}
    for picture in scan.pictures:
        row = (scan.content_of(picture), picture.caption, picture.repeats)
        marks: list[object] = ["reg"] if picture.is_reg else []
        marks += ["held out"] if picture.held_out else []
        marks += [scan.mask_content_of(picture)] if picture.mask is not None else []
        own = treatment[id(picture.subset)]
        marks += [own, picture.subset.dataset] if own or picture.subset.dataset else []
        name = scan.name(picture)
        if name in found:
            name = f"{name} (subset {numbers[id(picture.subset)]})"
        found[name] = hashlib.sha256(repr((*row, *marks)).encode()).hexdigest()
    return found


def dataset_fingerprint(pictures: Mapping[str, str]) -> str:
    """sha256 over the pictures' own, in their order, in hexadecimal."""
    return hashlib.sha256(repr(list(pictures.items())).encode()).hexdigest()


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which pictures are other ones, by name: "changed: a.png; new: b.png; gone: c.png"."""
    parts = (
        ("changed", [name for name in now if name in before and before[name] != now[name]]),
        ("new", [name for name in now if name not in before]),
        ("gone", [name for name in before if name not in now]),
    )
    return "; ".join(f"{what}: {listed(names)}" for what, names in parts if names) or "in another order"


def _own_options(subset: Subset, config: DatasetConfig) -> dict[str, object]:
    """What a subset's file says otherwise than the run; the run's own options are told by its run_id."""
    names = (option.name for option in fields(DatasetConfig) if option.name not in _NOT_OF_THE_LOOK)
    return {
        name: getattr(subset.config, name)
        for name in names
        if getattr(subset.config, name) != getattr(config, name)
    }
