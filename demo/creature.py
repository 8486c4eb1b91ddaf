"""The class "creature": a body with ears, eyes, feet and a thick outline, drawn from a Look."""

from dataclasses import dataclass, replace

import numpy as np

from demo.palette import COLOURS
from demo.shapes import Field, box, ellipse, paint, polygon, segment

FORMS = ("round", "tall", "wide", "blocky")
EARS = ("round", "pointed", "long")  # antennae belong to the taught creature only
EYES = ("one", "two")  # big eyes too
ALL_EARS = (*EARS, "antennae")
ALL_EYES = (*EYES, "big")
OUTLINE = (0.11, 0.09, 0.13)
WHITE = (0.98, 0.98, 0.98)


@dataclass(frozen=True, slots=True)
class Look:
    """What one creature looks like; the colours are names of demo.palette."""

    body: str
    accent: str  # ears, feet
    form: str
    ears: str
    eyes: str
    belly: bool = False  # a patch in the accent colour


SKS = Look(body="teal", accent="orange", form="tall", ears="antennae", eyes="big", belly=True)


def sample_look(rng: np.random.Generator, *, body: str) -> Look:
    """A random creature with this body colour; never one with the marks of the taught creature."""
    others = [name for name in COLOURS if name not in (body, "gray", "black")]
    return Look(
        body=body,
        accent=others[rng.integers(len(others))],
        form=FORMS[rng.integers(len(FORMS))],
        ears=EARS[rng.integers(len(EARS))],
        eyes=EYES[rng.integers(len(EYES))],
    )


def sample_any_look(rng: np.random.Generator, *, body: str) -> Look:
    """A random creature that may wear the marks of the taught one too: what a judge must be able to see."""
    return replace(
        sample_look(rng, body=body),
        ears=ALL_EARS[rng.integers(len(ALL_EARS))],
        eyes=ALL_EYES[rng.integers(len(ALL_EYES))],
        belly=bool(rng.random() < 0.4),
    )


def draw_creature(canvas: Field, x: Field, y: Field, *, radius: float, look: Look) -> None:
    """Draw the creature around the origin of x, y [H, W], within about `radius` pixels, in place."""
    line = max(1.2, 0.13 * radius)
    body, accent = COLOURS[look.body], COLOURS[look.accent]
    y = y - np.float32(0.18 * radius)
    for part in _ears(x, y, radius, look.ears) + _feet(x, y, radius):
        _outlined(canvas, accent, part, line)
    trunk = _body(x, y, radius, look.form)
    _outlined(canvas, body, trunk, line)
    if look.belly:
        paint(canvas, accent, ellipse(x, y - 0.36 * radius, width=0.4 * radius, height=0.3 * radius))
    _draw_eyes(canvas, x, y, radius=radius, eyes=look.eyes)


def _outlined(canvas: Field, colour: tuple[float, float, float], distance: Field, line: float) -> None:
    paint(canvas, OUTLINE, distance)
    paint(canvas, colour, (distance + np.float32(line)).astype(np.float32))


def _body(x: Field, y: Field, radius: float, form: str) -> Field:
    if form == "round":
        return ellipse(x, y, width=0.76 * radius, height=0.76 * radius)
    if form == "tall":
        return ellipse(x, y, width=0.66 * radius, height=0.8 * radius)
    if form == "wide":
        return ellipse(x, y + 0.02 * radius, width=0.92 * radius, height=0.66 * radius)
    return box(x, y, width=0.74 * radius, height=0.7 * radius, corner=0.22 * radius)


def _ears(x: Field, y: Field, radius: float, ears: str) -> list[Field]:
    parts: list[Field] = []
    for side in (-1.0, 1.0):
        if ears == "round":
            parts.append(
                ellipse(
                    x - side * 0.55 * radius, y + 0.68 * radius, width=0.33 * radius, height=0.33 * radius
                )
            )
        elif ears == "pointed":
            tip = [(0.15, -0.5), (0.78, -1.2), (0.82, -0.3)]
            parts.append(polygon(x, y, [(side * a * radius, b * radius) for a, b in tip]))
        elif ears == "long":
            parts.append(
                ellipse(
                    x - side * 0.36 * radius, y + 0.86 * radius, width=0.22 * radius, height=0.42 * radius
                )
            )
        else:
            top = (side * 0.56 * radius, -1.05 * radius)
            stalk = segment(x, y, start=(side * 0.2 * radius, -0.6 * radius), end=top, half=0.12 * radius)
            ball = np.hypot(x - top[0], y - top[1]) - 0.27 * radius
            parts += [stalk, ball.astype(np.float32)]
    return parts


def _feet(x: Field, y: Field, radius: float) -> list[Field]:
    width, height = 0.34 * radius, 0.22 * radius
    return [
        ellipse(x - side * 0.42 * radius, y - 0.72 * radius, width=width, height=height)
        for side in (-1.0, 1.0)
    ]


def _draw_eyes(canvas: Field, x: Field, y: Field, *, radius: float, eyes: str) -> None:
    size, places = {"one": (0.27, (0.0,)), "two": (0.17, (-0.28, 0.28)), "big": (0.29, (-0.3, 0.3))}[eyes]
    for place in places:
        dx, dy = x - np.float32(place * radius), y + np.float32(0.24 * radius)
        paint(canvas, WHITE, ellipse(dx, dy, width=size * radius, height=size * radius))
        paint(canvas, OUTLINE, ellipse(dx, dy, width=0.5 * size * radius, height=0.5 * size * radius))
