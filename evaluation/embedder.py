"""Each picture and text is encoded once per encoder; a cache by content keeps the pictures' vectors."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from engine.config.errors import ConfigError
from evaluation.encoders import Encoder, Vectors
from evaluation.pictures import UNREADABLE, open_picture

if TYPE_CHECKING:
    from engine.data.cache import ContentCache

_CODE_VERSION = "1"  # raise it when the same file would give another vector


class Embedder:
    """An encoder with its memory."""

    def __init__(self, encoder: Encoder, *, cache_dir: Path | None = None, batch_size: int = 32) -> None:
        self.encoder = encoder
        self._cache = None if cache_dir is None else _open_cache(cache_dir)
        self._batch_size = batch_size
        self._known: dict[str, Vectors] = {}
        self._keys: dict[Path, str] = {}
        self._texts: dict[str, Vectors] = {}

    def images(self, paths: Sequence[Path]) -> Vectors:
        """The pictures' vectors [N, D]. ConfigError: a picture cannot be read, NaN from the encoder."""
        keys = [self._key(path) for path in paths]
        todo = {key: path for key, path in zip(keys, paths, strict=True) if not self._recall(key)}
        rows = list(todo.items())
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            vectors = self._checked(self.encoder.embed_images([_open(path) for _, path in batch]))
            for (key, _), vector in zip(batch, vectors, strict=True):
                self._keep(key, vector)
        return np.stack([self._known[key] for key in keys])

    def texts(self, texts: Sequence[str]) -> Vectors:
        """The texts' vectors [N, D]."""
        todo = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(todo), self._batch_size):
            batch = todo[start : start + self._batch_size]
            vectors = self._checked(self.encoder.embed_texts(batch))
            self._texts.update(zip(batch, vectors, strict=True))
        return np.stack([self._texts[text] for text in texts])

    def count_truncated(self) -> int:
        """How many different texts so far were longer than the encoder reads."""
        return self.encoder.count_truncated(list(self._texts))

    def _checked(self, vectors: Vectors) -> Vectors:
        if not np.isfinite(vectors).all():
            raise ConfigError(
                f"evaluation.encoder={self.encoder.name}: gives what is not a number. Use another one."
            )
        return vectors

    def _key(self, path: Path) -> str:
        if path not in self._keys:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            parts = (content, self.encoder.fingerprint, self.encoder.preprocessing, _CODE_VERSION)
            self._keys[path] = hashlib.sha256("|".join(parts).encode()).hexdigest()
        return self._keys[path]

    def _recall(self, key: str) -> bool:
        if key not in self._known and self._cache is not None:
            entry = self._cache.get(key)  # None too where a power cut damaged it: computed again
            if entry is not None:
                self._known[key] = entry["vector"].numpy()
        return key in self._known

    def _keep(self, key: str, vector: Vectors) -> None:
        self._known[key] = vector
        if self._cache is not None:
            import torch

            self._cache.put(key, {"vector": torch.from_numpy(vector)})


def _open_cache(folder: Path) -> "ContentCache":
    from engine.data.cache import ContentCache  # with torch, which a refused command must not wait for

    return ContentCache(folder / "embeddings")


def _open(path: Path) -> Image.Image:
    try:
        return open_picture(path)
    except UNREADABLE as error:
        raise ConfigError(f"{path}: cannot be read as a picture ({error}). Replace or remove it.") from error
