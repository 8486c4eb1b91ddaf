"""What turns pictures and texts into vectors: one protocol, and CLIP through transformers."""

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.compose.device import visible_device
from engine.config.errors import ConfigError
from engine.models.quiet import quiet_loading
from evaluation.encoder_folder import find_encoder, fingerprint_folder
from evaluation.pictures import Preprocessing, prepare, read_preprocessing

Vectors = NDArray[np.float32]


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

    def __init__(self, folder: Path, *, name: str, device: str, fingerprint: str) -> None:
        import torch
        from transformers import CLIPModel, CLIPTokenizer

        quiet_loading()
        self.name = name
        self.fingerprint = fingerprint
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
            # No mask: attention is causal, so the end token never sees the padding behind it.
            output = self._model.text_model(input_ids=tokens["input_ids"])
            vectors = self._model.text_projection(output.pooler_output)
        return _normalise(vectors.cpu().numpy())

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        lengths = [len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
        return sum(length > self._max_length for length in lengths)


def load_encoder(name: str, device: str = "auto") -> Encoder:
    """The encoder of a local folder or hub id, loaded once in a process.

    device  auto = the GPU if there is one
    ConfigError: no such encoder or device, not a CLIP, weights missing.
    """
    folder = find_encoder(name)
    found = visible_device(device)
    if found is None:
        raise ConfigError(f"device={device}: not on this machine. Use device=auto or device=cpu.")
    return _load_clip(folder, name, device=found, fingerprint=fingerprint_folder(folder))


@lru_cache(maxsize=4)
def _load_clip(folder: Path, name: str, *, device: str, fingerprint: str) -> Encoder:
    """The fingerprint is part of the key: a folder whose files changed is loaded again."""
    try:
        return ClipEncoder(folder, name=name, device=device, fingerprint=fingerprint)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: shapes unlike config.json's
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"evaluation.encoder={name}: cannot be loaded ({reason}). Use a whole folder as save_pretrained "
            "writes it."
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
