"""Buckets: hand-computed shapes, the reference's own choices, and properties of every size."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.config import DatasetConfig
from engine.data.buckets import BucketChoice, Buckets, buckets_of, choose_bucket, letterbox, make_buckets

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden/a_buckets.json").read_text())
IDS = [
    f"{c['resolution']}-step{c['bucket_reso_steps']}{'-no_upscale' * c['bucket_no_upscale']}"
    f"{'-square' * (not c['enable_bucket'])}-{c['min_bucket_reso']}"
    for c in GOLDEN["configs"]
]


def reference_buckets(case: dict[str, Any]) -> Buckets:
    """Through the config where it can say it, by hand for resolutions that are not square."""
    width, height = case["resolution"]
    if width == height:
        return buckets_of(
            DatasetConfig(
                resolution=width,
                enable_bucket=case["enable_bucket"],
                min_bucket_reso=case["min_bucket_reso"],
                max_bucket_reso=case["max_bucket_reso"],
                bucket_reso_steps=case["bucket_reso_steps"],
                bucket_no_upscale=case["bucket_no_upscale"],
            )
        )
    low, high, step = case["min_bucket_reso"], case["max_bucket_reso"], case["bucket_reso_steps"]
    sizes = make_buckets((width, height), min_size=low, max_size=high, step=step)
    return Buckets(sizes=sizes, max_area=width * height, step=step)


def test_buckets_of_a_small_area_by_hand() -> None:
    # Area 128 x 128 = 16384: 64 x 256 fits exactly, 128 x 128 is the square; 16384 / 192 = 85 gives 64.
    sizes = make_buckets((128, 128), min_size=64, max_size=256, step=64)
    assert sizes == ((64, 192), (64, 256), (128, 128), (192, 64), (256, 64))


def test_a_wide_picture_is_covered_and_cut_in_the_middle() -> None:
    buckets = Buckets(sizes=((64, 64), (128, 32)), max_area=4096, step=32)
    choice = choose_bucket(200, 100, buckets)  # aspect 2 is 1 from the square's and 2 from the wide one's
    assert choice == BucketChoice(
        bucket=(64, 64), resized=(128, 64), crop=(32, 0, 96, 64), aspect_error=-1.0, scale=0.64
    )


def test_an_exact_size_wins_over_an_earlier_bucket_of_the_same_shape() -> None:
    buckets = Buckets(sizes=((32, 32), (64, 64)), max_area=4096, step=32)
    assert choose_bucket(64, 64, buckets).bucket == (64, 64)
    assert choose_bucket(100, 100, buckets).bucket == (32, 32)


def test_without_buckets_there_is_one_square() -> None:
    buckets = buckets_of(DatasetConfig(resolution=512, enable_bucket=False))
    choice = choose_bucket(640, 480, buckets)
    assert (choice.bucket, choice.resized, choice.crop) == ((512, 512), (683, 512), (85, 0, 597, 512))


@pytest.mark.parametrize("case", GOLDEN["configs"], ids=IDS)
def test_the_list_of_buckets_equals_the_reference(case: dict[str, Any]) -> None:
    if "predefined_resos" in case:
        assert [list(size) for size in reference_buckets(case).sizes] == case["predefined_resos"]
    else:
        assert case["bucket_no_upscale"] or not case["enable_bucket"]


@pytest.mark.parametrize("case", GOLDEN["configs"], ids=IDS)
def test_bucket_resize_and_crop_equal_the_reference(case: dict[str, Any]) -> None:
    buckets = reference_buckets(case)
    for item in case["items"]:
        width, height = item["size"]
        choice = choose_bucket(width, height, buckets)
        if "error" in item or 0 in item["bucket"]:  # the fault that we mend
            assert case["bucket_no_upscale"]
            assert min(choice.bucket) >= buckets.step
            continue
        assert list(choice.bucket) == item["bucket"], item
        assert list(choice.resized) == item["resized"], item
        assert choice.aspect_error == pytest.approx(item["ar_error"], abs=1e-15), item
        assert letterbox(width, height, choice.bucket) == pytest.approx(item["crop_ltrb"], abs=1e-12), item
        left, top, right, bottom = choice.crop
        if "final_hw" in item:
            assert [bottom - top, right - left] == item["final_hw"], item


def test_the_centred_crop_equals_the_reference() -> None:
    for item in GOLDEN["center_crop_positions"]:
        buckets = Buckets(sizes=(), max_area=1024 * 1024, step=64, no_upscale=True)
        choice = choose_bucket(*item["size"], buckets)
        assert (list(choice.bucket), list(choice.resized)) == (item["bucket"], item["resized"])
        assert choice.crop[:2] == (item["crop_left"], item["crop_top"])


@pytest.mark.parametrize(
    ("size", "resized", "bucket"),
    [
        ((63, 63), (64, 64), (64, 64)),  # ZeroDivisionError in the reference
        ((1, 1000), (64, 64000), (64, 4096)),  # a bucket of width 0 in the reference; 64 x 4096 = 512 x 512
        ((10000, 40), (16000, 64), (4096, 64)),  # larger than the area and too thin for it
        ((30, 100), (64, 213), (64, 192)),
        ((1, 1), (64, 64), (64, 64)),
    ],
)
def test_no_upscale_enlarges_only_what_is_thinner_than_one_step(
    size: tuple[int, int], resized: tuple[int, int], bucket: tuple[int, int]
) -> None:
    choice = choose_bucket(*size, buckets_of(DatasetConfig(resolution=512, bucket_no_upscale=True)))
    assert (choice.resized, choice.bucket) == (resized, bucket)


@pytest.mark.parametrize("no_upscale", [False, True])
def test_every_size_gets_a_bucket_within_its_resized_picture(no_upscale: bool) -> None:
    draw = random.Random(0)
    buckets = buckets_of(DatasetConfig(resolution=512, bucket_no_upscale=no_upscale))
    for _ in range(3000):
        width, height = (int(2 ** draw.uniform(0, 13)) for _ in range(2))
        choice = choose_bucket(width, height, buckets)
        left, top, right, bottom = choice.crop
        assert min(choice.bucket) >= 64
        assert all(side % 64 == 0 for side in choice.bucket)
        assert 0 <= left < right <= choice.resized[0]
        assert 0 <= top < bottom <= choice.resized[1]
        assert choice.bucket[0] * choice.bucket[1] <= 512 * 512
        if no_upscale and min(width, height) >= 64:
            thin = max(width, height) / min(width, height) > 32
            assert thin or choice.scale <= 1.01
