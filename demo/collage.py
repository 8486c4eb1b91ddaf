"""Crowded pictures at any brightness, for the VAE only: it must carry what the world itself never shows."""

import numpy as np

from demo.creature import SKS, draw_creature, sample_look
from demo.palette import OBJECT_COLOURS
from demo.shapes import SHAPES, grid, paint
from demo.world import PICTURE_SIZE, Picture, draw_background, sample_background, to_picture


def draw_collage(rng: np.random.Generator) -> Picture:
    """Two to six shapes or creatures anywhere, in any colours; half of them darkened or brightened."""
    x, y = grid(PICTURE_SIZE)
    canvas = draw_background(sample_background(rng), x, y)
    shapes = tuple(SHAPES.values())
    for _ in range(rng.integers(2, 7)):
        centre_x, centre_y = rng.uniform(0, PICTURE_SIZE, size=2)
        dx, dy = x - np.float32(centre_x), y - np.float32(centre_y)
        radius = float(rng.uniform(6, 20))
        if rng.random() < 0.4:
            body = OBJECT_COLOURS[rng.integers(len(OBJECT_COLOURS))]
            look = SKS if rng.random() < 0.2 else sample_look(rng, body=body)
            draw_creature(canvas, dx, dy, radius=radius, look=look)
        else:
            colour = rng.uniform(0, 1, size=3)
            paint(canvas, [float(c) for c in colour], shapes[rng.integers(len(shapes))](dx, dy, radius))
    if rng.random() < 0.5:
        gain = np.float32(rng.uniform(0.08, 1.0))
        canvas = gain * canvas if rng.random() < 0.5 else 1 - gain * (1 - canvas)
    return to_picture(canvas)
