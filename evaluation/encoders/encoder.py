"""What turns pictures and texts into vectors: the protocol."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.encoders.pictures import Pixels

Vectors = NDArray[np.float32]


class EncoderKind(Enum):
    """What a metric needs an encoder to read."""

    image = "image"
    text_image = "text_image"


class Encoder(Protocol):
    """An encoder; vectors have length 1, so that a dot product is a cosine.

    What it is can be asked before its weights are loaded; they are when the first picture or text comes.
    """

    name: str  # as the user named it
    option: str  # where the user named it
    fingerprint: str  # sha256 over its files
    preprocessing: str  # id of how pictures are made ready
    kinds: frozenset[EncoderKind]

    def prepare(self, picture: Image.Image) -> Pixels:
        """An RGB picture as the encoder reads it; called by several threads."""
        ...

    def embed_prepared(self, prepared: Sequence[Pixels]) -> Vectors:
        """[N, D] float32, in the order given."""
        ...

    def embed_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """[N, D] float32, in the order given."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N, D] float32; a text that is too long loses its last words, never its end token."""
        ...

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        ...

    def logit_scale(self) -> float:
        """What the cosine of a picture and a text was multiplied with in training."""
        ...
