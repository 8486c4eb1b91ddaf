"""Which pictures each step trains on: a function of seed, epoch and step, never of what came before."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.data.buckets import Size
from engine.data.repeats import batches_per_epoch


def epoch_batches(
    bucket_of: Sequence[Size], repeats: Sequence[int], *, batch_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch in the order they are trained on; no batch mixes buckets.

    bucket_of  [N] the bucket of each picture
    repeats    [N] how often each picture is seen in an epoch
    epoch      from 0
    returns    indices into the pictures; the last batch of a bucket may be short
    """
    by_bucket: dict[Size, list[tuple[bytes, int]]] = {}
    for index, (bucket, count) in enumerate(zip(bucket_of, repeats, strict=True)):
        draws = ((_draw(seed, epoch, "picture", index, copy), index) for copy in range(count))
        by_bucket.setdefault(bucket, []).extend(draws)
    batches: list[tuple[bytes, list[int]]] = []
    for (width, height), entries in sorted(by_bucket.items()):
        order = [index for _, index in sorted(entries)]
        for start in range(0, len(order), batch_size):
            place = _draw(seed, epoch, f"batch {width}x{height}", start, 0)
            batches.append((place, order[start : start + batch_size]))
    return [batch for _, batch in sorted(batches)]


@dataclass(kw_only=True, slots=True)
class BatchOrder:
    """The endless row of batches of a run: one epoch after the other, each in its own order."""

    bucket_of: Sequence[Size]
    repeats: Sequence[int]
    batch_size: int
    seed: int
    num_batches: int = field(init=False)  # of one epoch
    _epoch: int = field(init=False, default=-1)
    _batches: list[list[int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.num_batches = batches_per_epoch(self.bucket_of, self.repeats, batch_size=self.batch_size)
        assert self.num_batches > 0, "no pictures"

    def batch_at(self, micro_step: int) -> list[int]:
        """The pictures of any micro-step of the run, from 0; only the epoch it lies in is worked out."""
        epoch, position = divmod(micro_step, self.num_batches)
        if epoch != self._epoch:
            self._batches = epoch_batches(
                self.bucket_of, self.repeats, batch_size=self.batch_size, seed=self.seed, epoch=epoch
            )
            self._epoch = epoch
        return self._batches[position]


def _draw(seed: int, epoch: int, stream: str, index: int, copy: int) -> bytes:
    """A number to sort by. A hash, because a library's shuffle may change between its versions."""
    return hashlib.blake2b(f"{seed}|{epoch}|{stream}|{index}|{copy}".encode(), digest_size=16).digest()
