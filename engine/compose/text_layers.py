"""The layers of text encoders that a network can go on, from the headers of their weights; no torch."""

import re
from collections.abc import Iterable, Iterator

from engine.config import Family
from engine.models.facts import layer_group
from engine.models.weight_headers import Weight

Shape = tuple[int, ...]
_TOWER = "text_model."  # a level that transformers' classes have or lack, whatever the file was written by
_ENDING = ".weight"
_OPEN_CLIP = {"attn.out_proj": "self_attn.out_proj", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}


def text_layers(
    family: Family,
    component: str,
    weights: Iterable[Weight],
    *,
    form: str | None = None,
    num_layers: int | None = None,
) -> dict[str, Shape]:
    """Name -> shape of each layer, by the name that it has once loaded.

    form        how a file holds the part (engine/models/layouts.py); None: as transformers writes it
    num_layers  of open_clip's form: what a file holds beyond them is not loaded
    """
    found: dict[str, Shape] = {}
    for weight in weights:
        modules = _open_clip(weight, num_layers) if form == "open_clip" else _plain(weight)
        for name, shape in modules:
            bare = name.removeprefix(_TOWER)
            for loaded in (bare, f"{_TOWER}{bare}"):
                if layer_group(family, loaded, component) is not None:
                    found[loaded] = shape
    return found


def _plain(weight: Weight) -> Iterator[tuple[str, Shape]]:
    if weight.name.endswith(_ENDING):
        yield weight.name.removesuffix(_ENDING), weight.shape


def _open_clip(weight: Weight, num_layers: int | None) -> Iterator[tuple[str, Shape]]:
    """OpenCLIP keeps queries, keys and values in one."""
    found = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)[._]weight", weight.name)
    if found is None or (num_layers is not None and int(found[1]) >= num_layers):
        return
    layer, inside = f"encoder.layers.{found[1]}", found[2]
    if inside == "attn.in_proj":
        for letter in "qkv":
            yield f"{layer}.self_attn.{letter}_proj", (weight.shape[0] // 3, *weight.shape[1:])
    elif inside in _OPEN_CLIP:
        yield f"{layer}.{_OPEN_CLIP[inside]}", weight.shape
