"""Is it a picture at all: black, white, one colour, burnt out; looked at before any encoder runs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.material import Material
from evaluation.metrics.metric import Measured, Metric
from evaluation.pictures import UNREADABLE, open_picture
from evaluation.records import Direction, Scope
from evaluation.statistics import Value
from evaluation.tools import Tools

BLACK_LEVEL = 8  # of 255: a picture whose brightest hundredth stays below it is black
WHITE_LEVEL = 247  # of 255: a picture whose darkest hundredth stays above it is white
FLAT_STD = 2.0  # of 255: a picture whose channels all vary less is one colour
SATURATED_SHARE = 0.98  # of channel values at an end of the range: nothing drawn or decoded is so hard


def find_fault(path: Path) -> str | None:
    """Why a picture is not one (black, white, flat, saturated, unreadable), or None if it is."""
    try:
        pixels = np.asarray(open_picture(path))
    except UNREADABLE:
        return "unreadable"
    return find_pixel_fault(pixels)


def find_pixel_fault(pixels: NDArray[np.uint8]) -> str | None:
    """Why pixels are not a picture, or None.

    pixels  [H, W, 3]  0 to 255. NaN cannot be in a file: samplers write it as black.
    """
    if np.percentile(pixels.max(axis=2), 99) <= BLACK_LEVEL:
        return "black"
    if np.percentile(pixels.min(axis=2), 1) >= WHITE_LEVEL:
        return "white"
    if pixels.reshape(-1, 3).std(axis=0).max() < FLAT_STD:
        return "flat"
    if float(np.mean((pixels <= 1) | (pixels >= 254))) > SATURATED_SHARE:
        return "saturated"
    return None


def measure_health(material: Material, set_name: str, tools: Tools) -> Measured:
    """1 for each healthy picture, 0 for each faulty one."""
    return Measured(
        values=[
            Value(
                prompt_index=picture.prompt_index,
                seed=picture.seed,
                value=0.0 if picture.path in material.faults else 1.0,
            )
            for picture in material.pictures.get(set_name, [])
        ]
    )


HEALTH = Metric(
    name="health",
    title="Healthy pictures",
    direction=Direction.higher,
    scope=Scope.image,
    scale="share of pictures that are not black, white, flat or saturated, 0 to 1",
    needs=(),
    role=None,
    measure=measure_health,
    min_pictures=0,
)
