"""Is the base model still there: prompts that have nothing to do with the concept stay what they were."""

import numpy as np

from evaluation.material import BASE, FINAL, Material
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools


def measure_preservation(material: Material, set_name: str, tools: Tools) -> Measured:
    """The cosine of each picture of a plain prompt with the base's of the same prompt and seed, -1 to 1."""
    before = {(picture.prompt_index, picture.seed): picture for picture in material.healthy(BASE)}
    after = [picture for picture in material.healthy(set_name) if material.is_plain(picture.prompt)]
    pairs = [
        (picture, before[key]) for picture in after if (key := (picture.prompt_index, picture.seed)) in before
    ]
    if not pairs:
        return Measured()
    embedder = tools.embedder(Role.image)
    drawn = embedder.images([picture.path for picture, _ in pairs]).astype(np.float64)
    base = embedder.images([picture.path for _, picture in pairs]).astype(np.float64)
    return Measured(
        values=[
            Value(prompt_index=picture.prompt_index, seed=picture.seed, value=float(cosine))
            for (picture, _), cosine in zip(pairs, (drawn * base).sum(axis=1), strict=True)
        ]
    )


PRESERVATION = Metric(
    name="preservation",
    title="Preservation of the base",
    direction=Direction.higher,
    scope=Scope.image,
    scale="cosine with the base's picture of the same plain prompt and seed; 1 = unchanged",
    needs=(Need.base, Need.plain),
    role=Role.image,
    measure=measure_preservation,
    sets=(FINAL,),
)
