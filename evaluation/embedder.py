"""Each picture and text is encoded once per encoder; a cache by content keeps the pictures' vectors."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.config.errors import ConfigError
from evaluation.encoders import Encoder, Vectors
from evaluation.pictures import open_picture

_CODE_VERSION = "1"  # raise it when the same file would give another vector


class Embedder:
    """An encoder with its memory."""

    def __init__(self, encoder: Encoder, *, cache_dir: Path | None = None, batch_size: int = 32) -> None:
        self.encoder = encoder
        self._folder = None if cache_dir is None else cache_dir / "embeddings"
        self._batch_size = batch_size
        self._known: dict[str, Vectors] = {}
        self._keys: dict[Path, str] = {}
        self._texts: dict[str, Vectors] = {}

    def images(self, paths: Sequence[Path]) -> Vectors:
        """The pictures' vectors [N, D]. ConfigError names a picture that cannot be read."""
        keys = [self._key(path) for path in paths]
        todo = {key: path for key, path in zip(keys, paths, strict=True) if not self._recall(key)}
        rows = list(todo.items())
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            vectors = self.encoder.embed_images([_open(path) for _, path in batch])
            for (key, _), vector in zip(batch, vectors, strict=True):
                self._keep(key, vector)
        return np.stack([self._known[key] for key in keys])

    def texts(self, texts: Sequence[str]) -> Vectors:
        """The texts' vectors [N, D]."""
        todo = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(todo), self._batch_size):
            batch = todo[start : start + self._batch_size]
            self._texts.update(zip(batch, self.encoder.embed_texts(batch), strict=True))
        return np.stack([self._texts[text] for text in texts])

    def count_truncated(self) -> int:
        """How many different texts so far were longer than the encoder reads."""
        return self.encoder.count_truncated(list(self._texts))

    def _key(self, path: Path) -> str:
        if path not in self._keys:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            parts = (content, self.encoder.fingerprint, self.encoder.preprocessing, _CODE_VERSION)
            self._keys[path] = hashlib.sha256("|".join(parts).encode()).hexdigest()
        return self._keys[path]

    def _recall(self, key: str) -> bool:
        if key in self._known:
            return True
        file = self._file(key)
        if file is None or not file.is_file():
            return False
        try:
            vector = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):  # cut off by a power cut: computed again
            return False
        if vector.ndim != 1 or vector.dtype != np.float32 or not np.isfinite(vector).all():
            return False
        self._known[key] = vector
        return True

    def _keep(self, key: str, vector: Vectors) -> None:
        self._known[key] = vector
        file = self._file(key)
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.stem}.{os.getpid()}.npy")
        np.save(temporary, vector, allow_pickle=False)
        temporary.replace(file)

    def _file(self, key: str) -> Path | None:
        return None if self._folder is None else self._folder / key[:2] / f"{key}.npy"


def _open(path: Path) -> Image.Image:
    try:
        return open_picture(path)
    except (OSError, SyntaxError) as error:
        raise ConfigError(f"{path}: cannot be read as a picture ({error}). Replace or remove it.") from error
