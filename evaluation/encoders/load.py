"""From the name of an encoder to the encoder, by what its folder says it is.

Known to fit: openai/clip-vit-base-patch32, openai/clip-vit-large-patch14, google/siglip-so400m-patch14-384 as
`encoder`; facebook/dinov2-base and -large as `image_encoder`; yuvalkirstain/PickScore_v1 as `preference`.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from engine.compose.device import visible_device
from engine.config.errors import ConfigError
from engine.config.evaluation import PIXELS
from evaluation.encoders.clip_encoder import ClipEncoder
from evaluation.encoders.dino_encoder import DinoEncoder
from evaluation.encoders.encoder import Encoder
from evaluation.encoders.encoder_folder import ENCODER, find_encoder, fingerprint_folder, read_kind
from evaluation.encoders.encoder_model import Origin
from evaluation.encoders.file_hashes import FileHashes
from evaluation.encoders.pixel_encoder import PixelEncoder
from evaluation.encoders.siglip_encoder import SiglipEncoder

CLASSES: dict[str, Callable[[Origin], Encoder]] = {  # model_type of config.json -> its encoder
    "clip": ClipEncoder,
    "siglip": SiglipEncoder,
    "dinov2": DinoEncoder,
}


def load_encoder(
    name: str, device: str = "auto", *, option: str = ENCODER, hashes: FileHashes | None = None
) -> Encoder:
    """The encoder of a local folder or hub id, or `pixels`; one in a process, loaded at its first picture.

    device  auto = the GPU if there is one
    hashes  remembers the fingerprints of files of gigabytes
    ConfigError: no such encoder or device, of another kind, weights missing.
    """
    if name == PIXELS and option != ENCODER:
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
    origin = Origin(folder=folder, name=name, option=option, device=device, fingerprint=fingerprint)
    return CLASSES[read_kind(folder)](origin)
