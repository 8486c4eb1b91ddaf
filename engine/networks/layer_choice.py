"""Which layers of a model a network goes on."""

from collections.abc import Sequence
from typing import Protocol

from torch import nn

from engine.config import ConfigError, LayerGroup


class Target(Protocol):
    """A layer that can be adapted: root.get_submodule(name)."""

    @property
    def component(self) -> str:
        """The part of the model: "unet", "transformer", "text_encoder"."""
        ...

    @property
    def name(self) -> str:
        """Path of the module inside its component."""
        ...

    @property
    def root(self) -> nn.Module:
        """The component itself."""
        ...

    @property
    def group(self) -> LayerGroup:
        """The group of layers that it belongs to."""
        ...

    @property
    def joined(self) -> tuple[str, ...]:
        """Modules with the same input that are one layer with it in kohya's files, in their order."""
        ...


def choose_layers(targets: Sequence[Target], groups: Sequence[LayerGroup]) -> list[Target]:
    """The targets of the groups asked for, in the model's own order.

    Raises ConfigError if no group is asked for, or if the model has no layer of one of them.
    """
    present = {target.group for target in targets}
    known = ", ".join(group.name for group in LayerGroup if group in present) or "none at all"
    if not groups:
        raise ConfigError(f"network.layers=[]: nothing would be trained. Choose from: {known}.")
    missing = [group.name for group in groups if group not in present]
    if missing:
        raise ConfigError(
            f"network.layers={_listed(groups)}: this model has no layers of the group {', '.join(missing)}. "
            f"Choose from: {known}."
        )
    return [target for target in targets if target.group in groups]


def _listed(groups: Sequence[LayerGroup]) -> str:
    return "[" + ",".join(group.name for group in groups) + "]"
