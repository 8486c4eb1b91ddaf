"""Where the words of a tokenizer lie: given, in the checkpoint, or in a published model on this machine."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import Family
from engine.models.locate import cached_folder

VOCABULARIES = ("vocab.json", "tokenizer.json", "spiece.model")
_CLIP = {"tokenizer": "clip", "tokenizer_2": "clip"}
_KINDS: dict[Family, dict[str, str]] = {
    Family.sd1: _CLIP,
    Family.sd2: _CLIP,
    Family.sdxl: _CLIP,
    Family.sd3: {**_CLIP, "tokenizer_3": "t5"},
    Family.flux: {"tokenizer": "clip", "tokenizer_2": "t5"},
    Family.anima: {"tokenizer": "qwen", "t5_tokenizer": "t5"},
}
# Hub ids and their folders that hold the same words; the first is the smallest to fetch.
_PUBLISHED: dict[str, tuple[tuple[str, str], ...]] = {
    "clip": (
        ("openai/clip-vit-large-patch14", ""),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "tokenizer"),
        ("stabilityai/stable-diffusion-xl-base-1.0", "tokenizer"),
        ("stabilityai/stable-diffusion-3.5-medium", "tokenizer"),
        ("black-forest-labs/FLUX.1-schnell", "tokenizer"),
        ("black-forest-labs/FLUX.1-dev", "tokenizer"),
    ),
    "t5": (
        ("google/t5-v1_1-xxl", ""),
        ("black-forest-labs/FLUX.1-schnell", "tokenizer_2"),
        ("black-forest-labs/FLUX.1-dev", "tokenizer_2"),
        ("stabilityai/stable-diffusion-3.5-medium", "tokenizer_3"),
        ("stabilityai/stable-diffusion-3-medium-diffusers", "tokenizer_3"),
    ),
    "qwen": (("Qwen/Qwen3-0.6B-Base", ""), ("Qwen/Qwen3-0.6B", "")),
}
_SETTINGS = ("pad_token", "model_max_length")  # by which tokenizers of the same words differ


@dataclass(kw_only=True, slots=True, frozen=True)
class Words:
    """The folder of a tokenizer, and what is set otherwise than there."""

    folder: Path
    pad_token: str | None = field(default=None)  # None: as the folder says
    model_max_length: int | None = None  # tokens; None: as the folder says


def find_words(family: Family, part: str, *, own: Path | None, folder: Path, settings: Path) -> Words | None:
    """A tokenizer's words; None: not on this machine.

    own       the folder that is given for tokenizers, searched first
    folder    the checkpoint, searched next where it is a folder
    settings  the folder of the tokenizer's settings, for words of a published model
    """
    for parent in (own, folder):
        if parent is not None and has_words(parent / part):
            return Words(folder=parent / part)
    kind = wanted_words(family, part)
    borrowed = own / kind if own is not None and has_words(own / kind) else _published_words(kind)
    if borrowed is None:
        return None
    content = json.loads((settings / "tokenizer_config.json").read_text(encoding="utf-8"))
    return Words(
        folder=borrowed, pad_token=content["pad_token"], model_max_length=content["model_max_length"]
    )


def has_words(folder: Path) -> bool:
    """Whether a folder holds words; of one that does not, transformers makes a tokenizer that knows none."""
    return any((folder / file).is_file() for file in VOCABULARIES)


def wanted_words(family: Family, part: str) -> str:
    """Whose words a tokenizer has: "clip", "t5" or "qwen"."""
    return _KINDS[family][part]


def published(kind: str) -> str:
    """The hub id to fetch words from."""
    return _PUBLISHED[kind][0][0]


def _published_words(kind: str) -> Path | None:
    for name, inside in _PUBLISHED[kind]:
        for file in VOCABULARIES:
            found = cached_folder(name, f"{inside}/{file}" if inside else file)
            if found is not None:
                return found
    return None
