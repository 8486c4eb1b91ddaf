"""How many steps an epoch has: pictures x repeats, in batches that never mix buckets."""

import math
from collections import Counter
from collections.abc import Sequence

from engine.data.buckets import Size


def bucket_counts(bucket_of: Sequence[Size], repeats: Sequence[int]) -> dict[Size, int]:
    """How often each bucket is drawn from in one epoch, in sorted order.

    bucket_of  [N] the bucket of each picture
    repeats    [N] how often each picture is seen in an epoch
    """
    counts: Counter[Size] = Counter()
    for bucket, count in zip(bucket_of, repeats, strict=True):
        counts[bucket] += count
    return dict(sorted(counts.items()))


def batches_per_epoch(bucket_of: Sequence[Size], repeats: Sequence[int], *, batch_size: int) -> int:
    """Batches in one epoch; the last one of each bucket may be short and counts as one."""
    return sum(math.ceil(count / batch_size) for count in bucket_counts(bucket_of, repeats).values())


def steps_per_epoch(num_batches: int, *, gradient_accumulation: int) -> int:
    """Optimizer steps for an epoch's batches."""
    return math.ceil(num_batches / gradient_accumulation)


def total_steps(num_batches: int, *, epochs: int, gradient_accumulation: int) -> int:
    """Optimizer steps of a run that is given in epochs; each epoch's steps are rounded up, as kohya does."""
    return epochs * steps_per_epoch(num_batches, gradient_accumulation=gradient_accumulation)
