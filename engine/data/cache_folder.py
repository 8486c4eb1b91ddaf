"""The cache as its owner sees it: how much of what it holds, how old it is, and what can go; no torch."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

KINDS = {  # folder of the cache -> what it holds
    "latents": "pictures as the VAE gave them",
    "masks": "what of each picture counts",
    "text": "captions as the text encoder gave them",
    "scan": "sizes, captions and contents of folders of pictures",
    "base_pictures": "pictures that base models drew, for runs and their scores",
    "lora_pictures": "pictures that LoRAs drew, for scores",
    "embeddings": "pictures as a scoring encoder gave them",
}
_DAY = 86_400.0  # seconds
_ENDINGS = (".safetensors", ".png")


@dataclass(kw_only=True, slots=True, frozen=True)
class CachePart:
    """What one folder of the cache holds."""

    name: str
    num_entries: int
    num_bytes: int
    oldest_days: float  # since the entry was last used
    newest_days: float


def describe_cache(cache_dir: Path) -> list[CachePart]:
    """A row for each kind of entry that is there, in the order of KINDS."""
    now = time.time()
    parts = []
    for name in KINDS:
        stats = [stat for path in _entries(cache_dir / name) if (stat := stat_of(path)) is not None]
        if stats:
            ages = [max(0.0, now - stat.st_mtime) / _DAY for stat in stats]
            parts.append(
                CachePart(
                    name=name,
                    num_entries=len(stats),
                    num_bytes=sum(stat.st_size for stat in stats),
                    oldest_days=max(ages),
                    newest_days=min(ages),
                )
            )
    return parts


def prune_cache(cache_dir: Path, *, unused_days: float) -> tuple[int, int]:
    """Remove entries that no run has used for so many days; how many they were, and their bytes.

    Safe while runs are at work: an entry that is missing is computed again.
    """
    limit = time.time() - unused_days * _DAY
    count = size = 0
    for name in KINDS:
        for path in _entries(cache_dir / name):
            stat = stat_of(path)
            if stat is not None and stat.st_mtime < limit:
                path.unlink(missing_ok=True)  # another process may be first
                count, size = count + 1, size + stat.st_size
    return count, size


def stat_of(path: Path) -> os.stat_result | None:
    """None for an entry that another process has just removed."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _entries(folder: Path) -> list[Path]:
    found = (path for path in folder.glob("??/*") if path.suffix in _ENDINGS)
    return sorted(path for path in (*found, *folder.glob("*.index")) if path.is_file())
