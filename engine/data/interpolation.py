"""Resizing as OpenCV 4.10 does it on 8-bit pictures: each new pixel from the few that lie around its centre.

Nothing is smoothed first: a picture that shrinks a lot shows stairs and moiré, as it does there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.buckets import Size

Pixels = NDArray[np.uint8]  # [H, W, 3], or [H, W] for a mask
_Values = NDArray[np.float64]
_SLOPE = -0.75  # of the cubic curve at its first zero
_ROWS_AT_A_TIME = 64  # a value takes eight bytes between the two passes


class _Taps(NamedTuple):
    """Which T old pixels each of N new ones is made of along one side, and their shares."""

    places: NDArray[np.int64]  # [N, T]
    weights: _Values  # [N, T]


def resize_nearest(pixels: Pixels, size: Size) -> Pixels:
    """The pixel that the centre of the new one lies in; equal to INTER_NEAREST_EXACT."""
    rows, columns = (_nearest_places(old, new) for old, new in _sides(pixels, size))
    return pixels[rows[:, None], columns]


def resize_linear(pixels: Pixels, size: Size) -> Pixels:
    """Blends of the two nearest pixels along either side; equal to INTER_LINEAR."""
    if pixels.shape[:2] == (2 * size[1], 2 * size[0]):  # at half the size OpenCV takes the mean of all four
        four = np.stack([pixels[y::2, x::2] for y in (0, 1) for x in (0, 1)])
        return ((four.sum(axis=0, dtype=np.uint16) + np.uint16(2)) >> 2).astype(np.uint8)
    rows, columns = (_linear_taps(*_centres(old, new), old) for old, new in _sides(pixels, size))
    return _in_two_passes(pixels, rows, columns, _linear_rows)


def enlarge_area(pixels: Pixels, size: Size) -> Pixels:
    """Blends only where a new pixel lies across two old ones; equal to INTER_AREA where a side grows."""
    rows, columns = (_linear_taps(*_left_edges(old, new), old) for old, new in _sides(pixels, size))
    return _in_two_passes(pixels, rows, columns, _linear_rows)


def resize_cubic(pixels: Pixels, size: Size) -> Pixels:
    """Blends of the four nearest pixels along either side: INTER_CUBIC as OpenCV runs it on x86.

    1 level apart where a value lies within OpenCV's float32 error of the middle of two levels (1 in 100,000
    of a photograph's), and in up to 1 of 6 values where a side has 3 pixels or less: there its weights are
    cut to 11 bits, as on processors other than x86 they always are (then 1 of 20 values is 1 level apart).
    """
    rows, columns = (_cubic_taps(*_centres(old, new), old) for old, new in _sides(pixels, size))
    return _in_two_passes(pixels, rows, columns, _cubic_rows)


def _sides(pixels: Pixels, size: Size) -> tuple[tuple[int, int], tuple[int, int]]:
    """(old, new) height, then (old, new) width."""
    return (pixels.shape[0], size[1]), (pixels.shape[1], size[0])


def _nearest_places(old: int, new: int) -> NDArray[np.int64]:
    """In steps of 16 binary places, half a step from the edge; a centre on an edge as OpenCV has it."""
    step = ((old << 16) + new // 2) // new
    return np.minimum((step * np.arange(new) + step // 2 - old % 2) >> 16, old - 1)


def _centres(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The old pixel at or before each new centre, and how far behind its own centre that lies, 0 to 1."""
    places = ((np.arange(new) + 0.5) * (1 / (new / old)) - 0.5).astype(np.float32)
    first = np.floor(places)
    return first.astype(np.int64), places - first


def _left_edges(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The old pixel at each new left edge, and the share of the new pixel that lies on the next old one."""
    first = np.floor(np.arange(new) * (1 / (new / old))).astype(np.int64)
    beyond = (np.arange(1, new + 1) - (first + 1) * (new / old)).astype(np.float32)
    return first, np.where(beyond <= 0, np.float32(0), beyond - np.floor(beyond))


def _linear_taps(first: NDArray[np.int64], behind: NDArray[np.float32], old: int) -> _Taps:
    shares = np.stack([np.float32(1) - behind, behind], axis=1)
    weights = np.rint(shares * np.float32(2048))  # whole numbers of 11 bits
    return _Taps(np.clip(first[:, None] + np.arange(2), 0, old - 1), weights.astype(np.float64))


def _cubic_taps(first: NDArray[np.int64], behind: NDArray[np.float32], old: int) -> _Taps:
    """Keys' cubic convolution; beyond the edge the last pixel goes on."""
    x = behind.astype(np.float64)
    inner = [((_SLOPE + 2) * d - (_SLOPE + 3)) * d * d + 1 for d in (x, 1 - x)]
    outer = _SLOPE * (((x + 1) - 5) * (x + 1) + 8) * (x + 1) - 4 * _SLOPE
    weights = np.stack([outer, *inner, 1 - outer - inner[0] - inner[1]], axis=1)
    return _Taps(np.clip(first[:, None] + np.arange(-1, 3), 0, old - 1), weights)


def _in_two_passes(
    pixels: Pixels, rows: _Taps, columns: _Taps, add_rows: Callable[[_Values, _Taps], Pixels]
) -> Pixels:
    """Along the rows that are needed, then down the columns, a block of new rows at a time."""
    blocks = []
    for start in range(0, len(rows.places), _ROWS_AT_A_TIME):
        block = slice(start, start + _ROWS_AT_A_TIME)
        needed, places = np.unique(rows.places[block], return_inverse=True)
        across = np.sum(_weighed(pixels[needed].swapaxes(0, 1), columns), axis=0).swapaxes(0, 1)
        taps = _Taps(places.reshape(rows.places[block].shape), rows.weights[block])
        blocks.append(add_rows(across, taps))
    return np.concatenate(blocks)


def _weighed(values: NDArray[np.number], taps: _Taps) -> list[_Values]:
    """The T summands of the N new rows."""
    shape = (-1, *[1] * (values.ndim - 1))
    return [
        values[places] * weights.reshape(shape)
        for places, weights in zip(taps.places.T, taps.weights.T, strict=True)
    ]


def _linear_rows(across: _Values, taps: _Taps) -> Pixels:
    """OpenCV calculates in whole numbers here; the bits that it drops are dropped at the same places."""
    upper, lower = (np.floor(summand / 2**16) for summand in _weighed(np.floor(across / 2**4), taps))
    return np.floor((upper + lower + 2) / 4).astype(np.uint8)


def _cubic_rows(across: _Values, taps: _Taps) -> Pixels:
    return np.clip(np.rint(np.sum(_weighed(across, taps), axis=0)), 0, 255).astype(np.uint8)
