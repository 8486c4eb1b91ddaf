"""Drawn pictures, kept by all that they depend on, so that no run draws again what another has drawn."""

import contextlib
import hashlib
import io
import json
import os
import secrets
from importlib.metadata import version
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from engine.models.family import ModelFamily
from engine.sampling.draw import DrawSettings, Wanted, settings_values

BASE_PICTURES, LORA_PICTURES = "base_pictures", "lora_pictures"  # folders of the cache
_CODE_VERSION = 1  # to be raised when drawing changes what it gives
_LIBRARIES = ("diffusers", "torch")  # another version may draw another picture
_DAMAGED = (OSError, SyntaxError, ValueError, UnidentifiedImageError)  # what Pillow says of it


class PictureCache:
    """A folder of PNG files, shared by runs that work at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, *, size: tuple[int, int]) -> bytes | None:
        """The file of a picture; None where there is none, only a damaged one, or one of another size."""
        path = self.path_of(key)
        try:
            content = path.read_bytes()
            with Image.open(io.BytesIO(content)) as picture:
                is_whole = picture.format == "PNG" and picture.size == size
                picture.verify()  # the checksum of every part
        except _DAMAGED:
            return None
        with contextlib.suppress(OSError):  # of a cache that may only be read
            os.utime(path)  # when it was last used, for who prunes the cache
        return content if is_whole else None

    def put(self, key: str, content: bytes) -> None:
        """Write a picture whole or not at all.

        raises  OSError when the folder cannot be written
        """
        path = self.path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        half_written = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            half_written.write_bytes(content)
            half_written.replace(path)
        finally:
            half_written.unlink(missing_ok=True)

    def path_of(self, key: str) -> Path:
        """The file of a picture: ab/abcd....png."""
        return self.folder / key[:2] / f"{key}.png"


def picture_key(family: ModelFamily, wanted: Wanted, settings: DrawSettings, *, network: str = "") -> str:
    """sha256 over all that a picture depends on, in hexadecimal.

    The batch that it is drawn in changes the last bit of a float, before pixels are rounded to 8 bits, and
    is left out. The base's fingerprint is over denoiser, text encoder, tokenizer, VAE and scheduler.
    network  what is attached to the base, by its content; "" = nothing
    """
    config = family.config
    row = {
        "code": _CODE_VERSION,
        "libraries": {name: version(name) for name in _LIBRARIES},
        "family": config.family.value,
        "base": family.fingerprints.base,
        "dtype": str(family.dtype),
        "device": family.device.type,
        "reading": [config.clip_skip, config.token_length, config.weighted_captions],
        "t5": [config.t5_token_length, config.t5_attention_mask],
        "zero_terminal_snr": config.zero_terminal_snr,
        "network": network,
        "prompt": wanted.prompt,
        "seed": wanted.seed,
        "settings": settings_values(settings),
    }
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
