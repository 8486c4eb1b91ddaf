"""Where an encoder lies and whether its folder is whole: files and headers only, no torch, no download."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from engine.config.errors import ConfigError
from engine.models.locate import find_checkpoint, is_hub_id
from evaluation.encoders.file_hashes import FileHashes

ENCODER = "evaluation.encoder"
IMAGE_ENCODER = "evaluation.image_encoder"
PREFERENCE = "evaluation.preference"

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_HASHED = (".safetensors", ".bin", ".json", ".txt", ".model")


@dataclass(kw_only=True, slots=True, frozen=True)
class _Family:
    """What a folder of a kind holds."""

    title: str
    parts: tuple[str, ...]  # beginnings of the names of its weights
    prefix: str = ""  # that some files put before the names
    tokenizers: tuple[tuple[str, ...], ...] = ((),)  # one of these sets of files


@dataclass(kw_only=True, slots=True, frozen=True)
class _Place:
    """What an option takes."""

    kinds: tuple[str, ...]
    what: str  # "a CLIP or SigLIP"
    use: str  # what to set it to, as the end of a sentence
    example: str  # a hub id


_FAMILIES = {  # by model_type of config.json
    "clip": _Family(
        title="CLIP",
        parts=("vision_model.", "visual_projection.", "text_model.", "text_projection."),
        tokenizers=(("tokenizer.json",), ("vocab.json", "merges.txt")),
    ),
    "siglip": _Family(
        title="SigLIP", parts=("vision_model.", "text_model."), tokenizers=(("tokenizer.json",),)
    ),
    "dinov2": _Family(
        title="DINOv2", parts=("embeddings.", "encoder.layer.", "layernorm."), prefix="dinov2."
    ),
}
_PLACES = {
    ENCODER: _Place(
        kinds=("clip", "siglip"),
        what="a CLIP or SigLIP",
        use="a CLIP or SigLIP as save_pretrained writes it",
        example="openai/clip-vit-large-patch14",
    ),
    IMAGE_ENCODER: _Place(
        kinds=tuple(_FAMILIES),
        what="a DINOv2, CLIP or SigLIP",
        use="a DINOv2, CLIP or SigLIP as save_pretrained writes it, or to pixels",
        example="facebook/dinov2-base",
    ),
    PREFERENCE: _Place(
        kinds=("clip",),
        what="a CLIP as PickScore is one",
        use="a CLIP as PickScore is one, as save_pretrained writes it",
        example="yuvalkirstain/PickScore_v1",
    ),
}


def find_encoder(name: str, option: str = ENCODER) -> Path:
    """The folder of an encoder, given as a folder or hub id.

    option  where it was named: it says which kinds will do
    ConfigError: not here, not a whole model, of a kind that will not do there.
    """
    place = _PLACES[option]
    folder = find_checkpoint(name)
    if folder is None and is_hub_id(name):
        raise ConfigError(
            f"{option}={name}: not on this machine. Run: hf download {name}, or set {option} to the folder "
            f"of {place.what}."
        )
    if folder is None:
        raise ConfigError(
            f"{option}={name}: no such folder. Set {option} to the folder of {place.what}, or to a hub id "
            f"such as {place.example}."
        )
    problem = _find_problem(folder, place)
    if problem is not None:
        where = "" if str(folder) == name else f" (at {folder})"
        raise ConfigError(f"{option}={name}{where}: {problem} Set {option} to {place.use}.")
    return folder


def fingerprint_folder(folder: Path, hashes: FileHashes | None = None) -> str:
    """sha256 over the names and bytes of a folder's weights and settings.

    hashes  what was read before, so that unchanged weights are not read again
    """
    known = FileHashes() if hashes is None else hashes
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _HASHED and path.is_file():
            digest.update(f"{path.name}:{known.sha256(path)};".encode())
    known.save()
    return digest.hexdigest()


def read_kind(folder: Path) -> str:
    """What a folder's config.json says it is: clip, siglip, dinov2. OSError, ValueError: unreadable."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("config.json holds no table")
    return str(content.get("model_type"))


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights, there or not; safetensors come first. ValueError: bad index."""
    for single, index in zip(("model.safetensors", "pytorch_model.bin"), _INDEXES, strict=True):
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            names = json.loads((folder / index).read_text(encoding="utf-8"))["weight_map"].values()
            return [folder / name for name in sorted(set(names))]
    return [folder / "model.safetensors"]


def _find_problem(folder: Path, place: _Place) -> str | None:
    try:
        kind = read_kind(folder)
        files = weight_files(folder)
    except OSError:
        return "holds no config.json."
    except (ValueError, AttributeError, KeyError, TypeError):
        return f"its config.json or {_INDEXES[0]} cannot be read."
    if kind not in place.kinds:
        return f"is a {kind} model, not {place.what}."
    family = _FAMILIES[kind]
    if not any(all((folder / file).is_file() for file in files) for files in family.tokenizers):
        wanted = ", or ".join(" and ".join(files) for files in family.tokenizers)
        return f"holds no tokenizer ({wanted})."
    missing = [file.name for file in files if not file.is_file()]
    return f"holds no {missing[0]}." if missing else _find_weight_problem(files, family)


def _find_weight_problem(files: list[Path], family: _Family) -> str | None:
    """Files of PyTorch's own format say what they hold when they are loaded."""
    if any(file.suffix != ".safetensors" for file in files):
        return None
    keys: set[str] = set()
    for file in files:
        try:
            with safe_open(file, framework="numpy") as weights:
                keys |= {key.removeprefix(family.prefix) for key in weights.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            return f"{file.name} is damaged ({error}): copy or download it again."
    lacking = [part for part in family.parts if not any(key.startswith(part) for key in keys)]
    if lacking:
        return f"its weights lack {lacking[0]}*, and random ones would give meaningless scores."
    return None
