"""How many steps an epoch has: pictures x repeats, in batches that never mix buckets."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from engine.data.buckets import Size


class BatchGroup(NamedTuple):
    """Pictures that may stand in one batch."""

    bucket: Size
    batch_size: int  # at most
    dataset: int = 0


def bucket_counts(bucket_of: Sequence[Size], repeats: Sequence[int]) -> dict[Size, int]:
    """How often each bucket is drawn from in one epoch, in sorted order.

    bucket_of  [N] the bucket of each picture
    repeats    [N] how often each picture is seen in an epoch
    """
    counts: Counter[Size] = Counter()
    for bucket, count in zip(bucket_of, repeats, strict=True):
        counts[bucket] += count
    return dict(sorted(counts.items()))


def batches_per_epoch(groups: Sequence[BatchGroup], repeats: Sequence[int]) -> int:
    """Batches in one epoch; the last one of each bucket may be short and counts as one.

    groups   [N] the group of each picture
    repeats  [N] how often each picture is seen in an epoch
    """
    counts: Counter[BatchGroup] = Counter()
    for group, count in zip(groups, repeats, strict=True):
        counts[group] += count
    return sum(math.ceil(count / group.batch_size) for group, count in counts.items())


def steps_per_epoch(num_batches: int, *, gradient_accumulation: int) -> int:
    """Optimizer steps for an epoch's batches."""
    return math.ceil(num_batches / gradient_accumulation)


def total_steps(num_batches: int, *, epochs: int, gradient_accumulation: int) -> int:
    """Optimizer steps of a run that is given in epochs; each epoch's steps are rounded up, as kohya does."""
    return epochs * steps_per_epoch(num_batches, gradient_accumulation=gradient_accumulation)


def regularisation_repeats(num_learnt: int, repeats: Sequence[int]) -> list[int]:
    """How often each regularisation picture is seen in an epoch; 0 = not at all.

    num_learnt  pictures to learn in an epoch, repeats counted
    repeats     [N] of the regularisation pictures, as their folders say
    They are taken in order until there are as many; while there are fewer, each is taken once more.
    Source: kohya sd-scripts 0.10.1, train_util.DreamBoothDataset.__init__.
    """
    counts, total = [0] * len(repeats), 0
    for index, count in enumerate(repeats):
        if total >= num_learnt:
            break
        counts[index] = count
        total += count
    index = 0
    while repeats and total < num_learnt:
        counts[index % len(repeats)] += 1
        total, index = total + 1, index + 1
    return counts
