"""The colours of the world as RGB in 0..1, and the tones of its backgrounds."""

import numpy as np
from numpy.typing import NDArray

RGB = tuple[float, float, float]

COLOURS: dict[str, RGB] = {
    "red": (0.88, 0.20, 0.19),
    "orange": (0.97, 0.55, 0.13),
    "yellow": (0.96, 0.85, 0.22),
    "green": (0.25, 0.70, 0.29),
    "teal": (0.10, 0.68, 0.68),
    "blue": (0.20, 0.38, 0.90),
    "purple": (0.55, 0.27, 0.80),
    "pink": (0.96, 0.48, 0.73),
    "brown": (0.53, 0.32, 0.16),
    "white": (0.98, 0.98, 0.98),
    "gray": (0.62, 0.62, 0.62),
    "black": (0.06, 0.06, 0.07),
}
OBJECT_COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "white")
BACKGROUND_COLOURS = ("red", "yellow", "green", "teal", "blue", "purple", "pink", "gray")
TONES = ("dark", "", "light")  # the empty word is the middle tone
MIN_CONTRAST = 0.36  # Euclidean RGB distance between an object and its background


def background_colours(colour: str, tone: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The ground colour and that of its stripes or dots, each [3]."""
    rgb = np.asarray(COLOURS[colour], dtype=np.float32)
    if tone == "dark":
        ground = 0.42 * rgb
        return ground, ground + 0.2 * (1 - ground)
    if tone == "light":
        ground = rgb + 0.6 * (1 - rgb)
        return ground, 0.82 * ground
    ground = 0.85 * rgb
    return ground, ground + 0.32 * (1 - ground)


def has_contrast(colour: str, *, background: str, tone: str) -> bool:
    """Whether an object of this colour can be told from this background."""
    ground, _ = background_colours(background, tone)
    distance = float(np.linalg.norm(np.asarray(COLOURS[colour], dtype=np.float32) - ground))
    return colour != background and distance >= MIN_CONTRAST
