"""Each picture and text is encoded once per encoder; a cache by content keeps the vectors."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from engine.config.errors import ConfigError
from evaluation.encoders.content_store import ContentStore
from evaluation.encoders.encoder import Encoder, Vectors
from evaluation.encoders.file_hashes import FileHashes
from evaluation.encoders.look import OnProgress, look_at
from evaluation.encoders.pictures import Pixels

BATCH_SIZE = 32

_CODE_VERSION = "2"  # raise it when the same file or text would give another vector


class Embedder:
    """An encoder with its memory; the encoder's weights are loaded when something is new to it."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        cache_dir: Path | None = None,
        batch_size: int = BATCH_SIZE,
        hashes: FileHashes | None = None,
    ) -> None:
        self.encoder = encoder
        self.batch_size = batch_size
        self._hashes = FileHashes(cache_dir) if hashes is None else hashes
        self._store = ContentStore(None if cache_dir is None else cache_dir / "embeddings")
        self._pictures: dict[str, Vectors] = {}  # by sha256 of the file
        self._texts: dict[str, tuple[Vectors, bool]] = {}  # with whether it is cut

    def images(self, paths: Sequence[Path], on_progress: OnProgress | None = None) -> Vectors:
        """The pictures' vectors [N, D]. ConfigError: a picture cannot be read, NaN from the encoder."""
        if not all(self._has_seen(path) for path in paths):
            failed = look_at(paths, [self], hashes=self._hashes, on_progress=on_progress)
            for path, error in failed.items():
                raise ConfigError(f"{path}: cannot be read as a picture ({error}). Replace or remove it.")
        return _stack([self._pictures[self._hashes.sha256(path)] for path in paths])

    def texts(self, texts: Sequence[str]) -> Vectors:
        """The texts' vectors [N, D]."""
        todo = [text for text in dict.fromkeys(texts) if not self._recall_text(text)]
        for start in range(0, len(todo), self.batch_size):
            batch = todo[start : start + self.batch_size]
            vectors = self._checked(self.encoder.embed_texts(batch))
            for text, vector in zip(batch, vectors, strict=True):
                is_cut = self.encoder.count_truncated([text]) > 0
                self._texts[text] = vector, is_cut
                self._store.put(self._text_key(text), {"vector": vector, "is_cut": np.array([is_cut])})
        return _stack([self._texts[text][0] for text in texts])

    def count_truncated(self) -> int:
        """How many different texts so far were longer than the encoder reads."""
        return sum(is_cut for _, is_cut in self._texts.values())

    def logit_scale(self) -> float:
        """What the encoder multiplies the cosine of a picture and a text with."""
        return self.encoder.logit_scale()

    def is_known(self, content: str) -> bool:
        """Whether the picture of these bytes (sha256) was encoded, now or by an earlier process."""
        if content not in self._pictures:
            entry = self._store.get(self._key("picture", content))  # None too where it is damaged
            if entry is not None:
                self._pictures[content] = entry["vector"].astype(np.float32)
        return content in self._pictures

    def prepare(self, picture: Image.Image) -> Pixels:
        """The picture as the encoder reads it; called by several threads."""
        return self.encoder.prepare(picture)

    def keep(self, contents: Sequence[str], prepared: Sequence[object]) -> None:
        """Encode a batch and remember it. ConfigError: NaN from the encoder; then nothing is kept."""
        vectors = self._checked(self.encoder.embed_prepared(cast("Sequence[Pixels]", prepared)))
        for content, vector in zip(contents, vectors, strict=True):
            self._pictures[content] = vector
            self._store.put(self._key("picture", content), {"vector": vector})

    def is_refused(self, content: str, prepared: object | None) -> bool:
        """An encoder keeps no picture from the others."""
        return False

    def _has_seen(self, path: Path) -> bool:
        try:
            content = self._hashes.known(path)
        except OSError:
            return False
        return content is not None and self.is_known(content)

    def _checked(self, vectors: Vectors) -> Vectors:
        if not np.isfinite(vectors).all():
            raise ConfigError(
                f"{self.encoder.option}={self.encoder.name}: gives what is not a number. Use another one."
            )
        return vectors

    def _recall_text(self, text: str) -> bool:
        if text not in self._texts:
            entry = self._store.get(self._text_key(text))
            if entry is not None:
                self._texts[text] = entry["vector"].astype(np.float32), bool(entry["is_cut"].item(0))
        return text in self._texts

    def _text_key(self, text: str) -> str:
        return self._key("text", hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest())

    def _key(self, kind: str, content: str) -> str:
        parts = (kind, content, self.encoder.fingerprint, self.encoder.preprocessing, _CODE_VERSION)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _stack(vectors: Sequence[Vectors]) -> Vectors:
    return np.stack(vectors) if vectors else np.zeros((0, 0), dtype=np.float32)
