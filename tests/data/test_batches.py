"""Steps and batches: counts by hand and by the reference, and an order that asks for no history."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.config import DatasetConfig
from engine.data.batches import BatchOrder, epoch_batches
from engine.data.buckets import Size, buckets_of, choose_bucket
from engine.data.repeats import BatchGroup, batches_per_epoch, bucket_counts, steps_per_epoch, total_steps

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden/h_dataset.json").read_text())
PLAIN = [case for case in GOLDEN["steps"] if case["reg"] is None and "--validation_split" not in case["argv"]]
SQUARE, WIDE = (64, 64), (128, 32)
BUCKETS: list[Size] = [SQUARE] * 5 + [WIDE] * 3
REPEATS = [3] * 5 + [2] * 3
GROUPS = [BatchGroup(bucket, 4) for bucket in BUCKETS]


def test_each_bucket_ends_in_a_short_batch() -> None:
    # 15 and 6 pictures in fours: 4 + 2 batches.
    assert bucket_counts(BUCKETS, REPEATS) == {SQUARE: 15, WIDE: 6}
    assert batches_per_epoch(GROUPS, REPEATS) == 6
    lengths = Counter(len(batch) for batch in epoch_batches(GROUPS, REPEATS, seed=0, epoch=0))
    assert lengths == {4: 4, 3: 1, 2: 1}


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case["name"])
def test_batches_per_epoch_equal_the_reference(case: dict[str, Any]) -> None:
    argv = dict(zip(case["argv"], [*case["argv"][1:], ""], strict=False))
    config = DatasetConfig(
        resolution=64,
        batch_size=int(argv.get("--train_batch_size", 1)),
        enable_bucket="--enable_bucket" in argv,
        min_bucket_reso=int(argv.get("--min_bucket_reso", 64)),
        max_bucket_reso=int(argv.get("--max_bucket_reso", 64)),
        bucket_reso_steps=int(argv.get("--bucket_reso_steps", 64)),
        bucket_no_upscale="--bucket_no_upscale" in argv,
    )
    bucket_of, repeats = [], []
    for folder, (count, size) in sorted(case["tree"].items()):
        bucket_of += [choose_bucket(*size, buckets_of(config)).bucket] * count
        repeats += [int(folder.split("_")[0])] * count
    expected = case["train"]
    counts = [
        {"reso": list(size), "count": count} for size, count in bucket_counts(bucket_of, repeats).items()
    ]
    assert counts == expected["datasets"][0]["buckets"]
    assert (
        batches_per_epoch([BatchGroup(one, config.batch_size) for one in bucket_of], repeats)
        == expected["total_batches"]
    )


def test_steps_of_epochs_equal_the_reference() -> None:
    cases = GOLDEN["step_arithmetic(train_network.NetworkTrainer.train)"]
    seen = 0
    for case in cases:
        batches, accumulation = case["len_dataloader_before_prepare"], case["grad_accum"]
        if case["num_processes"] > 1:
            continue  # one process a run here
        steps = steps_per_epoch(batches, gradient_accumulation=accumulation)
        assert steps == case["num_update_steps_per_epoch(single proc)"]
        if case["max_train_epochs"] is not None:
            total = total_steps(batches, epochs=case["max_train_epochs"], gradient_accumulation=accumulation)
            assert total == case["max_train_steps"]
            seen += 1
    assert seen == 2


def test_an_epoch_shows_every_picture_as_often_as_it_repeats_and_mixes_no_buckets() -> None:
    for epoch in range(5):
        batches = epoch_batches(GROUPS, REPEATS, seed=3, epoch=epoch)
        assert Counter(index for batch in batches for index in batch) == dict(enumerate(REPEATS))
        assert all(len({BUCKETS[index] for index in batch}) == 1 for batch in batches)


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    orders = {
        (seed, epoch): epoch_batches(GROUPS, REPEATS, seed=seed, epoch=epoch)
        for seed in range(3)
        for epoch in range(3)
    }
    assert len({repr(order) for order in orders.values()}) == 9
    assert orders[1, 2] == epoch_batches(GROUPS, REPEATS, seed=1, epoch=2)


def test_the_order_stays_the_same_between_versions() -> None:
    assert epoch_batches([BatchGroup(SQUARE, 2)] * 5, [1] * 5, seed=0, epoch=0) == [[2, 3], [4, 1], [0]]


def test_buckets_are_mixed_within_an_epoch() -> None:
    batches = epoch_batches(
        [BatchGroup(SQUARE, 1)] * 50 + [BatchGroup(WIDE, 1)] * 50, [1] * 100, seed=0, epoch=0
    )
    changes = sum((a[0] < 50) != (b[0] < 50) for a, b in pairwise(batches))
    assert changes > 30


def test_any_micro_step_can_be_asked_for_directly() -> None:
    order = BatchOrder(groups=GROUPS, repeats=REPEATS, seed=7)
    row = [order.batch_at(step) for step in range(25)]
    expected = [batch for epoch in range(5) for batch in epoch_batches(GROUPS, REPEATS, seed=7, epoch=epoch)]
    assert row == expected[:25]
    fresh = BatchOrder(groups=GROUPS, repeats=REPEATS, seed=7)
    assert fresh.batch_at(17) == row[17]
    assert fresh.batch_at(2) == row[2]


def test_every_place_of_an_epoch_is_equally_likely() -> None:
    first = Counter(
        epoch_batches([BatchGroup(SQUARE, 1)] * 4, [1] * 4, seed=seed, epoch=0)[0][0] for seed in range(2000)
    )
    assert all(430 < first[index] < 570 for index in range(4))  # 500 expected, 3.6 standard deviations


def test_two_datasets_share_no_batch_and_each_has_its_own_size() -> None:
    groups = [BatchGroup(SQUARE, 2, 0)] * 3 + [BatchGroup(SQUARE, 4, 1)] * 5
    assert batches_per_epoch(groups, [1] * 8) == 2 + 2
    batches = epoch_batches(groups, [1] * 8, seed=0, epoch=0)
    assert sorted(len(batch) for batch in batches) == [1, 1, 2, 4]
    assert all(len({groups[index].dataset for index in batch}) == 1 for batch in batches)


def test_pictures_that_are_never_repeated_are_in_no_batch() -> None:
    groups = [BatchGroup(SQUARE, 2)] * 3 + [BatchGroup(WIDE, 2)]
    assert batches_per_epoch(groups, [1, 0, 1, 0]) == 1
    assert epoch_batches(groups, [1, 0, 1, 0], seed=0, epoch=0) in ([[0, 2]], [[2, 0]])
