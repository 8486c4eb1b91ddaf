"""Aspect-ratio buckets: the shapes that pictures are cut to, so that a batch has one shape."""

import math
from dataclasses import dataclass

from engine.config import DatasetConfig, dataset_size

Size = tuple[int, int]  # (width, height) in pixels


@dataclass(kw_only=True, slots=True, frozen=True)
class Buckets:
    """Which shapes there are, or with no_upscale how a picture gets one of its own."""

    sizes: tuple[Size, ...]  # in sorted order; none with no_upscale
    max_area: int  # pixels of a bucket, at most
    step: int  # pixels; sides are multiples of it
    no_upscale: bool = False


@dataclass(kw_only=True, slots=True, frozen=True)
class BucketChoice:
    """How one picture becomes a training picture: resize, then crop."""

    bucket: Size
    resized: Size  # covers the bucket
    crop: tuple[int, int, int, int]  # left, top, right, bottom within the resized picture; centred
    aspect_error: float  # width / height of the bucket minus that of the picture
    scale: float  # resized / original side; above 1 the picture is enlarged


def buckets_of(config: DatasetConfig) -> Buckets:
    """The buckets that a data set's options mean; enable_bucket=false leaves one."""
    size, step = dataset_size(config), config.bucket_reso_steps
    area = size[0] * size[1]
    if not config.enable_bucket:
        return Buckets(sizes=(size,), max_area=area, step=step)
    if config.bucket_no_upscale:
        return Buckets(sizes=(), max_area=area, step=step, no_upscale=True)
    low, high = config.min_bucket_reso, config.max_bucket_reso
    sizes = make_buckets(size, min_size=low, max_size=high, step=step)
    return Buckets(sizes=sizes, max_area=area, step=step)


def make_buckets(resolution: Size, *, min_size: int, max_size: int, step: int) -> tuple[Size, ...]:
    """All shapes with sides in [min_size, max_size] and at most the area of the resolution, sorted.

    The square nearest to that area is always there, even outside min_size and max_size.
    Source: kohya sd-scripts, model_util.make_bucket_resolutions.
    """
    area = resolution[0] * resolution[1]
    side = int(math.sqrt(area) // step) * step
    assert side > 0, "the resolution is smaller than the step"
    sizes = {(side, side)}
    for width in range(min_size, min(max_size, area // min_size) + 1, step):
        height = min(max_size, area // width // step * step)
        if height >= min_size:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


def choose_bucket(width: int, height: int, buckets: Buckets) -> BucketChoice:
    """The bucket of a picture and the way into it.

    width, height  pixels, as the picture is shown (after its EXIF orientation)
    Source: kohya sd-scripts, train_util.BucketManager.select_bucket.
    """
    if buckets.no_upscale:
        resized, bucket = _own_bucket(width, height, buckets)
    else:
        bucket = _nearest_bucket(width, height, buckets.sizes)
        resized = _cover(width, height, bucket)
    left, top = (resized[0] - bucket[0]) // 2, (resized[1] - bucket[1]) // 2
    return BucketChoice(
        bucket=bucket,
        resized=resized,
        crop=(left, top, left + bucket[0], top + bucket[1]),
        aspect_error=bucket[0] / bucket[1] - width / height,
        scale=max(resized[0] / width, resized[1] / height),
    )


def letterbox(width: int, height: int, bucket: Size) -> tuple[float, float, float, float]:
    """Where the whole picture would lie inside its bucket: left, top, right, bottom.

    SDXL is conditioned on this, and not on the crop that was made.
    Source: kohya sd-scripts, train_util.BucketManager.get_crop_ltrb.
    """
    aspect = width / height
    if bucket[0] / bucket[1] > aspect:
        inner_width, inner_height = bucket[1] * aspect, float(bucket[1])
    else:
        inner_width, inner_height = float(bucket[0]), bucket[0] / aspect
    # A float above the bucket's own side would be cut to -1, as the reference does.
    left, top = max(0.0, (bucket[0] - inner_width) // 2), max(0.0, (bucket[1] - inner_height) // 2)
    return left, top, left + inner_width, top + inner_height


def _nearest_bucket(width: int, height: int, sizes: tuple[Size, ...]) -> Size:
    if (width, height) in sizes:
        return width, height
    aspect = width / height
    return min(sizes, key=lambda size: abs(size[0] / size[1] - aspect))  # ties go to the first


def _cover(width: int, height: int, bucket: Size) -> Size:
    wider = width / height > bucket[0] / bucket[1]
    scale = bucket[1] / height if wider else bucket[0] / width
    return int(width * scale + 0.5), int(height * scale + 0.5)


def _own_bucket(width: int, height: int, buckets: Buckets) -> tuple[Size, Size]:
    resized: Size | None = (width, height)
    if width * height > buckets.max_area:
        resized = _shrink_to_area(width / height, buckets)
    if resized is None or min(resized) < buckets.step:
        return _thin_bucket(width, height, buckets)
    return resized, (_floor(resized[0], buckets.step), _floor(resized[1], buckets.step))


def _shrink_to_area(aspect: float, buckets: Buckets) -> Size | None:
    """The size at which one side is a multiple of the step and the area is not exceeded; None = too thin."""
    ideal_width = math.sqrt(buckets.max_area * aspect)
    ideal_height = buckets.max_area / ideal_width
    width = _floor(int(ideal_width + 0.5), buckets.step)
    height_for_width = _floor(int(width / aspect + 0.5), buckets.step)
    height = _floor(int(ideal_height + 0.5), buckets.step)
    width_for_height = _floor(int(height * aspect + 0.5), buckets.step)
    if 0 in (width, height_for_width, height, width_for_height):
        return None
    if abs(width / height_for_width - aspect) < abs(width_for_height / height - aspect):
        return width, int(width / aspect + 0.5)
    return int(height * aspect + 0.5), height


def _thin_bucket(width: int, height: int, buckets: Buckets) -> tuple[Size, Size]:
    """A side would be under one step, where kohya divides by zero: it becomes one step, the other is cut."""
    scale = buckets.step / min(width, height)
    resized = max(buckets.step, int(width * scale + 0.5)), max(buckets.step, int(height * scale + 0.5))
    longest = max(buckets.step, _floor(buckets.max_area // buckets.step, buckets.step))
    bucket = tuple(min(longest, _floor(side, buckets.step)) for side in resized)
    return resized, (bucket[0], bucket[1])


def _floor(value: int, step: int) -> int:
    return value - value % step
