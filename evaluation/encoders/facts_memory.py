"""The facts of pictures' pixels by content, in memory and on disk."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from evaluation.encoders.content_store import Arrays, ContentStore
from evaluation.encoders.pixel_facts import PixelFacts, facts_of

_CODE_VERSION = "1"  # raise it when the same picture would give other facts


class FactsMemory:
    """Who looks at the pixels of pictures, before encoders do: faulty ones are kept from them."""

    batch_size = 1  # nothing is gained by waiting for more

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._store = ContentStore(None if cache_dir is None else cache_dir / "embeddings")
        self._known: dict[str, PixelFacts] = {}

    def __getitem__(self, content: str) -> PixelFacts:
        return self._known[content]

    def is_known(self, content: str) -> bool:
        """Whether the picture of these bytes was seen, now or by an earlier process."""
        if content not in self._known:
            arrays = self._store.get(_key(content))
            if arrays is not None:
                self._known[content] = _from_arrays(arrays)
        return content in self._known

    def prepare(self, picture: Image.Image) -> PixelFacts:
        """The facts themselves: a thread does it all."""
        return facts_of(picture)

    def keep(self, contents: Sequence[str], prepared: Sequence[object]) -> None:
        """Remember facts, here and on the disk."""
        for content, found in zip(contents, prepared, strict=True):
            facts = cast(PixelFacts, found)
            self._known[content] = facts
            self._store.put(_key(content), _to_arrays(facts))

    def is_refused(self, content: str, prepared: object | None) -> bool:
        """A faulty picture is not shown to encoders."""
        facts = self._known[content] if prepared is None else cast(PixelFacts, prepared)
        return facts.fault is not None


def _key(content: str) -> str:
    return hashlib.sha256(f"facts|{content}|{_CODE_VERSION}".encode()).hexdigest()


def _to_arrays(facts: PixelFacts) -> Arrays:
    return {
        "fault": np.frombuffer((facts.fault or "").encode(), dtype=np.uint8),
        "size": np.array([facts.width, facts.height], dtype=np.int64),
        "luminance_mean": np.array([facts.luminance_mean], dtype=np.float64),
        "luminance_counts": facts.luminance_counts,
        "dhash": np.array([facts.dhash], dtype=np.uint64),
    }


def _from_arrays(arrays: Arrays) -> PixelFacts:
    return PixelFacts(
        fault=arrays["fault"].tobytes().decode() or None,
        width=int(arrays["size"].item(0)),
        height=int(arrays["size"].item(1)),
        luminance_mean=float(arrays["luminance_mean"].item(0)),
        luminance_counts=arrays["luminance_counts"].astype(np.int64),
        dhash=int(arrays["dhash"].item(0)),
    )
