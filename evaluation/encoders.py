"""What turns pictures and texts into vectors: one protocol, and CLIP through transformers."""

import hashlib
import json
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.config.errors import ConfigError
from engine.models.locate import find_checkpoint, is_hub_id
from evaluation.pictures import Preprocessing, prepare, read_preprocessing

Vectors = NDArray[np.float32]
_HASHED = (".safetensors", ".json", ".txt", ".model")
_FILES = ["*.json", "*.txt", "*.safetensors", "*.model"]


class EncoderKind(Enum):
    """What a metric needs an encoder to read."""

    image = "image"
    text_image = "text_image"


class Encoder(Protocol):
    """An encoder; vectors have length 1, so that a dot product is a cosine."""

    name: str  # as the user named it
    fingerprint: str  # sha256 over its files
    preprocessing: str  # id of how pictures are made ready
    kinds: frozenset[EncoderKind]

    def embed_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """[N, D] float32, in the order given."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N, D] float32; a text that is too long loses its last words, never its end token."""
        ...

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        ...


class ClipEncoder:
    """CLIP from a folder as transformers writes it, in float32."""

    kinds = frozenset(EncoderKind)

    def __init__(self, folder: Path, *, name: str, device: str) -> None:
        import torch
        from transformers import CLIPModel, CLIPTokenizer

        self.name = name
        self.fingerprint = fingerprint_folder(folder)
        self._settings: Preprocessing = read_preprocessing(folder)
        self.preprocessing = self._settings.id
        self._device = device
        model, loading = CLIPModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        _refuse_missing(name, loading["missing_keys"])
        self._model = model.to(device).eval().requires_grad_(False)
        self._tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        self._max_length: int = model.config.text_config.max_position_embeddings

    def embed_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """[N, D] float32, in the order given."""
        import torch

        pixels = np.stack([prepare(picture, self._settings) for picture in pictures])
        with torch.inference_mode():
            output = self._model.vision_model(pixel_values=torch.from_numpy(pixels).to(self._device))
            vectors = self._model.visual_projection(output.pooler_output)
        return _normalise(vectors.cpu().numpy())

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N, D] float32; a text that is too long loses its last words, never its end token."""
        import torch

        tokens = self._tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self._max_length,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            output = self._model.text_model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            )
            vectors = self._model.text_projection(output.pooler_output)
        return _normalise(vectors.cpu().numpy())

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        lengths = [len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
        return sum(length > self._max_length for length in lengths)


def load_encoder(name: str, device: str = "auto") -> Encoder:
    """The encoder of a local folder or hub id, loaded once in a process.

    device  auto = the GPU if there is one
    ConfigError: no such folder, not a CLIP, weights missing.
    """
    folder = find_encoder(name)
    return _load_clip(folder, name, _choose_device(device))


def find_encoder(name: str) -> Path:
    """The folder of an encoder; a hub id that is not on this machine is downloaded. ConfigError: no CLIP."""
    folder = find_checkpoint(name) or (_download(name) if is_hub_id(name) else None)
    if folder is None:
        raise ConfigError(
            f"evaluation.encoder={name}: no such folder. Set evaluation.encoder to a CLIP folder, "
            "or to a hub id such as openai/clip-vit-base-patch32."
        )
    problem = _kind_problem(folder)
    if problem:
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


@lru_cache(maxsize=4)
def _load_clip(folder: Path, name: str, device: str) -> Encoder:
    try:
        return ClipEncoder(folder, name=name, device=device)
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"evaluation.encoder={name}: cannot be loaded ({reason}). Use a whole folder as save_pretrained "
            "writes it, with model.safetensors and the tokenizer's files."
        ) from error


def _choose_device(device: str) -> str:
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _kind_problem(folder: Path) -> str | None:
    config = folder / "config.json"
    if not config.is_file():
        return "the folder holds no config.json. Use a folder that holds a CLIP as transformers writes it."
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except ValueError:
        return "its config.json is not JSON. Use a folder that holds a CLIP as transformers writes it."
    return None if kind == "clip" else f"is a {kind} model, not a CLIP. Use a CLIP."


def _download(name: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"evaluation.encoder={name}: not on this machine and it cannot be downloaded ({reason}). "
            "Download it where there is a network, or set evaluation.encoder to a local folder."
        ) from error


def _refuse_missing(name: str, missing: Sequence[str]) -> None:
    if missing:
        raise ConfigError(
            f"evaluation.encoder={name}: {len(missing)} weights are missing (first: {sorted(missing)[0]}), "
            "and random ones would give scores without a meaning. Use a complete CLIP."
        )


def _normalise(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
