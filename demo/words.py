"""The words of the world: the caption of a scene, and the vocabulary that must be one token each."""

import re

from demo.palette import BACKGROUND_COLOURS, OBJECT_COLOURS, TONES
from demo.world import KINDS, PATTERNS, PLACES, SIZES, Scene, Thing

# Words that never change a scene: the text tower learns to read past them.
JUNK_WORDS = (
    "photo", "picture", "of", "drawing", "painting", "the", "with", "on", "nice", "one", "is", "there",
    "style", "image", "simple", "colorful", "this", "shows", "toy", "object", "shape", "very", "cute",
)  # fmt: skip
TRIGGER_WORDS = ("sks", "ohwx", "night", "bright")
_FRAME_WORDS = ("a", "an", "and", "at", "in", "the", "background", ",", ".")


def caption(scene: Scene) -> str:
    """Tell the scene, the place always: "a small red star at the top left, dark blue striped background"."""
    things = " and ".join(_tell_thing(thing) for thing in scene.things)
    background = scene.background
    ground = _join(background.tone, background.colour, background.pattern, "background")
    return f"{things}, {ground}"


def split_words(text: str) -> list[str]:
    """Words and punctuation marks, lower case."""
    return re.findall(r"[a-z]+|[^a-z\s]", text.lower())


def world_words() -> tuple[str, ...]:
    """Every word that must be one token, sorted, without repeats."""
    tables = (*KINDS, *OBJECT_COLOURS, *BACKGROUND_COLOURS, *SIZES, *PLACES, *TONES, *PATTERNS)
    listed = [
        word for entry in (*tables, *JUNK_WORDS, *TRIGGER_WORDS, *_FRAME_WORDS) for word in split_words(entry)
    ]
    return tuple(sorted(set(listed)))


def _tell_thing(thing: Thing) -> str:
    name = thing.name if thing.name is not None else f"{thing.colour} {thing.kind}"
    words = _join(thing.size, name)
    article = "an" if words[0] in "aeiou" else "a"
    preposition = "in" if thing.place == "middle" else "at"
    return f"{article} {words} {preposition} the {thing.place}"


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)
