"""What turns pictures and texts into vectors: the protocol, and which class an encoder's folder needs.

Known to fit: openai/clip-vit-base-patch32, openai/clip-vit-large-patch14, google/siglip-so400m-patch14-384 as
`encoder`; facebook/dinov2-base and -large as `image_encoder`; yuvalkirstain/PickScore_v1 as `preference`.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.compose.device import visible_device
from engine.config.errors import ConfigError
from engine.config.evaluation import PIXELS
from evaluation.encoders.encoder_folder import ENCODER, find_encoder, fingerprint_folder, read_kind
from evaluation.encoders.file_hashes import FileHashes
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


def load_encoder(
    name: str, device: str = "auto", *, option: str = ENCODER, hashes: FileHashes | None = None
) -> Encoder:
    """The encoder of a local folder or hub id, or `pixels`; one in a process, loaded at its first picture.

    device  auto = the GPU if there is one
    hashes  remembers the fingerprints of files of gigabytes
    ConfigError: no such encoder or device, of another kind, weights missing.
    """
    if name == PIXELS and option != ENCODER:
        from evaluation.encoders.pixel_encoder import PixelEncoder

        return PixelEncoder(option=option)
    folder = find_encoder(name, option)
    check_device(device)
    fingerprint = fingerprint_folder(folder, hashes)
    return _make(folder, name, option=option, device=device, fingerprint=fingerprint)


def check_device(device: str) -> None:
    """ConfigError: the device is not on this machine; torch is only asked where it may not be."""
    if device not in ("auto", "cpu") and visible_device(device) is None:
        raise ConfigError(f"device={device}: not on this machine. Use device=auto or device=cpu.")


@lru_cache(maxsize=4)
def _make(folder: Path, name: str, *, option: str, device: str, fingerprint: str) -> Encoder:
    """The fingerprint is part of the key: a folder whose files changed is loaded again."""
    from evaluation.encoders.clip_encoder import ClipEncoder
    from evaluation.encoders.dino_encoder import DinoEncoder
    from evaluation.encoders.encoder_model import Origin
    from evaluation.encoders.siglip_encoder import SiglipEncoder

    classes: dict[str, Callable[[Origin], Encoder]] = {
        "clip": ClipEncoder,
        "siglip": SiglipEncoder,
        "dinov2": DinoEncoder,
    }
    origin = Origin(folder=folder, name=name, option=option, device=device, fingerprint=fingerprint)
    return classes[read_kind(folder)](origin)
