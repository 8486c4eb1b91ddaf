"""Latents and embeddings of a run: what fits is in memory, the rest is read from the cache when asked for."""

from collections.abc import Mapping

from torch import Tensor

from engine.data.cache import ContentCache

MEMORY_BYTES = 2 * 2**30  # of each kind, before entries are left on the disk


class KeptTensors:
    """Entries by their key in the cache."""

    def __init__(self, cache: ContentCache | None, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._cache = cache  # None: all are in memory
        self._free = memory_bytes
        self._entries: dict[str, dict[str, Tensor]] = {}
        self.num_on_disk = 0

    def add(self, key: str, entry: dict[str, Tensor]) -> None:
        """Keep an entry that the cache has, where there is one."""
        if key in self._entries:
            return
        size = sum(tensor.nbytes for tensor in entry.values())
        if self._cache is not None and size > self._free:
            self.num_on_disk += 1
            return
        self._free -= size
        self._entries[key] = entry

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """The tensors; None where the cache has lost them since."""
        found = self._entries.get(key)
        if found is not None or self._cache is None:
            return found
        return self._cache.get(key)
