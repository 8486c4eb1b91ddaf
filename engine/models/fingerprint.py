"""What a checkpoint holds, as hashes of its files, so that work done with it is kept by content; no torch."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.models.facts import FamilyFacts

_ENDINGS = (".safetensors", ".json", ".txt")


@dataclass(kw_only=True, slots=True, frozen=True)
class Fingerprints:
    """sha256 over the names and bytes of a model's files, in hexadecimal."""

    base: str  # all parts together
    vae: str
    text: str  # text encoders and tokenizers


def checkpoint_fingerprints(folder: Path, facts: FamilyFacts) -> Fingerprints:
    """The fingerprints of a diffusers folder; files are read once in a process."""
    return Fingerprints(
        base=_hash_parts(folder, facts.parts),
        vae=_hash_parts(folder, ("vae",)),
        text=_hash_parts(folder, facts.of_text),
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
