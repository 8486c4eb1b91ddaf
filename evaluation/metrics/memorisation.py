"""Are training pictures drawn again: how near the nearest is, and how many pictures are copies of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.material import FINAL, REAL, Material, ScoredPicture
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools

NEAR_BITS = 10  # of 64: pictures whose difference hashes differ in more are not the same picture (Krawetz)
NEAR_COSINE = 0.9  # of embeddings: below it a like layout shows another thing
_BLOCK = 1024  # pictures that are compared at a time


@dataclass(kw_only=True, slots=True, frozen=True)
class Nearest:
    """The training picture that a picture is most like."""

    path: Path
    cosine: float
    is_copy: bool  # some training picture is near by embedding and by hash alike


def find_nearest(pictures: Sequence[Path], training: Sequence[Path], tools: Tools) -> list[Nearest | None]:
    """For each picture the nearest training picture, itself left out; None where there is no other."""
    if not pictures or not training:
        return [None] * len(pictures)
    embedder = tools.embedder(Role.image)
    learnt = embedder.images(training).astype(np.float64)
    hashes = np.array([tools.facts(path).dhash for path in training], dtype=np.uint64)
    place_of = {path: place for place, path in enumerate(training)}
    found: list[Nearest | None] = []
    for start in range(0, len(pictures), _BLOCK):
        part = pictures[start : start + _BLOCK]
        cosines = embedder.images(part).astype(np.float64) @ learnt.T
        for path, row in zip(part, cosines, strict=True):
            own = np.uint64(tools.facts(path).dhash)
            if path in place_of:
                row[place_of[path]] = -np.inf
            copies = (np.bitwise_count(hashes ^ own) <= NEAR_BITS) & (row >= NEAR_COSINE)
            best = int(row.argmax())
            nearest = Nearest(path=training[best], cosine=float(row[best]), is_copy=bool(copies.any()))
            found.append(nearest if np.isfinite(nearest.cosine) else None)
    return found


def measure_memorisation(material: Material, set_name: str, tools: Tools) -> Measured:
    """The cosine of each picture with its nearest training picture, -1 to 1."""
    return Measured(values=[value for value, _ in _look(material, set_name, tools)])


def measure_copies(material: Material, set_name: str, tools: Tools) -> Measured:
    """1 for each picture that is a near-duplicate of a training picture, 0 for each other."""
    return Measured(
        values=[
            Value(prompt_index=value.prompt_index, seed=value.seed, value=float(nearest.is_copy))
            for value, nearest in _look(material, set_name, tools)
        ]
    )


def _look(material: Material, set_name: str, tools: Tools) -> list[tuple[Value, Nearest]]:
    places = _places(material, set_name)
    nearest = find_nearest([path for path, _, _ in places], material.sound(material.training), tools)
    return [
        (Value(prompt_index=prompt, seed=seed, value=one.cosine), one)
        for (_, prompt, seed), one in zip(places, nearest, strict=True)
        if one is not None
    ]


def _places(material: Material, set_name: str) -> list[tuple[Path, int, int | None]]:
    """Path, prompt index and seed; true pictures that were held out belong to no prompt."""
    pictures: list[ScoredPicture] = material.taught(set_name)
    places = [(picture.path, picture.prompt_index, picture.seed) for picture in pictures]
    if set_name != REAL or places:
        return list(places)
    return [(path, -1 - place, None) for place, path in enumerate(material.sound(material.held_out))]


MEMORISATION = Metric(
    name="memorisation",
    title="Nearness to a training picture",
    direction=Direction.lower,
    scope=Scope.image,
    scale="cosine with the nearest training picture, -1 to 1; up to what true pictures score it is likeness",
    needs=(Need.training,),
    role=Role.image,
    measure=measure_memorisation,
    sets=(FINAL, REAL),
)
COPIES = Metric(
    name="copies",
    title="Copies of training pictures",
    direction=Direction.lower,
    scope=Scope.image,
    scale=f"share within {NEAR_BITS} of 64 hash bits and {NEAR_COSINE} cosine of a training picture, 0 to 1",
    needs=(Need.training,),
    role=Role.image,
    measure=measure_copies,
    sets=(FINAL, REAL),
)
