"""Does the picture look like the thing that was taught: cosine with true pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.material import BASE, FINAL, REAL, Material, ScoredPicture
from evaluation.maths.set_distances import centroid_distance
from evaluation.maths.statistics import Value, pseudo_values
from evaluation.metrics.by_prompt import by_prompt
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.metrics.true_pictures import true_paths
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools

FEW = 20  # references: below it their backgrounds rule the mean


def measure_likeness(material: Material, set_name: str, tools: Tools) -> Measured:
    """The mean cosine of each picture with the true pictures of its prompt, else all references; -1 to 1.

    Prompts without true pictures and plain prompts (which do not ask for what was taught) give no value. A
    true picture is compared with the others: a single one gives no value.
    """
    if material.pictures.get(REAL):
        return Measured(values=_paired(material, set_name, tools))
    references = material.sound(material.references)
    if set_name == REAL:
        return Measured(values=_of_references(material, references, tools))
    pictures = material.taught(set_name)
    if not pictures or not references:
        return Measured()
    means = _mean_cosines([picture.path for picture in pictures], references, tools)
    return Measured(values=_values(pictures, means.tolist()))


def measure_centroid_distance(material: Material, set_name: str, tools: Tools) -> Measured:
    """The squared distance of the mean embedding to that of the references, 0 to 4.

    Source: Yeh et al. 2024, "Navigating Text-To-Image Customization" (LyCORIS).
    """
    pictures = material.taught(set_name)
    references = true_paths(material)
    if not pictures or not references:
        return Measured()
    embedder = tools.embedder(Role.image)
    drawn = embedder.images([picture.path for picture in pictures]).astype(np.float64)
    true = embedder.images(references).astype(np.float64)
    prompts = np.array([picture.prompt_index for picture in pictures])
    whole = centroid_distance(drawn, true)
    without = {
        int(prompt): centroid_distance(drawn[prompts != prompt], true)
        for prompt in np.unique(prompts)
        if (prompts != prompt).any()
    }
    return Measured(values=pseudo_values(whole, without), whole=whole, count=len(pictures))


def _paired(material: Material, set_name: str, tools: Tools) -> list[Value]:
    references = by_prompt(material.healthy(REAL))
    values: list[Value] = []
    for prompt_index, pictures in by_prompt(material.taught(set_name)).items():
        others = [reference.path for reference in references.get(prompt_index, [])]
        if others:
            values += _compare(pictures, others, tools, leave_out_itself=set_name == REAL)
    return values


def _compare(
    pictures: Sequence[ScoredPicture], references: Sequence[Path], tools: Tools, *, leave_out_itself: bool
) -> list[Value]:
    cosines = _cosines([picture.path for picture in pictures], references, tools)
    kept = np.ones_like(cosines, dtype=bool)
    if leave_out_itself:
        kept = np.array([[picture.path != path for path in references] for picture in pictures])
    rows = [(picture, row[keep]) for picture, row, keep in zip(pictures, cosines, kept, strict=True)]
    some = [(picture, row) for picture, row in rows if len(row)]
    return _values([picture for picture, _ in some], [float(row.mean()) for _, row in some])


def _of_references(material: Material, references: Sequence[Path], tools: Tools) -> list[Value]:
    """What true pictures score: held-out ones against the references, or each of those against the others.

    They belong to no prompt of the scored pictures: their indexes are negative.
    """
    held_out = material.sound(material.held_out)
    if not references or (not held_out and len(references) < 2):
        return []
    if held_out:
        means = _mean_cosines(held_out, references, tools)
    else:
        count, itself = len(references), _vectors(references, tools)
        means = (_mean_cosines(references, references, tools) * count - (itself**2).sum(axis=1)) / (count - 1)
    return [Value(prompt_index=-1 - place, seed=None, value=float(mean)) for place, mean in enumerate(means)]


def _cosines(pictures: Sequence[Path], references: Sequence[Path], tools: Tools) -> NDArray[np.float64]:
    return _vectors(pictures, tools) @ _vectors(references, tools).T


def _mean_cosines(pictures: Sequence[Path], references: Sequence[Path], tools: Tools) -> NDArray[np.float64]:
    """By the mean of the references: of 10,000 pictures and as many references no matrix is held."""
    return _vectors(pictures, tools) @ _vectors(references, tools).mean(axis=0)


def _vectors(paths: Sequence[Path], tools: Tools) -> NDArray[np.float64]:
    return tools.embedder(Role.image).images(paths).astype(np.float64)


def _values(pictures: Sequence[ScoredPicture], numbers: Sequence[float]) -> list[Value]:
    return [
        Value(prompt_index=picture.prompt_index, seed=picture.seed, value=number)
        for picture, number in zip(pictures, numbers, strict=True)
    ]


def _say_how(material: Material) -> str | None:
    if material.pictures.get(REAL):
        return None
    count = len(material.references)
    few = f", and with {count} of them backgrounds weigh much" if count < FEW else ""
    return f"compared with {count} true pictures of no particular prompt{few}"


LIKENESS = Metric(
    name="likeness",
    title="Likeness to the concept",
    direction=Direction.higher,
    scope=Scope.image,
    scale="cosine of picture and true pictures, -1 to 1",
    needs=(Need.references,),
    role=Role.image,
    measure=measure_likeness,
    anchored=True,
    note=_say_how,
)
CENTROID_DISTANCE = Metric(
    name="centroid_distance",
    title="Distance of the means",
    direction=Direction.lower,
    scope=Scope.set,
    scale="squared distance of the mean embedding to that of the true pictures, 0 to 4",
    needs=(Need.references,),
    role=Role.image,
    measure=measure_centroid_distance,
    sets=(BASE, FINAL),
)
