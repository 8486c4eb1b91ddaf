"""Resizing as the reference does it: area averages when a picture shrinks, Lanczos when a side grows.

Or in a way that is asked for by name.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.buckets import Size
from engine.data.interpolation import Pixels, enlarge_area, resize_cubic, resize_linear, resize_nearest

_BY_PILLOW = {"box": Image.Resampling.BOX, "lanczos": Image.Resampling.LANCZOS}
_BY_OPENCV = {
    "area": enlarge_area,  # where a side grows; area_average else
    "bicubic": resize_cubic,
    "bilinear": resize_linear,
    "cubic": resize_cubic,
    "linear": resize_linear,
    "nearest": resize_nearest,
}
INTERPOLATIONS = tuple(sorted({*_BY_PILLOW, *_BY_OPENCV}))
_ROWS_AT_A_TIME = 64  # a photograph's cumulative sums would be eight times its own size


def resize_pixels(pixels: Pixels, size: Size, interpolation: str | None = None) -> Pixels:
    """The picture, or a mask [H, W], at another size (width, height).

    interpolation  one of INTERPOLATIONS; None = area where no side grows, else lanczos. bilinear and linear
                   are one, and so are bicubic and cubic
    Source: kohya sd-scripts, library.utils.resize_image, which calls Pillow for box and lanczos, OpenCV else.
    """
    height, width = pixels.shape[:2]
    if size == (width, height):
        return pixels
    shrinks = size[0] <= width and size[1] <= height
    name = interpolation or ("area" if shrinks else "lanczos")
    if name == "area" and shrinks:
        return area_average(pixels, size)
    if name in _BY_PILLOW:
        return np.asarray(Image.fromarray(pixels).resize(size, _BY_PILLOW[name]))
    return _BY_OPENCV[name](pixels, size)


def area_average(pixels: Pixels, size: Size) -> Pixels:
    """Each new pixel is the mean of the area that it covers.

    Equal to OpenCV 4.10's INTER_AREA where the factors are whole numbers; else up to 1 level apart where a
    mean lies within OpenCV's float32 error, or its cut of weights below 0.001, of the middle of two levels.
    """
    height, width = pixels.shape[:2]
    if width % size[0] == 0 and height % size[1] == 0:
        return _block_average(pixels, size)
    blocks = range(0, height, _ROWS_AT_A_TIME)
    rows = np.concatenate([_average_along(pixels[y : y + _ROWS_AT_A_TIME], 1, size[0]) for y in blocks])
    return np.rint(_average_along(rows, 0, size[1])).astype(np.uint8)


def _block_average(pixels: Pixels, size: Size) -> Pixels:
    across, down = pixels.shape[1] // size[0], pixels.shape[0] // size[1]
    sums = pixels.reshape(size[1], down, size[0], across, *pixels.shape[2:]).sum(axis=(1, 3), dtype=np.int32)
    if across == down == 2:
        return ((sums + 2) >> 2).astype(np.uint8)  # OpenCV rounds halves up here, and to even elsewhere
    return np.rint(sums.astype(np.float32) * np.float32(1 / (across * down))).astype(np.uint8)


def _average_along(values: NDArray[np.generic], axis: int, count: int) -> NDArray[np.float64]:
    """Means over `count` equal stretches of an axis, by differences of its cumulative sum."""
    length = values.shape[axis]
    exact = np.uint32 if values.dtype == np.uint8 else np.float64  # 2^32 holds a row of 16 million pixels
    total = np.cumsum(values, axis=axis, dtype=exact)  # of each pixel and those before it
    edges = np.arange(count + 1) * (length / count)
    whole = np.minimum(edges.astype(np.int64), length - 1)
    share = (edges - whole).reshape([-1 if index == axis else 1 for index in range(values.ndim)])
    low = total.take(np.maximum(whole - 1, 0), axis=axis).astype(np.float64)
    low[(slice(None),) * axis + (whole == 0,)] = 0.0
    high = total.take(whole, axis=axis).astype(np.float64)
    return np.diff(low + share * (high - low), axis=axis) * (count / length)
