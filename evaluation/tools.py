"""What metrics look at pictures with: encoders by their role, the facts of pixels, and the aesthetic head."""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluation.pixel_facts import PixelFacts, read_facts

if TYPE_CHECKING:
    from evaluation.embedder import Embedder


class Role(Enum):
    """What a metric needs an encoder for."""

    text_image = "text_image"  # pictures and texts in one space: CLIP, SigLIP
    image = "image"  # pictures among each other: DINOv2, CLIP, SigLIP, pixels
    preference = "preference"  # what people prefer: PickScore's CLIP


class Tools:
    """The encoders of a scoring by role, and what is known of each picture's pixels."""

    def __init__(self, embedders: Mapping[Role, "Embedder"]) -> None:
        self._embedders = dict(embedders)
        self._facts: dict[Path, PixelFacts] = {}

    def has(self, role: Role) -> bool:
        """Whether an encoder is named for a role."""
        return role in self._embedders

    def embedder(self, role: Role) -> "Embedder":
        """The encoder of a role with its memory; KeyError where `has` is False."""
        return self._embedders[role]

    def facts(self, path: Path) -> PixelFacts:
        """What the pixels of a picture say; a file that is no picture has the fault "unreadable"."""
        if path not in self._facts:
            self._facts[path] = read_facts(path)
        return self._facts[path]

    @property
    def has_aesthetic(self) -> bool:
        """Whether the head that rates pictures is named."""
        return False

    def rate(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The aesthetic rating [N] of pictures, about 1 to 10; KeyError where `has_aesthetic` is False."""
        raise KeyError("aesthetic")
