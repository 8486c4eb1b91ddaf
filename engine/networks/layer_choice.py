"""What a network asks of a layer that it goes on."""

from typing import Protocol

from torch import nn

from engine.config import LayerGroup


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
