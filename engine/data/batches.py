"""Which pictures each step trains on: a function of seed, epoch and step, never of what came before."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.data.buckets import Size
from engine.data.repeats import BatchGroup, batches_per_epoch
from engine.data.scan import Picture


def batch_groups(pictures: Sequence[Picture], buckets: Sequence[Size]) -> list[BatchGroup]:
    """The group of each picture, by the data set that it belongs to and its bucket."""
    return [
        BatchGroup(bucket, picture.subset.config.batch_size, picture.subset.dataset)
        for picture, bucket in zip(pictures, buckets, strict=True)
    ]


def epoch_batches(
    groups: Sequence[BatchGroup], repeats: Sequence[int], *, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch in the order they are trained on; no batch mixes groups.

    groups   [N] the group of each picture
    repeats  [N] how often each picture is seen in an epoch
    epoch    from 0
    returns  indices into the pictures; the last batch of a group may be short
    """
    by_group: dict[BatchGroup, list[tuple[bytes, int]]] = {}
    for index, (group, count) in enumerate(zip(groups, repeats, strict=True)):
        draws = ((_draw(seed, epoch, "picture", index, copy), index) for copy in range(count))
        by_group.setdefault(group, []).extend(draws)
    batches: list[tuple[bytes, list[int]]] = []
    for group, entries in sorted(by_group.items()):
        order = [index for _, index in sorted(entries)]
        stream = f"batch {group.bucket[0]}x{group.bucket[1]}" + (f" {group.dataset}" * bool(group.dataset))
        for start in range(0, len(order), group.batch_size):
            place = _draw(seed, epoch, stream, start, 0)
            batches.append((place, order[start : start + group.batch_size]))
    return [batch for _, batch in sorted(batches)]


@dataclass(kw_only=True, slots=True)
class BatchOrder:
    """The endless row of batches of a run: one epoch after the other, each in its own order."""

    groups: Sequence[BatchGroup]
    repeats: Sequence[int]
    seed: int
    num_batches: int = field(init=False)  # of one epoch
    _epochs: dict[int, list[list[int]]] = field(init=False, default_factory=dict)  # the last two asked for

    def __post_init__(self) -> None:
        self.num_batches = batches_per_epoch(self.groups, self.repeats)
        assert self.num_batches > 0, "no pictures"

    def batch_at(self, micro_step: int) -> list[int]:
        """The pictures of any micro-step of the run, from 0; only the epoch it lies in is worked out."""
        epoch, position = divmod(micro_step, self.num_batches)
        if epoch not in self._epochs:
            self._epochs = dict(list(self._epochs.items())[-1:])
            self._epochs[epoch] = epoch_batches(self.groups, self.repeats, seed=self.seed, epoch=epoch)
        return self._epochs[epoch][position]


def _draw(seed: int, epoch: int, stream: str, index: int, copy: int) -> bytes:
    """A number to sort by. A hash, because a library's shuffle may change between its versions."""
    return hashlib.blake2b(f"{seed}|{epoch}|{stream}|{index}|{copy}".encode(), digest_size=16).digest()
