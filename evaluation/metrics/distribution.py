"""How far the pictures as a set are from the references as a set; for sets that are large enough to say."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evaluation.material import BASE, FINAL, Material
from evaluation.maths.set_distances import (
    cmmd,
    frechet_distance,
    mmd2_without_groups,
    precision_recall_density_coverage,
)
from evaluation.maths.statistics import pseudo_values
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.metrics.true_pictures import true_paths
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools

MIN_PICTURES = 50  # of each set; below it a set says nothing of a distribution
MIN_FOR_FRECHET = 2048  # biased by its sample: 1731 for two samples of 5 of one distribution, 1086 for 100
NEIGHBOURS = 5  # of density and coverage, as their paper takes

Features = NDArray[np.float64]


def measure_distribution(material: Material, set_name: str, tools: Tools) -> Measured:
    """KID: the unbiased squared MMD of a cubic kernel; its jackknife leaves out one prompt at a time."""
    features = _features(material, set_name, tools, min_pictures=MIN_PICTURES)
    if features is None:
        return Measured()
    drawn, prompts, true = features
    whole, without = mmd2_without_groups(drawn, prompts, true)
    return Measured(values=pseudo_values(whole, without), whole=whole, count=len(drawn))


def _measure(
    material: Material,
    set_name: str,
    tools: Tools,
    *,
    of_sets: Callable[[Features, Features], float],
    min_pictures: int = MIN_PICTURES,
) -> Measured:
    features = _features(material, set_name, tools, min_pictures=min_pictures)
    if features is None:
        return Measured()
    drawn, _, true = features
    return Measured(whole=of_sets(drawn, true), count=len(drawn))


def _features(
    material: Material, set_name: str, tools: Tools, *, min_pictures: int
) -> tuple[Features, list[int], Features] | None:
    """Those of the pictures with their prompts, and of the true pictures; None where one set is too small."""
    pictures, references = material.taught(set_name), true_paths(material)
    if min(len(pictures), len(references)) < min_pictures:
        return None
    embedder = tools.embedder(Role.image)
    drawn = embedder.images([picture.path for picture in pictures])
    true = embedder.images(references)
    return (
        drawn.astype(np.float64),
        [picture.prompt_index for picture in pictures],
        true.astype(np.float64),
    )


def _density(drawn: Features, true: Features) -> float:
    return precision_recall_density_coverage(true, drawn, k=NEIGHBOURS).density


def _coverage(drawn: Features, true: Features) -> float:
    return precision_recall_density_coverage(true, drawn, k=NEIGHBOURS).coverage


def _row(
    name: str,
    title: str,
    scale: str,
    measure: Callable[[Material, str, Tools], Measured],
    *,
    direction: Direction = Direction.lower,
    min_pictures: int = MIN_PICTURES,
) -> Metric:
    return Metric(
        name=name,
        title=title,
        direction=direction,
        scope=Scope.set,
        scale=scale,
        needs=(Need.references,),
        role=Role.image,
        measure=measure,
        sets=(BASE, FINAL),
        min_pictures=min_pictures,
    )


DISTRIBUTIONS = (
    _row(
        "distribution",
        "Distance of the distributions",
        "KID: unbiased squared MMD of embeddings to the true pictures; 0 = the same, of independent pictures",
        measure_distribution,
    ),
    _row(
        "cmmd",
        "CMMD",
        "Gaussian MMD of embeddings to the true pictures, times 1000; 0 = the same distribution",
        partial(_measure, of_sets=cmmd),
    ),
    _row(
        "frechet",
        "Frechet distance",
        "Frechet distance of embeddings to the true pictures; 0 = the same Gaussian",
        partial(_measure, of_sets=frechet_distance, min_pictures=MIN_FOR_FRECHET),
        min_pictures=MIN_FOR_FRECHET,
    ),
    _row(
        "density",
        "Density",
        f"how deep the pictures lie among the true ones ({NEIGHBOURS} neighbours); 1 = as true ones do",
        partial(_measure, of_sets=_density),
        direction=Direction.higher,
    ),
    _row(
        "coverage",
        "Coverage",
        f"share of true pictures with a picture near them ({NEIGHBOURS} neighbours), 0 to 1",
        partial(_measure, of_sets=_coverage),
        direction=Direction.higher,
    ),
)
