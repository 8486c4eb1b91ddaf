"""What the pixels of a picture say without a model: faults, luminance, a hash that finds near-copies."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from evaluation.encoders.pictures import UNREADABLE, open_picture

UNREADABLE_FAULT = "unreadable"
BLACK_LEVEL = 8  # of 255: a picture whose brightest hundredth stays below it is black
WHITE_LEVEL = 247  # of 255: a picture whose darkest hundredth stays above it is white
FLAT_STD = 2.0  # of 255: a picture whose channels all vary less is one colour
SATURATED_SHARE = 0.98  # of channel values at an end of the range: nothing drawn or decoded is so hard
LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709's weights of red, green and blue

_LEVELS = np.arange(256, dtype=np.float64)

Counts = NDArray[np.int64]  # [256], pixels at each level


@dataclass(kw_only=True, slots=True, frozen=True)
class PixelFacts:
    """What is known of a picture without an encoder.

    Luminance is Rec. 709 luma of the sRGB values as they are stored (not linear light), 0 to 255.
    """

    fault: str | None  # why it is no picture: black, white, flat, saturated, unreadable
    width: int = 0  # pixels, turned as EXIF says; 0 where it is unreadable
    height: int = 0
    luminance_mean: float = float("nan")  # over all pixels, not rounded
    luminance_counts: Counts = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    dhash: int = 0  # 64 bits; pictures that look alike differ in few


def facts_of(picture: Image.Image) -> PixelFacts:
    """The facts of an RGB picture."""
    channels = _channel_counts(picture)
    means = channels @ _LEVELS / channels[0].sum()
    return PixelFacts(
        fault=_find_fault(picture, channels),
        width=picture.width,
        height=picture.height,
        luminance_mean=float(means @ np.array(LUMA)),
        luminance_counts=_counts(picture.convert("L", (*LUMA, 0.0))),
        dhash=difference_hash(picture),
    )


def read_facts(path: Path) -> PixelFacts:
    """The facts of a file; of one that is no picture only that."""
    try:
        return facts_of(open_picture(path))
    except UNREADABLE:
        return PixelFacts(fault=UNREADABLE_FAULT)


def difference_hash(picture: Image.Image) -> int:
    """Whether each of 8 x 8 grey pixels is darker than its right neighbour: 64 bits by row, highest first.

    Source: Krawetz 2013, "Kind of Like That" (hackerfactor.com): grey, 9 x 8 pixels, P[x] < P[x+1].
    """
    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    bits = grey[:, 1:] > grey[:, :-1]
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def find_pixel_fault(pixels: NDArray[np.uint8]) -> str | None:
    """Why pixels are not a picture, or None.

    pixels  [H, W, 3]  0 to 255. NaN cannot be in a file: samplers write it as black.
    """
    picture = Image.fromarray(pixels)
    return _find_fault(picture, _channel_counts(picture))


def _find_fault(picture: Image.Image, channels: Counts) -> str | None:
    """From counts of levels alone, which PIL makes faster than numpy sorts a picture's values."""
    red, green, blue = picture.split()
    if _percentile(_counts(ImageChops.lighter(ImageChops.lighter(red, green), blue)), 99) <= BLACK_LEVEL:
        return "black"
    if _percentile(_counts(ImageChops.darker(ImageChops.darker(red, green), blue)), 1) >= WHITE_LEVEL:
        return "white"
    if max(_std(counts) for counts in channels) < FLAT_STD:
        return "flat"
    ends = channels[:, :2].sum() + channels[:, 254:].sum()
    if ends / channels.sum() > SATURATED_SHARE:
        return "saturated"
    return None


def _channel_counts(picture: Image.Image) -> Counts:
    """[3, 256]"""
    return np.asarray(picture.histogram(), dtype=np.int64).reshape(3, 256)


def _counts(grey: Image.Image) -> Counts:
    return np.asarray(grey.histogram(), dtype=np.int64)


def _percentile(counts: Counts, percent: float) -> float:
    """As numpy's: between the two nearest values in proportion."""
    place = percent / 100 * (int(counts.sum()) - 1)
    cumulative = np.cumsum(counts)
    low, high = np.searchsorted(cumulative, [np.floor(place), np.ceil(place)], side="right")
    return float(low + (high - low) * (place - np.floor(place)))


def _std(counts: Counts) -> float:
    total = counts.sum()
    mean = counts @ _LEVELS / total
    return float(np.sqrt(counts @ (_LEVELS - mean) ** 2 / total))
