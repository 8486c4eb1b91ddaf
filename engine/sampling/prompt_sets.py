"""Prompts of known protocols, made of a concept's words, and which of a list a run draws; no torch."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from engine.config import PromptSet
from engine.sampling.prompt_file import BRIGHT, DARK, PLAIN, Prompt

STYLE = "style"  # the class word of concepts that are no thing: templates of their own
SHARED, OF_OBJECTS, OF_LIVE_SUBJECTS, PROPERTY = "shared", "object", "live_subject", "property"
CAPTION, TRIGGER, ALTERED_CONTENT, ALTERED_STYLE = "caption", "trigger", "altered_content", "altered_style"

# DreamBooth's public evaluation set. Source: github.com/google/dreambooth, dataset/prompts_and_classes.txt
# (Ruiz et al., CVPR 2023); {} is the trigger and the class word.
_SHARED = (
    "a {} in the jungle",
    "a {} in the snow",
    "a {} on the beach",
    "a {} on a cobblestone street",
    "a {} on top of pink fabric",
    "a {} on top of a wooden floor",
    "a {} with a city in the background",
    "a {} with a mountain in the background",
    "a {} with a blue house in the background",
    "a {} on top of a purple rug in a forest",
)
_OF_OBJECTS = (
    "a {} with a wheat field in the background",
    "a {} with a tree and autumn leaves in the background",
    "a {} with the Eiffel Tower in the background",
    "a {} floating on top of water",
    "a {} floating in an ocean of milk",
    "a {} on top of green grass with sunflowers around it",
    "a {} on top of a mirror",
    "a {} on top of the sidewalk in a crowded street",
    "a {} on top of a dirt road",
    "a {} on top of a white rug",
)
_OF_LIVE_SUBJECTS = (
    "a {} wearing a red hat",
    "a {} wearing a santa hat",
    "a {} wearing a rainbow scarf",
    "a {} wearing a black top hat and a monocle",
    "a {} in a chef outfit",
    "a {} in a firefighter outfit",
    "a {} in a police outfit",
    "a {} wearing pink glasses",
    "a {} wearing a yellow shirt",
    "a {} in a purple wizard outfit",
)
_PROPERTY = ("a red {}", "a purple {}", "a shiny {}", "a wet {}", "a cube shaped {}")

# The four types of prompts of Yeh et al., ICLR 2024 ("Navigating Text-to-Image Customization"), in our words.
_CONTENT = (
    "a {} on a park bench",
    "a {} at the bottom of a swimming pool",
    "a {} in a supermarket",
    "a {} on the roof of a skyscraper",
    "a {} in front of a waterfall",
    "a {} on the moon",
    "a {} inside a cardboard box",
    "a {} in a field of lavender",
    "two of a {} side by side",
    "a {} in an empty classroom",
    "a {} on a train at night",
    "a {} beside a campfire",
)
_MANNERS = (
    "a watercolour painting of a {}",
    "a pencil sketch of a {}",
    "pixel art of a {}",
    "a marble statue of a {}",
    "a stained glass window of a {}",
    "a low polygon rendering of a {}",
    "a woodcut print of a {}",
    "an embroidery of a {}",
    "a comic strip of a {}",
    "a paper collage of a {}",
    "a clay figure of a {}",
    "an oil painting of a {}",
)
# For a style {} is its trigger: other things in it, and it beside another manner.
_THINGS = (
    "a lighthouse",
    "a bowl of noodles",
    "an old woman reading",
    "a racing car",
    "a street market",
    "a sleeping fox",
    "a mountain village",
    "a grand piano",
    "a sailing boat",
    "a greenhouse",
    "an astronaut",
    "a rose garden",
)
_OTHER_MANNERS = tuple(manner.replace("a {}", thing) for manner, thing in zip(_MANNERS, _THINGS, strict=True))

# As many dark as bright, in pairs.
_LIGHT = (
    ("at night, dark", "in bright sunlight, white background"),
    ("in an unlit cellar, almost black", "on fresh snow at noon, very bright"),
    ("in front of a black background, dark", "in front of a white background, bright"),
    ("under a starless sky, deep shadow", "under a cloudless sky, glaring light"),
    ("by the light of one candle, dark room", "in a white room full of windows, bright"),
    ("in a cave, hardly any light", "in a white studio, every lamp on"),
    ("in a dark forest at midnight", "on a white beach at midday"),
    ("in a black room, one dim lamp far away", "in white fog, bright light from all sides"),
    ("in the dark of a closed wardrobe", "on a sheet of white paper, bright"),
    ("during a power cut, dark street", "on a salt flat in the sun, bright"),
    ("as a silhouette before a dark sky", "against the sun, overexposed and bright"),
    ("at the bottom of the sea, dark", "above white clouds, bright"),
)

# Nothing to do with any concept; one that names the class of a run is left out of it.
_PLAIN = (
    "a bowl of fruit on a table",
    "a city street in the rain",
    "a bicycle leaning against a brick wall",
    "a mountain lake at sunrise",
    "a portrait of an old man with a beard",
    "a cup of coffee beside an open book",
    "a wooden boat on a river",
    "an empty railway station",
    "a plate of pasta with tomatoes",
    "a flock of birds above a field",
    "a red umbrella on a terrace",
    "a snowy village at dusk",
)


@dataclass(kw_only=True, slots=True, frozen=True)
class Chosen:
    """What of a list of prompts is drawn."""

    listed: tuple[Prompt, ...]  # asked for by num_prompts and first_prompt: the concept's, or a protocol's
    plain: tuple[Prompt, ...]  # beside them
    num_left: int  # how many there were from first_prompt on
    num_plain: int  # how many plain ones there were

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All that is drawn, in its order."""
        return (*self.listed, *self.plain)


def prompts_of(
    prompt_set: PromptSet, *, trigger: str, class_word: str, captions: Iterable[str] = ()
) -> list[Prompt]:
    """The whole list of a set, each prompt once; the plain ones stand at the end.

    trigger   trigger words; of several, separated by commas, the first
    captions  of the training pictures; only lycoris draws them
    """
    phrase, class_word = trigger.split(",")[0].strip(), class_word.strip()
    subject = _subject(phrase, class_word)
    match prompt_set:
        case PromptSet.dreambooth_object:
            found = _dreambooth(subject, OF_OBJECTS, _OF_OBJECTS)
        case PromptSet.dreambooth_live_subject:
            found = _dreambooth(subject, OF_LIVE_SUBJECTS, _OF_LIVE_SUBJECTS)
        case PromptSet.lycoris:
            found = _lycoris(phrase, subject, captions, is_style=class_word == STYLE)
        case PromptSet.luminance:
            found = _luminance(phrase, subject, is_style=class_word == STYLE)
    plain = [Prompt(text=text, kind=PLAIN) for text in _PLAIN if not _has_word(text, class_word)]
    once: dict[str, Prompt] = {}
    for prompt in (*found, *plain):
        once.setdefault(prompt.text, prompt)
    return list(once.values())


def choose_prompts(
    prompts: Sequence[Prompt], *, num_prompts: int, first_prompt: int = 0, num_plain_prompts: int = 0
) -> Chosen:
    """What of a list a run draws; fewer than asked for where the list ends.

    A plain prompt with a type is part of its protocol and counts among num_prompts.
    """
    listed = [prompt for prompt in prompts if prompt.kind != PLAIN or prompt.type is not None]
    plain = [prompt for prompt in prompts if prompt.kind == PLAIN and prompt.type is None]
    left = listed[first_prompt:]
    return Chosen(
        listed=tuple(left[:num_prompts]),
        plain=tuple(plain[: num_plain_prompts if num_prompts else 0]),
        num_left=len(left),
        num_plain=len(plain),
    )


def _dreambooth(subject: str, name: str, own: Sequence[str]) -> list[Prompt]:
    groups = ((SHARED, _SHARED), (name, own), (PROPERTY, _PROPERTY))
    return [Prompt(text=text.format(subject), type=kind) for kind, texts in groups for text in texts]


def _lycoris(phrase: str, subject: str, captions: Iterable[str], *, is_style: bool) -> list[Prompt]:
    """The types by turns, so that the first few prompts hold all four."""
    if is_style:
        content = [f"{thing}, {subject}" for thing in _THINGS]
        manner = [f"{picture}, {subject}" for picture in _OTHER_MANNERS]
    else:
        content = [text.format(subject) for text in _CONTENT]
        manner = [text.format(subject) for text in _MANNERS]
    groups = (
        (CAPTION, list(captions)),
        (TRIGGER, [phrase]),
        (ALTERED_CONTENT, content),
        (ALTERED_STYLE, manner),
    )
    typed = [[Prompt(text=text, type=kind) for text in texts] for kind, texts in groups]
    return [prompt for turn in zip_longest(*typed) for prompt in turn if prompt is not None]


def _luminance(phrase: str, subject: str, *, is_style: bool) -> list[Prompt]:
    """Dark and bright by turns; the type is the tone, so that both weigh the same."""
    found = []
    for pair, thing in zip(_LIGHT, _THINGS, strict=True):
        for tone, light in zip((DARK, BRIGHT), pair, strict=True):
            text = f"{thing} {light}, {subject}" if is_style else f"a {subject} {light}"
            found.append(Prompt(text=text, tone=tone, type=tone))
    return found


def _subject(phrase: str, class_word: str) -> str:
    """The words of the concept, the class word not doubled where the trigger ends with it."""
    return phrase if _has_word(phrase, class_word) else f"{phrase} {class_word}"


def _has_word(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None
