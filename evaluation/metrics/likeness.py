"""Does the picture look like the thing that was taught: cosine with true pictures of the same prompt."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from evaluation.embedder import Embedder
from evaluation.encoders import EncoderKind, Vectors
from evaluation.material import REAL, Material, ScoredPicture
from evaluation.metrics.metric import Metric, Need
from evaluation.records import Direction, Scope
from evaluation.statistics import Value


def measure_likeness(material: Material, set_name: str, embedder: Embedder | None) -> list[Value]:
    """The mean cosine of each picture with the true pictures of its prompt, -1 to 1.

    Prompts without true pictures and plain prompts (which do not ask for what was taught) give no value. A
    true picture is compared with the other true pictures of its prompt: a single one gives no value.
    """
    assert embedder is not None
    references = _by_prompt(material.healthy(REAL))
    drawn = _by_prompt(material.healthy(set_name))
    values: list[Value] = []
    for prompt_index, pictures in drawn.items():
        others = references.get(prompt_index, [])
        if others and not material.is_plain(pictures[0].prompt):
            values += _compare(pictures, others, embedder, leave_out_itself=set_name == REAL)
    return values


def _compare(
    pictures: Sequence[ScoredPicture],
    references: Sequence[ScoredPicture],
    embedder: Embedder,
    *,
    leave_out_itself: bool,
) -> list[Value]:
    true: Vectors = embedder.images([reference.path for reference in references])
    cosines = embedder.images([picture.path for picture in pictures]).astype(np.float64) @ true.T
    values = []
    for picture, row in zip(pictures, cosines, strict=True):
        kept = [
            cosine
            for reference, cosine in zip(references, row, strict=True)
            if not (leave_out_itself and reference.path == picture.path)
        ]
        if kept:
            values.append(
                Value(prompt_index=picture.prompt_index, seed=picture.seed, value=float(np.mean(kept)))
            )
    return values


def _by_prompt(pictures: Sequence[ScoredPicture]) -> dict[int, list[ScoredPicture]]:
    groups: defaultdict[int, list[ScoredPicture]] = defaultdict(list)
    for picture in pictures:
        groups[picture.prompt_index].append(picture)
    return dict(sorted(groups.items()))


LIKENESS = Metric(
    name="likeness",
    title="Likeness to the concept",
    direction=Direction.higher,
    scope=Scope.image,
    scale="cosine of picture and true pictures of the same prompt, -1 to 1",
    needs=(Need.references,),
    encoder=EncoderKind.image,
    measure=measure_likeness,
)
