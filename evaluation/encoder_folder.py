"""Where an encoder lies and whether its folder is whole: files and headers only, no torch, no download."""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from engine.config.errors import ConfigError
from engine.models.locate import find_checkpoint, is_hub_id

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_TOWERS = ("vision_model.", "visual_projection.", "text_model.", "text_projection.")
_WANTED = "Use a folder that holds a CLIP as save_pretrained writes it."
_HASHED = (".safetensors", ".json", ".txt", ".model")


def find_encoder(name: str) -> Path:
    """The folder of an encoder, given as a folder or hub id. ConfigError: not here, not a whole CLIP."""
    folder = find_checkpoint(name)
    if folder is None and is_hub_id(name):
        raise ConfigError(
            f"evaluation.encoder={name}: not on this machine. Run: hf download {name}, or set "
            "evaluation.encoder to a CLIP folder."
        )
    if folder is None:
        raise ConfigError(
            f"evaluation.encoder={name}: no such folder. Set evaluation.encoder to a CLIP folder, "
            "or to a hub id such as openai/clip-vit-base-patch32."
        )
    problem = _find_problem(folder)
    if problem is not None:
        raise ConfigError(f"evaluation.encoder={name}: {problem}")
    return folder


def fingerprint_folder(folder: Path) -> str:
    """sha256 over the names and bytes of a folder's weights and settings."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _HASHED and path.is_file():
            with path.open("rb") as stream:
                digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()};".encode())
    return digest.hexdigest()


def _find_problem(folder: Path) -> str | None:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        files = _weight_files(folder)
    except OSError:
        return f"holds no config.json. {_WANTED}"
    except (ValueError, AttributeError, KeyError):
        return f"its config.json or {_INDEX} cannot be read. {_WANTED}"
    if kind != "clip":
        return f"is a {kind} model, not a CLIP. Use a CLIP."
    if not any(all((folder / file).is_file() for file in files) for files in _TOKENIZERS):
        return f"holds no tokenizer (tokenizer.json, or vocab.json and merges.txt). {_WANTED}"
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        return f"holds no {missing[0]}. {_WANTED}"
    return _find_weight_problem(files)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / _INDEX
    if (folder / _WEIGHTS).is_file() or not index.is_file():
        return [folder / _WEIGHTS]
    names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    return [folder / name for name in sorted(set(names))]


def _find_weight_problem(files: list[Path]) -> str | None:
    keys: set[str] = set()
    for file in files:
        try:
            with safe_open(file, framework="numpy") as weights:
                keys |= set(weights.keys())
        except (OSError, SafetensorError) as error:
            return f"{file.name} is damaged ({error}). Copy or download it again."
    lacking = [tower for tower in _TOWERS if not any(key.startswith(tower) for key in keys)]
    if lacking:
        return f"its weights lack {lacking[0]}*, and random ones would give meaningless scores. {_WANTED}"
    return None
