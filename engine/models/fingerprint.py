"""What a checkpoint holds, as hashes of its files, so that work done with it is kept by content; no torch."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PARTS_OF_VAE = ("vae",)
_PARTS_OF_TEXT = ("text_encoder", "tokenizer")
_PARTS = ("unet", *_PARTS_OF_VAE, *_PARTS_OF_TEXT, "scheduler")
_ENDINGS = (".safetensors", ".json", ".txt")


@dataclass(kw_only=True, slots=True, frozen=True)
class Fingerprints:
    """sha256 over the names and bytes of a model's files, in hexadecimal."""

    base: str  # all parts together
    vae: str
    text: str  # text encoder and tokenizer


def checkpoint_fingerprints(folder: Path) -> Fingerprints:
    """The fingerprints of a diffusers folder; files are read once in a process."""
    return Fingerprints(
        base=_hash_parts(folder, _PARTS),
        vae=_hash_parts(folder, _PARTS_OF_VAE),
        text=_hash_parts(folder, _PARTS_OF_TEXT),
    )


def _hash_parts(folder: Path, parts: tuple[str, ...]) -> str:
    rows = [
        (f"{part}/{file.name}", _hash_file(file, file.stat().st_size, file.stat().st_mtime_ns))
        for part in parts
        for file in sorted((folder / part).glob("*"))
        if file.suffix in _ENDINGS
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@lru_cache(maxsize=256)
def _hash_file(file: Path, size: int, modified: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
