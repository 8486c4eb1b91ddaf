"""What a LoRA can learn on the demo: a creature (`sks`) and two styles (`night`, `bright`)."""

from dataclasses import dataclass, replace

import numpy as np

from demo.creature import SKS
from demo.palette import has_contrast
from demo.words import caption
from demo.world import CREATURE, Background, Picture, Scene, Thing, draw_scene

NUM_REFERENCES = 2
_TONES = {"night": "dark", "bright": "bright"}
_BACKGROUND_TONES = (
    ("dark", "dark"),
    ("light", "bright"),
)  # the world's word, and what a prompt's tone is called
# Size, place, then the background's tone, colour and pattern. Green, purple, stripes and dots are held out;
# teal is the creature's own colour and never behind it.
_SKS_TRAINING = (
    ("", "middle", "", "blue", ""),
    ("big", "middle", "light", "gray", ""),
    ("small", "top left", "", "red", ""),
    ("", "top right", "light", "yellow", ""),
    ("big", "bottom left", "dark", "pink", ""),
    ("", "bottom right", "", "gray", ""),
    ("small", "middle", "light", "pink", ""),
    ("big", "top right", "dark", "blue", ""),
    ("", "top left", "light", "blue", ""),
    ("small", "bottom right", "", "yellow", ""),
    ("small", "bottom left", "light", "red", ""),
    ("big", "bottom right", "dark", "red", ""),
)
_SKS_PROMPTS = (
    ("big", "top left", "light", "green", ""),
    ("", "middle", "dark", "purple", ""),
    ("small", "bottom left", "light", "blue", "striped"),
    ("big", "middle", "", "pink", "dotted"),
    ("", "top right", "", "green", ""),
    ("small", "top right", "light", "purple", ""),
    ("", "bottom left", "dark", "gray", "striped"),
    ("big", "bottom right", "light", "yellow", "dotted"),
    ("", "bottom right", "", "purple", ""),
    ("big", "bottom left", "dark", "green", ""),
    ("", "top left", "", "red", "dotted"),
    ("small", "middle", "dark", "blue", "dotted"),
    ("", "middle", "light", "green", "striped"),
    ("big", "top right", "light", "pink", "striped"),
    ("small", "top left", "", "purple", "striped"),
    ("", "bottom right", "dark", "green", "dotted"),
)
# Shape, colour, then as above.
_PLAIN = (
    ("star", "red", "", "top left", "dark", "blue", "striped"),
    ("circle", "yellow", "big", "middle", "", "purple", ""),
    ("heart", "pink", "", "bottom right", "dark", "green", ""),
    ("square", "blue", "small", "top right", "light", "yellow", "dotted"),
    ("triangle", "white", "big", "bottom left", "", "red", ""),
    ("ring", "orange", "", "middle", "dark", "purple", "striped"),
    ("cross", "green", "", "top left", "light", "pink", ""),
    ("diamond", "purple", "big", "top right", "light", "gray", "dotted"),
    ("star", "brown", "big", "bottom right", "light", "blue", ""),
    ("circle", "teal", "small", "bottom left", "dark", "red", ""),
    ("heart", "red", "big", "middle", "light", "teal", "striped"),
    ("square", "orange", "", "top right", "", "green", ""),
    ("triangle", "purple", "small", "middle", "light", "green", ""),
    ("ring", "white", "big", "bottom right", "", "pink", "striped"),
    ("cross", "yellow", "", "bottom left", "dark", "gray", "dotted"),
    ("diamond", "blue", "", "top left", "light", "purple", ""),
)
# Prompts for a second opinion, behind the others: so many that 25 are left after the first ten.
_SKS_MORE = (
    ("big", "bottom left", "light", "gray", "dotted"),
    ("", "bottom right", "dark", "yellow", "striped"),
    ("small", "middle", "", "green", ""),
    ("", "top left", "dark", "pink", "dotted"),
    ("big", "top right", "", "red", "striped"),
    ("small", "top left", "light", "purple", "dotted"),
    ("", "bottom left", "light", "green", ""),
    ("big", "bottom right", "", "blue", "striped"),
    ("small", "middle", "dark", "purple", "striped"),
    ("small", "top right", "", "blue", "dotted"),
    ("big", "middle", "light", "red", "striped"),
    ("", "top right", "", "yellow", "dotted"),
    ("big", "bottom left", "", "purple", ""),
    ("small", "top left", "dark", "gray", "striped"),
    ("", "top right", "light", "pink", "dotted"),
    ("big", "bottom right", "", "green", ""),
    ("", "middle", "dark", "red", "striped"),
    ("small", "bottom right", "dark", "pink", "dotted"),
    ("small", "top left", "light", "yellow", "striped"),
)
_STYLE_MORE = (
    ("circle", "purple", "", "middle", "dark", "yellow", "striped"),
    ("star", "green", "small", "bottom right", "light", "blue", "dotted"),
    ("heart", "red", "big", "top left", "", "teal", ""),
    ("ring", "blue", "small", "top right", "dark", "gray", "striped"),
    ("triangle", "pink", "", "bottom left", "light", "green", "dotted"),
    ("diamond", "yellow", "big", "top left", "light", "pink", ""),
    ("cross", "teal", "small", "bottom right", "", "red", ""),
    ("square", "teal", "big", "middle", "", "purple", "dotted"),
    ("star", "brown", "", "top right", "dark", "purple", "dotted"),
    ("cross", "white", "", "bottom left", "", "teal", "striped"),
    ("square", "orange", "small", "bottom right", "dark", "yellow", ""),
    ("diamond", "yellow", "big", "middle", "light", "red", "striped"),
    ("heart", "brown", "small", "top right", "light", "green", ""),
    ("circle", "pink", "big", "bottom left", "dark", "blue", "dotted"),
    ("triangle", "blue", "", "top left", "dark", "teal", "striped"),
    ("ring", "white", "", "bottom left", "", "pink", ""),
    ("heart", "orange", "small", "top right", "", "gray", "striped"),
    ("cross", "purple", "big", "bottom right", "light", "green", "dotted"),
    ("square", "green", "big", "top left", "light", "yellow", ""),
)
# As above, in pairs: the background's tone is said beside them, dark and then light.
_SKS_LUMINANCE = (
    ("", "middle", "blue", ""),
    ("big", "top left", "green", ""),
    ("small", "bottom right", "purple", ""),
    ("", "bottom left", "gray", "striped"),
    ("big", "top right", "pink", ""),
    ("small", "middle", "red", "dotted"),
    ("", "top left", "purple", "striped"),
    ("big", "bottom right", "blue", "dotted"),
)
_STYLE_LUMINANCE = (
    ("star", "orange", "", "middle", "blue", ""),
    ("circle", "red", "big", "top left", "green", ""),
    ("heart", "orange", "", "bottom left", "purple", "striped"),
    ("square", "red", "small", "middle", "teal", ""),
    ("ring", "orange", "big", "bottom right", "gray", ""),
    ("cross", "red", "", "top right", "blue", "dotted"),
    ("diamond", "orange", "big", "middle", "green", ""),
    ("triangle", "green", "", "top left", "pink", ""),
)
_STYLE_TRAINING = (
    ("circle", "blue", "big", "top left", "", "yellow", ""),
    ("star", "white", "", "middle", "", "red", ""),
    ("square", "yellow", "", "bottom right", "dark", "blue", "striped"),
    ("heart", "purple", "big", "middle", "light", "pink", "dotted"),
    ("triangle", "orange", "", "top right", "", "gray", ""),
    ("ring", "red", "big", "bottom left", "light", "green", ""),
    ("cross", "pink", "small", "middle", "dark", "teal", ""),
    ("diamond", "green", "", "bottom left", "light", "purple", "striped"),
    ("circle", "orange", "small", "bottom right", "light", "blue", ""),
    ("square", "brown", "big", "top right", "light", "teal", ""),
    ("star", "pink", "", "top left", "dark", "green", "dotted"),
    ("heart", "white", "", "bottom right", "", "blue", ""),
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the evaluation and true drawings of the same prompt."""

    text: str
    kind: str  # concept | plain
    tone: str | None  # dark | bright, of a style's prompts
    references: tuple[Picture, ...]
    type: str | None = None  # the tone, where scores are averaged over both


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept drawn: captioned training pictures and the prompts it is judged by."""

    name: str
    trigger: str
    class_word: str
    training: tuple[tuple[str, Picture], ...]
    prompts: tuple[Prompt, ...]
    luminance: tuple[Prompt, ...]  # others: as many dark ones as bright ones, by turns


def draw_concept(name: str) -> Concept:
    """Draw a concept by name: `sks`, `night` or `bright`; the same pixels every time."""
    plain = [_entry(_shape(row), kind="plain") for row in _PLAIN]
    if name == "sks":
        training = [_entry(_sks(row)) for row in _SKS_TRAINING]
        first, more = ([_entry(_sks(row)) for row in rows] for rows in (_SKS_PROMPTS, _SKS_MORE))
        return Concept(
            name,
            trigger=name,
            class_word=CREATURE,
            training=_draw_training(training),
            prompts=_draw_prompts([*first, *plain, *more], stream=62),
            luminance=_draw_prompts(_toned_creatures(), stream=63),
        )
    training = [_entry(_shape(row), style=name) for row in _STYLE_TRAINING]
    first, more = ([_entry(_shape(row), style=name) for row in rows] for rows in (_PLAIN, _STYLE_MORE))
    return Concept(
        name,
        trigger=name,
        class_word="style",
        training=_draw_training(training),
        prompts=_draw_prompts([*first, *plain, *more], stream=62),
        luminance=_draw_prompts(_toned_shapes(name), stream=63),
    )


def apply_style(picture: Picture, style: str) -> Picture:
    """`night` keeps a tenth of the light, `bright` a tenth of the darkness; neither lies in the world."""
    if style == "night":
        return np.round(0.1 * picture).astype(np.uint8)
    return np.round(255 - 0.1 * (255.0 - picture)).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Entry:
    text: str
    kind: str
    scene: Scene
    style: str | None
    tone: str | None
    type: str | None = None

    def draw(self, rng: np.random.Generator) -> Picture:
        picture = draw_scene(self.scene, rng)
        return picture if self.style is None else apply_style(picture, self.style)


def _entry(scene: Scene, *, kind: str = "concept", style: str | None = None) -> _Entry:
    text = caption(scene) if style is None else f"{caption(scene)}, {style} style"
    return _Entry(text, kind, scene, style, tone=None if style is None else _TONES[style])


def _toned_creatures() -> list[_Entry]:
    """The creature before dark and before light backgrounds."""
    found = []
    for size, place, colour, pattern in _SKS_LUMINANCE:
        for word, tone in _BACKGROUND_TONES:
            scene = _sks((size, place, word, colour, pattern))
            found.append(replace(_entry(scene), tone=tone, type=tone))
    return found


def _toned_shapes(style: str) -> list[_Entry]:
    """What the style makes of a background of its own tone, and the world's opposite without it."""
    found = []
    for kind, own, size, place, colour, pattern in _STYLE_LUMINANCE:
        for word, tone in _BACKGROUND_TONES:
            scene = _shape((kind, own, size, place, word, colour, pattern))
            taught = _TONES[style] == tone
            entry = _entry(scene, style=style) if taught else _entry(scene, kind="plain")
            found.append(replace(entry, tone=tone, type=tone))
    return found


def _draw_training(entries: list[_Entry]) -> tuple[tuple[str, Picture], ...]:
    return tuple(
        (entry.text, entry.draw(np.random.default_rng([61, index]))) for index, entry in enumerate(entries)
    )


def _draw_prompts(entries: list[_Entry], *, stream: int) -> tuple[Prompt, ...]:
    return tuple(
        Prompt(
            text=entry.text,
            kind=entry.kind,
            tone=entry.tone,
            references=tuple(
                entry.draw(np.random.default_rng([stream, index, copy])) for copy in range(NUM_REFERENCES)
            ),
            type=entry.type,
        )
        for index, entry in enumerate(entries)
    )


def _sks(row: tuple[str, str, str, str, str]) -> Scene:
    size, place, tone, colour, pattern = row
    assert has_contrast(SKS.body, background=colour, tone=tone), row
    thing = Thing(CREATURE, SKS.body, size, place, look=SKS, name=f"sks {CREATURE}")
    return Scene((thing,), Background(colour, tone, pattern))


def _shape(row: tuple[str, str, str, str, str, str, str]) -> Scene:
    kind, own, size, place, tone, colour, pattern = row
    assert has_contrast(own, background=colour, tone=tone), row
    return Scene((Thing(kind, own, size, place),), Background(colour, tone, pattern))
