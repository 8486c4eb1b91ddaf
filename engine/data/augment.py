"""A picture seen a little differently each time: another crop, mirrored, other colours."""

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.config import SubsetConfig
from engine.data.buckets import BucketChoice
from engine.data.interpolation import Pixels

_COLOUR_SHARE = 0.33  # of the times that color_aug changes something
_HUE = 16.0  # degrees to either side
_GAMMA = (0.95, 1.05)


def crop_at_random(choice: BucketChoice, draws: random.Random) -> tuple[int, int, int, int]:
    """left, top, right, bottom of a bucket somewhere in the resized picture; a side that fits is not drawn.

    Source: kohya sd-scripts 0.10.1, train_util.trim_and_resize_if_required.
    """
    (width, height), (bucket_width, bucket_height) = choice.resized, choice.bucket
    left = draws.randint(0, width - bucket_width) if width > bucket_width else 0
    top = draws.randint(0, height - bucket_height) if height > bucket_height else 0
    return left, top, left + bucket_width, top + bucket_height


def is_flipped(subset: SubsetConfig, draws: random.Random) -> bool:
    """Whether the picture is mirrored this time: every other time with flip_aug."""
    return subset.flip_aug and draws.random() < 0.5


def change_colours(pixels: Pixels, draws: random.Random) -> Pixels:
    """A third of the times another hue (up to 16 degrees) or another gamma (.95 to 1.05).

    pixels   uint8 [H, W, 3]
    Source: the ranges of kohya sd-scripts 0.10.1, train_util.AugHelper.
    """
    if draws.random() >= _COLOUR_SHARE:
        return pixels
    if draws.random() < 0.5:
        return _turn_hue(pixels, draws.uniform(-_HUE, _HUE))
    levels: NDArray[np.float64] = np.arange(256) / 255.0
    table = np.rint(levels ** draws.uniform(*_GAMMA) * 255).astype(np.uint8)
    return table[pixels]


def _turn_hue(pixels: Pixels, degrees: float) -> Pixels:
    hue, saturation, value = Image.fromarray(pixels).convert("HSV").split()
    turned = (np.asarray(hue).astype(np.int16) + round(degrees / 360 * 256)) % 256
    channels = (Image.fromarray(turned.astype(np.uint8)), saturation, value)
    return np.asarray(Image.merge("HSV", channels).convert("RGB"))
