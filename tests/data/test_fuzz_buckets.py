"""Buckets of every legal set of options for pictures of every size: what holds whatever they are."""

import math
from fractions import Fraction

from fuzz_size import TIMES, examples
from hypothesis import example, given
from hypothesis import strategies as st

from engine.compose.dataset_rules import bucket_rule
from engine.compose.ranges import RANGES
from engine.config import DatasetConfig, RunConfig, dataset_size
from engine.data.buckets import BucketChoice, Buckets, buckets_of, choose_bucket, letterbox

SIDES = st.integers(1, 20_000) | st.integers(1, 300)
SAME_SHAPE = 1e-9  # shapes nearer to each other than this are equally near for floats
NUMBERS = ("resolution", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "batch_size")


@st.composite
def datasets(draw: st.DrawFn) -> DatasetConfig:
    """Every combination that the rules let pass."""
    step = 8 * draw(st.integers(1, 8) | st.integers(1, 64))
    side = st.integers(step // 8, 160) | st.integers(step // 8, 1024)
    width, height = 8 * draw(side), draw(st.none() | side.map(lambda eights: 8 * eights))
    low = step * draw(st.integers(1, min(width, height or width) // step))
    high = step * draw(st.integers(-(-max(width, height or width) // step), 20_000 // step + 1))
    enable_bucket = draw(st.sampled_from([True, True, True, False]))
    return DatasetConfig(
        resolution=width,
        resolution_height=height,
        min_bucket_reso=low,
        max_bucket_reso=high,
        bucket_reso_steps=step,
        enable_bucket=enable_bucket,
        bucket_no_upscale=enable_bucket and draw(st.booleans()),
    )


def shape_error(bucket: tuple[int, int], width: int, height: int) -> float:
    return float(abs(Fraction(*bucket) - Fraction(width, height)))


def check_choice(choice: BucketChoice, width: int, height: int) -> None:
    """What holds with and without no_upscale."""
    left, top, right, bottom = choice.crop
    assert (right - left, bottom - top) == choice.bucket
    assert 0 <= left < right <= choice.resized[0]
    assert 0 <= top < bottom <= choice.resized[1]
    assert abs(left - (choice.resized[0] - right)) <= 1  # in the middle
    assert abs(top - (choice.resized[1] - bottom)) <= 1
    assert abs(abs(choice.aspect_error) - shape_error(choice.bucket, width, height)) <= SAME_SHAPE * width
    assert choice.scale == max(choice.resized[0] / width, choice.resized[1] / height)
    left_edge, top_edge, right_edge, bottom_edge = letterbox(width, height, choice.bucket)
    assert 0 <= left_edge < right_edge <= choice.bucket[0] + 1e-6
    assert 0 <= top_edge < bottom_edge <= choice.bucket[1] + 1e-6
    inner = (right_edge - left_edge) / (bottom_edge - top_edge)
    assert abs(inner / (width / height) - 1) < 1e-6


@TIMES
def test_the_drawn_options_are_all_legal(times: int) -> None:
    @examples(30 * times)
    @given(datasets())
    def check(dataset: DatasetConfig) -> None:
        assert bucket_rule(RunConfig(dataset=dataset)) == []
        assert [RANGES[f"dataset.{name}"].problem(getattr(dataset, name)) for name in NUMBERS] == [None] * 5

    check()


@TIMES
def test_buckets_lie_between_the_limits_and_within_the_area(times: int) -> None:
    @examples(60 * times)
    @example(DatasetConfig(max_bucket_reso=64 * 10**12))  # which no bucket can reach
    @given(datasets())
    def check(dataset: DatasetConfig) -> None:
        buckets = buckets_of(dataset)
        sizes, step = buckets.sizes, dataset.bucket_reso_steps
        assert (sizes == ()) == dataset.bucket_no_upscale == buckets.no_upscale
        assert list(sizes) == sorted(set(sizes))
        whole, area = dataset_size(dataset), buckets.max_area
        assert area == whole[0] * whole[1]
        if not dataset.enable_bucket:
            assert sizes == (whole,)
            return
        square = math.isqrt(area) // step * step
        assert dataset.bucket_no_upscale or (square, square) in sizes
        for width, height in sizes:
            assert width % step == height % step == 0
            assert 0 < width * height <= area
            assert (height, width) in sizes
            within = all(dataset.min_bucket_reso <= s <= dataset.max_bucket_reso for s in (width, height))
            assert within or width == height == square

    check()


@TIMES
def test_a_picture_gets_the_bucket_of_the_nearest_shape_and_covers_it(times: int) -> None:
    @examples(200 * times)
    @given(datasets().filter(lambda dataset: not dataset.bucket_no_upscale), SIDES, SIDES)
    def check(dataset: DatasetConfig, width: int, height: int) -> None:
        buckets = buckets_of(dataset)
        choice = choose_bucket(width, height, buckets)
        check_choice(choice, width, height)
        assert choice.bucket in buckets.sizes
        nearest = min(shape_error(size, width, height) for size in buckets.sizes)
        assert shape_error(choice.bucket, width, height) <= nearest + SAME_SHAPE * width
        # one side fits exactly: no smaller picture of this shape covers the bucket
        assert any(side == fits for side, fits in zip(choice.resized, choice.bucket, strict=True))

    check()


@TIMES
def test_without_upscaling_only_pictures_thinner_than_a_step_grow(times: int) -> None:
    @examples(200 * times)
    @example(DatasetConfig(resolution=1024), 1411, 1162)  # a letterbox that floats make a little too high
    @given(datasets(), SIDES, SIDES)
    def check(dataset: DatasetConfig, width: int, height: int) -> None:
        dataset.enable_bucket = dataset.bucket_no_upscale = True
        buckets: Buckets = buckets_of(dataset)
        step, area = dataset.bucket_reso_steps, math.prod(dataset_size(dataset))
        choice = choose_bucket(width, height, buckets)
        check_choice(choice, width, height)
        assert all(side >= step and side % step == 0 for side in choice.bucket)
        # As in the reference, one side is rounded up by half a pixel at most; the other follows from it.
        most = area * (step / (step - 0.5)) ** 2 + max(choice.bucket) / 2
        assert choice.bucket[0] * choice.bucket[1] <= (most if width * height > area else area)
        if width * height <= area and min(width, height) >= step:
            assert choice.resized == (width, height)
        if choice.scale > 1:
            assert min(choice.bucket) == step

    check()
