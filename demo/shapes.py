"""Signed distances of flat shapes in pixels, and how a distance becomes an anti-aliased mask."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Shape = Callable[[Field, Field, float], Field]


def coverage(distance: Field) -> Field:
    """How much of each pixel lies inside, 0..1: a one pixel wide ramp around the edge."""
    return np.clip(0.5 - distance, 0.0, 1.0, dtype=np.float32)


def paint(canvas: Field, colour: Sequence[float], distance: Field) -> None:
    """Lay a flat colour over the canvas [H, W, 3] where the distance [H, W] is negative, in place."""
    mask = coverage(distance)[..., None]
    canvas += mask * (np.asarray(colour, dtype=np.float32) - canvas)


def grid(size: int) -> tuple[Field, Field]:
    """The pixel centres of a size x size picture: x to the right, y downwards, each [size, size]."""
    centres = np.arange(size, dtype=np.float32) + np.float32(0.5)
    x, y = np.meshgrid(centres, centres)
    return x, y


def ellipse(x: Field, y: Field, *, width: float, height: float) -> Field:
    """An ellipse with half axes width and height; first-order distance (Quilez), exact for a circle."""
    level = np.hypot(x / width, y / height)
    slope = np.hypot(x / width**2, y / height**2)
    return (level * (level - 1.0) / np.maximum(slope, 1e-6)).astype(np.float32)


def box(x: Field, y: Field, *, width: float, height: float, corner: float = 0.0) -> Field:
    """A box with half sides width and height, and rounded corners of radius `corner`."""
    across = np.abs(x) - (width - corner)
    down = np.abs(y) - (height - corner)
    outside = np.hypot(np.maximum(across, 0.0), np.maximum(down, 0.0))
    return (outside + np.minimum(np.maximum(across, down), 0.0) - corner).astype(np.float32)


def segment(
    x: Field, y: Field, *, start: tuple[float, float], end: tuple[float, float], half: float
) -> Field:
    """A line with round ends, `half` its half thickness."""
    ax, ay = start
    bx, by = end[0] - ax, end[1] - ay
    along = np.clip(((x - ax) * bx + (y - ay) * by) / (bx * bx + by * by), 0.0, 1.0)
    return (np.hypot(x - ax - along * bx, y - ay - along * by) - half).astype(np.float32)


def polygon(x: Field, y: Field, points: Sequence[tuple[float, float]]) -> Field:
    """Any simple polygon: the distance to the nearest side, negative inside (even-odd rule)."""
    nearest = np.full(x.shape, np.inf, dtype=np.float32)
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        nearest = np.minimum(nearest, segment(x, y, start=(ax, ay), end=(bx, by), half=0.0))
        if ay != by:
            inside ^= ((y < ay) != (y < by)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return np.where(inside, -nearest, nearest).astype(np.float32)


def circle(x: Field, y: Field, radius: float) -> Field:
    """A disc of .9 radius, so that its area is near that of the other shapes."""
    return (np.hypot(x, y) - 0.9 * radius).astype(np.float32)


def square(x: Field, y: Field, radius: float) -> Field:
    """An upright square."""
    return box(x, y, width=0.8 * radius, height=0.8 * radius)


def diamond(x: Field, y: Field, radius: float) -> Field:
    """A square on its corner, a little taller than wide."""
    return polygon(x, y, [(0, -1.1 * radius), (0.8 * radius, 0), (0, 1.1 * radius), (-0.8 * radius, 0)])


def triangle(x: Field, y: Field, radius: float) -> Field:
    """A triangle that points upwards."""
    return polygon(x, y, [(0, -radius), (radius, 0.8 * radius), (-radius, 0.8 * radius)])


def star(x: Field, y: Field, radius: float) -> Field:
    """A star with five points."""
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2 == 0, 1.12, 0.48) * radius
    return polygon(
        x, y, [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(reach, angles, strict=True)]
    )


def heart(x: Field, y: Field, radius: float) -> Field:
    """A heart: two discs and the point below them, with a clear notch so that a small one is no drop."""
    lobe = 0.52 * radius
    left = np.hypot(x + 0.48 * radius, y + 0.38 * radius) - lobe
    right = np.hypot(x - 0.48 * radius, y + 0.38 * radius) - lobe
    tip = [
        (-0.93 * radius, -0.12 * radius),
        (0.0, -0.45 * radius),
        (0.93 * radius, -0.12 * radius),
        (0.0, radius),
    ]
    return np.minimum(np.minimum(left, right), polygon(x, y, tip)).astype(np.float32)


def cross(x: Field, y: Field, radius: float) -> Field:
    """An upright plus sign."""
    flat = box(x, y, width=radius, height=0.34 * radius)
    upright = box(x, y, width=0.34 * radius, height=radius)
    return np.minimum(flat, upright)


def ring(x: Field, y: Field, radius: float) -> Field:
    """A disc with a hole."""
    return (np.abs(np.hypot(x, y) - 0.72 * radius) - 0.26 * radius).astype(np.float32)


SHAPES: dict[str, Shape] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "star": star,
    "heart": heart,
    "diamond": diamond,
    "cross": cross,
    "ring": ring,
}
