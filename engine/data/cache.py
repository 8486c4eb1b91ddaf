"""What the VAE and the text encoder gave, kept on disk by content: nothing stale can be found under a key."""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from engine.config import SubsetConfig
from engine.data.buckets import BucketChoice

_CODE_VERSION = 3  # to be raised when decoding, resizing or encoding changes what it gives
_CHECKSUM = "checksum"


class ContentCache:
    """A folder of entries, one safetensors file each, shared by runs that work at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[Path] = []  # entries that were found and could not be used

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of an entry; None when there is none, or only a damaged one."""
        path = self.path_of(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            self.damaged.append(path)
            return None
        try:
            tensors = load(content)
        except (SafetensorError, ValueError):
            tensors = {}
        checksum = tensors.pop(_CHECKSUM, None)
        if checksum is None or not torch.equal(checksum, _checksum(tensors)):
            self.damaged.append(path)
            return None
        with contextlib.suppress(OSError):  # of a cache that may only be read
            os.utime(path)  # when it was last used, for who prunes the cache
        return tensors

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Write an entry whole or not at all.

        raises  OSError when the folder cannot be written
        """
        path = self.path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        half_written = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            half_written.write_bytes(save({**whole, _CHECKSUM: _checksum(whole)}))
            half_written.replace(path)
        finally:
            half_written.unlink(missing_ok=True)

    def path_of(self, key: str) -> Path:
        """The file of an entry: ab/abcd....safetensors."""
        return self.folder / key[:2] / f"{key}.safetensors"


def latent_key(
    content_sha256: str,
    choice: BucketChoice,
    *,
    config: SubsetConfig,
    vae_fingerprint: str,
    dtype: torch.dtype,
    flipped: bool = False,
) -> str:
    """Of a picture's latents: the bytes of its file, its way into its bucket, the VAE and its dtype."""
    way = _way(choice, config)
    return _key(
        "latents", content=content_sha256, vae=vae_fingerprint, dtype=str(dtype), flipped=flipped, **way
    )


def mask_key(content_sha256: str, choice: BucketChoice, *, config: SubsetConfig, factor: int) -> str:
    """Of a picture's mask: the bytes of the file that holds it, its way into its bucket, pixels a latent."""
    return _key("mask", content=content_sha256, factor=factor, **_way(choice, config))


def text_key(
    caption: str, *, text_fingerprint: str, clip_skip: int, token_length: int, dtype: torch.dtype
) -> str:
    """Of a caption's embeddings: its final words, the text encoder, and how much of both is used."""
    return _key(
        "text",
        caption=caption,
        encoder=text_fingerprint,
        clip_skip=clip_skip,
        token_length=token_length,
        dtype=str(dtype),
    )


def _way(choice: BucketChoice, config: SubsetConfig) -> dict[str, object]:
    """What is done to a picture before it is encoded."""
    how = config.resize_interpolation
    return {
        "bucket": choice.bucket,
        "resized": choice.resized,
        "crop": choice.crop,
        "interpolation": None if how is None else how.name,
        "beneath": config.alpha_mask,  # the colours beneath transparency are kept
    }


def _key(kind: str, **parts: object) -> str:
    row = json.dumps({"kind": kind, "code": _CODE_VERSION, **parts}, sort_keys=True)
    return hashlib.sha256(row.encode()).hexdigest()


def _checksum(tensors: Mapping[str, Tensor]) -> Tensor:
    """sha256 of names, shapes and values: a power cut can leave the right header before empty pages."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)
