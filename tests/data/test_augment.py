"""Views of a picture: crops as the reference draws them, mirrored halves, small changes of colour."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.config import SubsetConfig
from engine.data.augment import change_colours, crop_at_random, is_flipped
from engine.data.buckets import BucketChoice

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/a_buckets.json").read_text())
(CROPS,) = [rows for name, rows in GOLDEN.items() if name.startswith("random_crop_seed_left_top")]


def test_random_crops_equal_the_reference_draw_for_draw() -> None:
    choice = _choice((512 + 60, 512 + 37))
    assert len(CROPS) == 30
    for seed, left, top in CROPS:
        assert crop_at_random(choice, random.Random(seed)) == (left, top, left + 512, top + 512), seed


def test_a_side_that_fits_is_not_drawn() -> None:
    assert crop_at_random(_choice((512, 512)), random.Random(0)) == (0, 0, 512, 512)
    left, top, right, bottom = crop_at_random(_choice((512, 600)), random.Random(0))
    assert (left, right) == (0, 512) and bottom - top == 512
    assert top == random.Random(0).randint(0, 88)


def test_random_crops_reach_every_place_and_never_leave_the_picture() -> None:
    boxes = [crop_at_random(_choice((514, 512)), random.Random(seed)) for seed in range(300)]
    assert {left for left, *_ in boxes} == {0, 1, 2}
    assert all(right - left == 512 and right <= 514 for left, _, right, _ in boxes)


def test_about_half_of_the_views_are_mirrored_and_none_without_the_option() -> None:
    on, off = SubsetConfig(flip_aug=True), SubsetConfig()
    counts = Counter(is_flipped(on, random.Random(seed)) for seed in range(2000))
    assert counts[True] / 2000 == pytest.approx(0.5, abs=0.04)
    assert not any(is_flipped(off, random.Random(seed)) for seed in range(50))


def test_colours_change_a_third_of_the_times_and_by_little() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    before = pixels.copy()
    changed = [change_colours(pixels, random.Random(seed)) for seed in range(1500)]
    share = sum(not np.array_equal(one, pixels) for one in changed) / len(changed)
    assert share == pytest.approx(0.33, abs=0.04)
    assert np.array_equal(pixels, before)
    grey = np.full((4, 4, 3), 128, np.uint8)
    for seed in range(300):
        assert np.abs(change_colours(grey, random.Random(seed)).astype(int) - 128).max() <= 6
    assert all(one.dtype == np.uint8 and one.shape == pixels.shape for one in changed)


def _choice(resized: tuple[int, int]) -> BucketChoice:
    return BucketChoice(
        bucket=(512, 512), resized=resized, crop=(0, 0, 512, 512), aspect_error=0.0, scale=1.0
    )
