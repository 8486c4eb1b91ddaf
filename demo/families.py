"""Families of scenes that differ in one attribute: the hard negatives that teach the scorer to look."""

from dataclasses import replace

import numpy as np

from demo.creature import ALL_EARS, ALL_EYES, FORMS, Look, sample_any_look
from demo.palette import BACKGROUND_COLOURS, OBJECT_COLOURS, TONES, has_contrast
from demo.shapes import SHAPES
from demo.words import caption
from demo.world import CREATURE, PATTERNS, PLACES, SIZES, Background, Scene, Thing, sample_scene

GROUP = 8  # a scene and seven near copies
LOOK_COPIES = 3  # of a creature's family: same caption, another look
COLOURLESS_SHARE = 0.5  # of the creatures: a taught creature's prompt tells no colour
LOOK_LABELS: tuple[tuple[str, ...], ...] = (OBJECT_COLOURS, FORMS, ALL_EARS, ALL_EYES, ("", "belly"))


def sample_family(rng: np.random.Generator) -> list[tuple[Scene, str]]:
    """A scene and seven near copies with their captions; creatures that differ in look alone share one."""
    scene = sample_scene(rng, creatures=0.4)
    first = scene.things[0]
    if first.look is not None:
        first = replace(first, look=sample_any_look(rng, body=first.colour))
        if rng.random() < COLOURLESS_SHARE:
            first = replace(first, name=CREATURE)
        scene = replace(scene, things=(first,))
    family = {caption(scene): scene}
    num_captions = GROUP if first.look is None else GROUP - LOOK_COPIES
    while len(family) < num_captions:
        other = _change(scene, rng)
        family.setdefault(caption(other), other)
    members = [(member, text) for text, member in family.items()]
    while len(members) < GROUP:
        other = replace(scene, things=(_change_look(first, rng),))
        members.append((other, caption(other)))
    return members


def label_look(look: Look | None) -> list[int]:
    """The labels of a creature's look; -100 for things that are none."""
    if look is None:
        return [-100] * len(LOOK_LABELS)
    told = (look.accent, look.form, look.ears, look.eyes, "belly" if look.belly else "")
    return [labels.index(word) for word, labels in zip(told, LOOK_LABELS, strict=True)]


def _change_look(thing: Thing, rng: np.random.Generator) -> Thing:
    """Another creature of this colour, or of any where the caption tells none."""
    assert thing.look is not None  # creatures only
    body = thing.colour
    if thing.name is not None and rng.random() < 0.3:
        body = str(rng.choice(OBJECT_COLOURS))
    look = sample_any_look(rng, body=body)
    if rng.random() < 0.5:  # one mark alone
        look = _change_one_mark(thing.look, look, rng)
    return replace(thing, colour=body, look=look)


def _change_one_mark(look: Look, other: Look, rng: np.random.Generator) -> Look:
    changed = (
        replace(look, accent=other.accent),
        replace(look, ears=other.ears),
        replace(look, eyes=other.eyes),
        replace(look, belly=not look.belly),
        replace(look, form=other.form),
    )
    return changed[rng.integers(len(changed))]


def _change(scene: Scene, rng: np.random.Generator) -> Scene:
    """A near copy: one attribute, or rarely two, changed."""
    which = int(rng.integers(len(scene.things)))
    thing, background = scene.things[which], scene.background
    kind_or_place = 0.55 if thing.look is None else 0.2
    draw = rng.random()
    if draw < kind_or_place and thing.look is None:
        thing = replace(thing, kind=str(rng.choice(list(SHAPES))))
    elif draw < kind_or_place + 0.15:
        thing = _move(scene, thing, rng)
    elif draw < kind_or_place + 0.3:
        thing = _recolour(scene, thing, rng)
    elif draw < kind_or_place + 0.37 and len(scene.things) == 1:
        thing = replace(thing, size=str(rng.choice(SIZES)))
    else:
        background = _change_background(scene, rng)
    things = tuple(thing if index == which else old for index, old in enumerate(scene.things))
    return Scene(things, background)


def _move(scene: Scene, thing: Thing, rng: np.random.Generator) -> Thing:
    taken = {other.place for other in scene.things}
    free = [place for place in (PLACES if len(scene.things) == 1 else PLACES[:4]) if place not in taken]
    return replace(thing, place=str(rng.choice(free)))


def _recolour(scene: Scene, thing: Thing, rng: np.random.Generator) -> Thing:
    ground = scene.background
    fitting = [c for c in OBJECT_COLOURS if has_contrast(c, background=ground.colour, tone=ground.tone)]
    colour = str(rng.choice(fitting))
    look = None if thing.look is None else sample_any_look(rng, body=colour)
    return replace(thing, colour=colour, look=look)


def _change_background(scene: Scene, rng: np.random.Generator) -> Background:
    for _ in range(50):
        ground = scene.background
        what = rng.integers(3)
        if what == 0:
            ground = replace(ground, colour=str(rng.choice(BACKGROUND_COLOURS)))
        elif what == 1:
            ground = replace(ground, tone=str(rng.choice(TONES)))
        else:
            ground = replace(ground, pattern=str(rng.choice(PATTERNS)))
        if all(
            has_contrast(thing.colour, background=ground.colour, tone=ground.tone) for thing in scene.things
        ):
            return ground
    return scene.background
