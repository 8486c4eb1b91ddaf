"""What a checkpoint holds, as hashes of its files, so that work done with it is kept by content; no torch."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.config import ModelConfig
from engine.models.facts import FAMILIES, FamilyFacts
from engine.models.file_hashes import sha256_of
from engine.models.locate import find_checkpoint
from engine.models.places import Place, Places, find_places, lies_in_parts

_ENDINGS = (".safetensors", ".json", ".txt", ".model")  # the last: the words of T5, spiece.model


@dataclass(kw_only=True, slots=True, frozen=True)
class Fingerprints:
    """sha256 over the names and bytes of a model's files, in hexadecimal."""

    base: str  # all parts together
    vae: str
    text: str  # text encoders and tokenizers


def model_fingerprints(model: ModelConfig) -> Fingerprints:
    """The fingerprints of a recipe's model, wherever its parts lie.

    raises  ConfigError where it is not on this machine, or a part of it is missing
    """
    path = find_checkpoint(model.checkpoint or "")
    if path is None or lies_in_parts(model):
        return placed_fingerprints(model, find_places(model))
    return checkpoint_fingerprints(path, FAMILIES[model.family])


def checkpoint_fingerprints(folder: Path, facts: FamilyFacts) -> Fingerprints:
    """The fingerprints of a diffusers folder; files are read once in a process, large ones once at all."""
    rows = {part: _folder_rows(part, folder / part) for part in facts.parts}
    return _fingerprints(rows, facts)


def placed_fingerprints(model: ModelConfig, places: Places) -> Fingerprints:
    """The fingerprints of parts that lie in files or in several places.

    A part in a file that holds others stands for the whole file: files are read as they lie on the disk.
    """
    facts = FAMILIES[model.family]
    rows = {part: _place_rows(part, place) for part, place in places.parts.items()}
    for part, words in places.words.items():
        changes = f"{words.pad_token} {words.model_max_length}"
        rows[part] = [*_folder_rows(part, words.folder), (f"{part} is set to", changes)]
    rows["scheduler"] = _folder_rows("scheduler", places.scheduler)
    if places.is_file:
        rows["scheduler"].append(("predicts", model.prediction.name))
    return _fingerprints(rows, facts)


Row = tuple[str, str]  # what is hashed, its hash


def _fingerprints(rows: dict[str, list[Row]], facts: FamilyFacts) -> Fingerprints:
    def of(parts: Iterable[str]) -> str:
        text = json.dumps([row for part in parts for row in rows.get(part, [])])
        return hashlib.sha256(text.encode()).hexdigest()

    return Fingerprints(base=of(facts.parts), vae=of(("vae",)), text=of(facts.of_text))


def _folder_rows(part: str, folder: Path) -> list[Row]:
    return [
        (f"{part}/{file.name}", _hash_file(file, file.stat().st_size, file.stat().st_mtime_ns))
        for file in sorted(folder.glob("*"))
        if file.suffix in _ENDINGS
    ]


def _place_rows(part: str, place: Place) -> list[Row]:
    if place.found is None:
        return _folder_rows(part, place.path)
    config = place.config / "config.json"
    return [
        (f"{part} as {place.found.form} at {place.found.prefix}", _hash(place.path)),
        (f"{part}/{config.name}", _hash(config)),
    ]


def _hash(file: Path) -> str:
    return _hash_file(file, file.stat().st_size, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_file(file: Path, size: int, modified: int) -> str:
    return sha256_of(file, size=size, modified=modified)
