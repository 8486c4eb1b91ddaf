"""Which layers a network goes on, with which rank, at what rate: areas, groups and patterns; no torch."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from engine.config import ConfigError, Family, LayerGroup, LoRAConfig

# Family -> area of its denoiser -> what the names of its modules begin with; area.3 is its fourth block.
_OF_UNETS = {name: name for name in ("down_blocks", "mid_block", "up_blocks")}
AREAS: dict[Family, dict[str, str]] = {
    Family.sd1: _OF_UNETS,
    Family.sd2: _OF_UNETS,
    Family.sdxl: _OF_UNETS,
    Family.sd3: {"joint_blocks": "transformer_blocks"},
    Family.flux: {"double_blocks": "transformer_blocks", "single_blocks": "single_transformer_blocks"},
    Family.anima: {"blocks": "transformer_blocks"},
}


class Named(Protocol):
    """A layer that a network can go on."""

    @property
    def name(self) -> str:
        """Path of its module inside the denoiser."""
        ...

    @property
    def joined(self) -> tuple[str, ...]:
        """Paths of the further modules that are one layer with it."""
        ...

    @property
    def group(self) -> LayerGroup:
        """The group of layers that it belongs to."""
        ...


NamedT = TypeVar("NamedT", bound=Named)


@dataclass(kw_only=True, slots=True, frozen=True)
class LayerChoice(Generic[NamedT]):
    """A layer that is trained, and how."""

    layer: NamedT
    rank: int
    rate: float  # factor on the learning rate, more than 0


def choose_layers(network: LoRAConfig, family: Family, layers: Sequence[NamedT]) -> list[LayerChoice[NamedT]]:
    """The layers of the network's groups, areas and patterns, in the model's own order.

    raises  ConfigError naming every word that fits no layer, and what there is to choose from
    """
    chosen = _of_groups(network, layers)
    problems = _unfitting("include", network.include, family, chosen)
    if network.include and not problems:  # else the other words are held against all layers
        chosen = [one for one in chosen if any(is_meant(word, family, one) for word in network.include)]
    problems += _unfitting("exclude", network.exclude, family, chosen)
    chosen = [one for one in chosen if not any(is_meant(word, family, one) for word in network.exclude)]
    problems += _unfitting("ranks", network.ranks, family, chosen)
    problems += _unfitting("learning_rates", network.learning_rates, family, chosen)
    if problems:
        raise ConfigError(problems)
    choices = [
        LayerChoice(
            layer=layer,
            rank=rank_of(network, family, layer),
            rate=_last(network.learning_rates, family, layer, 1.0),
        )
        for layer in chosen
    ]
    trained = [choice for choice in choices if choice.rate > 0]
    if not trained:
        blamed = [f"network.{option}" for option in ("exclude", "learning_rates") if getattr(network, option)]
        raise ConfigError(
            f"{' and '.join(blamed)} leave{'s' * (len(blamed) == 1)} no layer that would be trained. "
            f"Take {'one of them' if len(blamed) > 1 else 'a part of it'} back."
        )
    return trained


def rank_of(network: LoRAConfig, family: Family, layer: Named) -> int:
    """The rank of a layer's matrices."""
    return int(_last(network.ranks, family, layer, network.rank))


def is_meant(word: str, family: Family, layer: Named) -> bool:
    """Whether a word means a layer: an area, a block of one (up_blocks.1), a group, or a pattern.

    A pattern is a regular expression that has to fit the whole name; modules that are one layer in files
    are meant together as soon as it fits one of them.
    """
    area, _, block = word.partition(".")
    start = AREAS[family].get(area)
    names = (layer.name, *layer.joined)
    if start is not None and re.fullmatch(r"\d*", block):
        stem = f"{start}.{block}." if block else f"{start}."
        return any(name.startswith(stem) for name in names)
    if word in LayerGroup.__members__:
        return layer.group is LayerGroup[word]
    return any(re.fullmatch(word, name) is not None for name in names)


def split_number(entry: str) -> tuple[str, float] | None:
    """'up_blocks: 0.5' -> ("up_blocks", 0.5); None: there is no number after a last colon."""
    word, _, number = entry.rpartition(":")
    try:
        return word.strip(), float(number)
    except ValueError:
        return None


def _of_groups(network: LoRAConfig, layers: Sequence[NamedT]) -> list[NamedT]:
    """The layers of network.layers; ConfigError where it names none, or a group that the model lacks."""
    present = {layer.group for layer in layers}
    known = ", ".join(group.name for group in LayerGroup if group in present) or "none at all"
    if not network.layers:
        raise ConfigError(f"network.layers=[]: nothing would be trained. Choose from: {known}.")
    missing = [group.name for group in network.layers if group not in present]
    if missing:
        listed = ",".join(group.name for group in network.layers)
        raise ConfigError(
            f"network.layers=[{listed}]: this model has no layers of the group {', '.join(missing)}. "
            f"Choose from: {known}."
        )
    return [layer for layer in layers if layer.group in network.layers]


def _last(entries: Iterable[str], family: Family, layer: Named, value: float) -> float:
    """The number of the last entry that means the layer, else the value."""
    for word, number in filter(None, map(split_number, entries)):
        if is_meant(word, family, layer):
            value = number
    return value


def _unfitting(option: str, entries: Iterable[str], family: Family, layers: Sequence[Named]) -> list[str]:
    """A sentence for each entry whose word means none of these layers; where none is left, another tells."""
    if not layers:
        return []
    areas = list(AREAS[family])
    groups = ", ".join(dict.fromkeys(layer.group.name for layer in layers))
    with_numbers = option in ("ranks", "learning_rates")
    words = [(entry, (split_number(entry) or (entry, 0))[0] if with_numbers else entry) for entry in entries]
    return [
        f"network.{option}=[{entry}]: fits none of the layers that it could be about. Give an area "
        f"({', '.join(areas)}), a block of one ({areas[0]}.0), a group ({groups}), or a regular expression "
        f"that fits a whole name, such as {layers[0].name}."
        for entry, word in words
        if not any(is_meant(word, family, layer) for layer in layers)
    ]
