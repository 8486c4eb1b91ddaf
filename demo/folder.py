"""The demo's concept as a folder: pictures, references, prompts.json and scorer, drawn on first use."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.concepts import Concept, Prompt
    from demo.world import Picture

CONCEPTS = ("sks", "night", "bright")
WEIGHTS = Path(__file__).parent / "weights"
_TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Where the parts of a drawn concept lie."""

    path: Path
    train: Path  # 00.png + 00.txt ...
    references: Path  # true drawings, two a prompt
    prompts: Path  # the manifest
    luminance: Path  # another: as many dark prompts as bright ones, and the plain ones of the first
    scorer: Path  # a whole CLIPModel folder with its tokenizer


def is_concept(name: str) -> bool:
    """Whether the demo can draw a concept of this name."""
    return name in CONCEPTS


def is_scorer(folder: Path) -> bool:
    """Whether a folder is the demo's own CLIP, or a copy of it."""
    try:
        return (folder / "config.json").read_bytes() == (WEIGHTS / "scorer/config.json").read_bytes()
    except OSError:
        return False


def prepare_demo(concept: str, cache_dir: Path) -> DemoFolder:
    """Draw the concept into cache_dir/demo/<concept>-<version>/, unless it is there; all or nothing.

    The version is a hash of everything that the folder holds, so that it is never stale. Raises KeyError
    for an unknown concept (is_concept tells).
    """
    if not is_concept(concept):
        raise KeyError(f"{concept}: the demo knows {', '.join(CONCEPTS)}")
    files = _files(concept)
    path = cache_dir / "demo" / f"{concept}-{_version(files)}"
    if not path.is_dir():
        _write_folder(path, files)
    return DemoFolder(
        path=path,
        train=path / "train",
        references=path / "references",
        prompts=path / "prompts.json",
        luminance=path / "luminance.json",
        scorer=path / "scorer",
    )


@functools.cache  # a worker asks before each of its trials
def _files(concept: str) -> dict[str, bytes]:
    """All that the folder holds."""
    from demo.concepts import draw_concept

    return _picture_files(draw_concept(concept)) | _scorer_files()


def _picture_files(concept: Concept) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for index, (text, picture) in enumerate(concept.training):
        files[f"train/{index:02d}.png"] = _png(picture)
        files[f"train/{index:02d}.txt"] = f"{text}\n".encode()
    entries = [_entry(prompt, f"{index:02d}", files) for index, prompt in enumerate(concept.prompts)]
    toned = [_entry(prompt, f"l{index:02d}", files) for index, prompt in enumerate(concept.luminance)]
    plain = [entry for entry in entries if entry["kind"] == "plain"]
    files["prompts.json"] = _manifest(concept, entries)
    files["luminance.json"] = _manifest(concept, toned + plain)
    return files


def _entry(prompt: Prompt, name: str, files: dict[str, bytes]) -> dict[str, object]:
    """What a manifest says of a prompt, whose true drawings are added to the files."""
    names = [f"references/{name}_{letter}.png" for letter in "abcdef"[: len(prompt.references)]]
    files |= {name: _png(picture) for name, picture in zip(names, prompt.references, strict=True)}
    typed = {} if prompt.type is None else {"type": prompt.type}
    return {"prompt": prompt.text, "kind": prompt.kind, "tone": prompt.tone, "references": names, **typed}


def _manifest(concept: Concept, entries: list[dict[str, object]]) -> bytes:
    content = {
        "schema": 1,
        "concept": concept.name,
        "trigger": concept.trigger,
        "class_word": concept.class_word,
        "prompts": entries,
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def _scorer_files() -> dict[str, bytes]:
    """The scorer made whole, in fp32: its text tower is the model's own and is stored only there."""
    import numpy as np
    from safetensors.numpy import load_file, save

    tensors = {
        f"text_model.{key}": value
        for key, value in load_file(WEIGHTS / "text_encoder/model.safetensors").items()
    }
    tensors |= load_file(WEIGHTS / "scorer/model.safetensors")
    single = {
        key: value.astype(np.float32) if value.dtype == np.float16 else value
        for key, value in tensors.items()
    }
    files = {"scorer/model.safetensors": save(single, metadata={"format": "pt"})}
    for name in ("config.json", "preprocessor_config.json"):
        files[f"scorer/{name}"] = (WEIGHTS / "scorer" / name).read_bytes()
    for name in _TOKENIZER_FILES:
        files[f"scorer/{name}"] = (WEIGHTS / "tokenizer" / name).read_bytes()
    return files


def _version(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode() + files[name])
    return digest.hexdigest()[:12]


def _write_folder(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        for name, content in files.items():
            (temporary / name).parent.mkdir(exist_ok=True)
            (temporary / name).write_bytes(content)
        temporary.chmod(0o755)
        temporary.replace(path)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not path.is_dir():  # else another process was first, with the same content
            raise


def _png(picture: Picture) -> bytes:
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=False, compress_level=6)
    return buffer.getvalue()
