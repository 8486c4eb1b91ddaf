"""Scenes of the world: what is in one, how a random one is chosen, and how it is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.creature import Look, draw_creature, sample_look
from demo.palette import BACKGROUND_COLOURS, COLOURS, OBJECT_COLOURS, TONES, background_colours, has_contrast
from demo.shapes import SHAPES, Field, grid, paint

Picture = NDArray[np.uint8]  # [64, 64, 3]

PICTURE_SIZE = 64
CREATURE = "creature"
KINDS = (*SHAPES, CREATURE)
SIZES = ("small", "", "big")  # the empty word is the middle size
PLACES = ("top left", "top right", "bottom left", "bottom right", "middle")
PATTERNS = ("", "striped", "dotted")  # the empty word is a plain background
_RADIUS = {"small": 8.0, "": 12.0, "big": 17.0}
_CREATURE_RADIUS = {"small": 9.5, "": 13.0, "big": 17.0}
_INSET = {"small": 16.0, "": 18.0, "big": 20.5}


@dataclass(frozen=True, slots=True)
class Thing:
    """One object: a shape in a colour, or a creature."""

    kind: str
    colour: str
    size: str
    place: str
    look: Look | None = None  # creatures only
    name: str | None = None  # the caption's words for it; None = colour and kind


@dataclass(frozen=True, slots=True)
class Background:
    """What is behind the objects."""

    colour: str
    tone: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two things in front of a background."""

    things: tuple[Thing, ...]
    background: Background


def sample_scene(rng: np.random.Generator, *, pairs: float = 0.12, creatures: float = 0.2) -> Scene:
    """A random scene; `pairs` and `creatures` are the shares with two objects and with a creature."""
    draw = rng.random()
    background = sample_background(rng)
    if draw < pairs:
        first, second = rng.choice(4, size=2, replace=False)  # two of the corners
        things = tuple(
            _sample_shape(rng, background, place=PLACES[i], sizes=SIZES[:2]) for i in (first, second)
        )
        return Scene(things, background)
    place = PLACES[rng.integers(len(PLACES))]
    if draw < pairs + creatures:
        return Scene((_sample_creature(rng, background, place=place),), background)
    return Scene((_sample_shape(rng, background, place=place, sizes=SIZES),), background)


def sample_background(rng: np.random.Generator) -> Background:
    """A random background, every combination equally likely."""
    return Background(
        colour=BACKGROUND_COLOURS[rng.integers(len(BACKGROUND_COLOURS))],
        tone=TONES[rng.integers(len(TONES))],
        pattern=PATTERNS[rng.integers(len(PATTERNS))],
    )


def draw_scene(scene: Scene, rng: np.random.Generator) -> Picture:
    """Draw the scene; the rng moves each thing by up to 1.2 pixels and its size by up to 4 %."""
    x, y = grid(PICTURE_SIZE)
    canvas = draw_background(scene.background, x, y)
    for thing in scene.things:
        shift_x, shift_y, scale = rng.uniform(-1.0, 1.0, size=3)
        centre_x, centre_y = _centre(thing)
        dx = x - np.float32(centre_x + 1.2 * shift_x)
        dy = y - np.float32(centre_y + 1.2 * shift_y)
        _draw_thing(canvas, dx, dy, thing=thing, scale=1 + 0.04 * float(scale))
    return to_picture(canvas)


def draw_background(background: Background, x: Field, y: Field) -> Field:
    """A canvas [H, W, 3] in 0..1 with the background on it."""
    ground, figure = background_colours(background.colour, background.tone)
    canvas = np.broadcast_to(ground, (*x.shape, 3)).astype(np.float32)
    if background.pattern == "striped":
        along = np.mod(x + y, 16.0)  # diagonal, 5.7 pixels wide
        paint(canvas, tuple(figure), ((np.abs(along - 8.0) - 4.0) / np.sqrt(2.0)).astype(np.float32))
    if background.pattern == "dotted":
        row = np.floor(y / 8.0)
        dx = np.mod(x + 8.0 * np.mod(row, 2.0), 16.0) - 8.0
        paint(canvas, tuple(figure), (np.hypot(dx, np.mod(y, 8.0) - 4.0) - 2.6).astype(np.float32))
    return canvas


def to_picture(canvas: Field) -> Picture:
    """Round a canvas in 0..1 to 8 bits."""
    return np.round(255.0 * np.clip(canvas, 0.0, 1.0)).astype(np.uint8)


def _sample_shape(
    rng: np.random.Generator, background: Background, *, place: str, sizes: tuple[str, ...]
) -> Thing:
    shapes = tuple(SHAPES)
    kind = shapes[rng.integers(len(shapes))]
    return Thing(kind, _sample_colour(rng, background), sizes[rng.integers(len(sizes))], place)


def _sample_creature(rng: np.random.Generator, background: Background, *, place: str) -> Thing:
    colour = _sample_colour(rng, background)
    look = sample_look(rng, body=colour)
    return Thing(CREATURE, colour, SIZES[rng.integers(len(SIZES))], place, look=look)


def _sample_colour(rng: np.random.Generator, background: Background) -> str:
    fitting = [
        name
        for name in OBJECT_COLOURS
        if has_contrast(name, background=background.colour, tone=background.tone)
    ]
    return fitting[rng.integers(len(fitting))]


def _centre(thing: Thing) -> tuple[float, float]:
    if thing.place == "middle":
        return PICTURE_SIZE / 2, PICTURE_SIZE / 2
    inset = _INSET[thing.size]
    far = PICTURE_SIZE - inset
    return (inset if "left" in thing.place else far, inset if "top" in thing.place else far)


def _draw_thing(canvas: Field, x: Field, y: Field, *, thing: Thing, scale: float) -> None:
    if thing.look is not None:
        draw_creature(canvas, x, y, radius=_CREATURE_RADIUS[thing.size] * scale, look=thing.look)
        return
    paint(canvas, COLOURS[thing.colour], SHAPES[thing.kind](x, y, _RADIUS[thing.size] * scale))
