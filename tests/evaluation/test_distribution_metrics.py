"""Sets of pictures as distributions: the metrics are the distances of their vectors, from 50 pictures on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from score_toys import save_picture, tools_of_toys

from engine.sampling.prompt_file import Prompt
from evaluation.material import Material, ScoredPicture
from evaluation.maths.set_distances import (
    cmmd,
    frechet_distance,
    polynomial_mmd2,
    precision_recall_density_coverage,
)
from evaluation.metrics.distribution import DISTRIBUTIONS, NEIGHBOURS
from evaluation.metrics.metric import Measured, Metric
from evaluation.metrics.table import METRICS
from evaluation.score import score_material
from evaluation.tools import Role

Floats = NDArray[np.float64]
NUM_PROMPTS, WIDTH = 6, 4
ROWS = np.random.default_rng(11).normal(size=(240, WIDTH)) + 1.0
VECTORS = {
    number: tuple(row / np.linalg.norm(row)) for number, row in enumerate(ROWS.astype(np.float32), start=1)
}
TOOLS = tools_of_toys(
    VECTORS, roles=[Role.image], has_head=False
)  # its memory is shared: each picture is decoded once


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture a number."""
    place = tmp_path_factory.mktemp("pictures")
    for number in VECTORS:
        save_picture(place / f"{number}.png", number, size=8)
    return place


def material_of(folder: Path, *, true: Sequence[int], **sets: Sequence[int]) -> Material:
    """Pictures of six prompts in turn; the sixth is plain."""
    prompts = [Prompt(text=f"prompt {index}") for index in range(NUM_PROMPTS - 1)]
    prompts.append(Prompt(text=f"prompt {NUM_PROMPTS - 1}", kind="plain"))
    pictures = {
        name: [
            ScoredPicture(
                set_name=name,
                prompt_index=place % NUM_PROMPTS,
                prompt=prompts[place % NUM_PROMPTS].text,
                seed=place,
                path=folder / f"{number}.png",
                file=f"{number}.png",
            )
            for place, number in enumerate(numbers)
        ]
        for name, numbers in sets.items()
    }
    return Material(
        pictures=pictures,
        prompts={prompt.text: prompt for prompt in prompts},
        references=[folder / f"{number}.png" for number in true],
    )


def vectors(numbers: Sequence[int]) -> Floats:
    return np.array([VECTORS[number] for number in numbers], dtype=np.float32).astype(np.float64)


def taught(numbers: Sequence[int], *, without: int | None = None) -> list[int]:
    """Those whose prompts are not plain, and not the one that is left out."""
    prompts = [place % NUM_PROMPTS for place in range(len(numbers))]
    left = {NUM_PROMPTS - 1, without}
    return [number for number, prompt in zip(numbers, prompts, strict=True) if prompt not in left]


def measure(name: str, material: Material, set_name: str = "final") -> Measured:
    return METRICS[name].measure(material, set_name, TOOLS)


FINAL, TRUE = range(1, 73), range(100, 160)  # 60 of 72 final pictures are taught, 60 are true


def test_kid_and_its_jackknife_are_the_discrepancies_of_the_vectors(folder: Path) -> None:
    found = measure("distribution", material_of(folder, true=TRUE, final=FINAL))
    whole = polynomial_mmd2(vectors(taught(FINAL)), vectors(TRUE))
    assert (found.whole, found.count) == (pytest.approx(whole, rel=1e-12), 60)
    assert [(value.prompt_index, value.seed) for value in found.values] == [(p, None) for p in range(5)]
    for value in found.values:
        without = polynomial_mmd2(vectors(taught(FINAL, without=value.prompt_index)), vectors(TRUE))
        assert value.value == pytest.approx(5 * whole - 4 * without, rel=1e-9)


def density(true: Floats, drawn: Floats) -> float:
    return precision_recall_density_coverage(true, drawn, NEIGHBOURS).density


def coverage(true: Floats, drawn: Floats) -> float:
    return precision_recall_density_coverage(true, drawn, NEIGHBOURS).coverage


@pytest.mark.parametrize(
    ("name", "distance"),
    [
        ("cmmd", lambda true, drawn: cmmd(drawn, true)),
        ("density", density),
        ("coverage", coverage),
    ],
)
def test_the_others_are_the_distances_of_the_vectors_without_an_interval(
    folder: Path, name: str, distance: Callable[[Floats, Floats], float]
) -> None:
    material = material_of(folder, true=TRUE, final=FINAL, base=range(150, 222))
    for set_name, numbers in (("final", FINAL), ("base", range(150, 222))):
        found = measure(name, material, set_name)
        expected = distance(vectors(TRUE), vectors(taught(numbers)))
        assert (found.whole, found.count) == (pytest.approx(expected, rel=1e-12), 60)
        assert list(found.values) == []
    row = score_material(material, TOOLS).scores.row(name)
    assert row.final is not None and row.base is not None
    assert (row.final.n, row.final.num_prompts, row.final.spread, row.difference) == (60, 0, None, None)


def test_frechet_takes_2048_pictures(folder: Path) -> None:
    final = [1 + place % 99 for place in range(2460)]  # of 2050 taught ones
    true = [100 + place % 99 for place in range(2048)]
    found = measure("frechet", material_of(folder, true=true, final=final))
    expected = frechet_distance(vectors(taught(final)), vectors(true))
    assert (found.whole, found.count) == (pytest.approx(expected, rel=1e-9), 2050)
    assert measure("frechet", material_of(folder, true=true[:-1], final=final)) == Measured()
    assert measure("frechet", material_of(folder, true=true, final=final[:-4])) == Measured()


@pytest.mark.parametrize("metric", DISTRIBUTIONS, ids=lambda metric: metric.name)
def test_a_set_that_is_too_small_has_no_value(folder: Path, metric: Metric) -> None:
    assert metric.min_pictures == (2048 if metric.name == "frechet" else 50)
    for final, true in ((range(1, 59), TRUE), (FINAL, range(100, 149)), (FINAL, []), ([], TRUE)):
        material = material_of(folder, true=true, final=final)  # 49 are taught, 49 true, none
        assert measure(metric.name, material) == Measured()


def test_a_base_that_is_too_small_takes_nothing_from_the_final_pictures(folder: Path) -> None:
    """Pictures of the base are often fewer: drawn for a smaller set, or broken."""
    for base in ([], range(150, 160)):
        material = material_of(folder, true=TRUE, final=FINAL, base=base)
        scores = score_material(material, TOOLS).scores
        for name in ("distribution", "cmmd", "density", "coverage"):
            row = scores.row(name)
            assert row.final is not None
            assert (row.base, row.difference) == (None, None)


def test_broken_pictures_do_not_count(folder: Path) -> None:
    material = material_of(folder, true=TRUE, final=FINAL)
    broken = replace(material, faults={folder / f"{number}.png": "black" for number in TRUE[:11]})
    assert measure("distribution", broken) == Measured()


def test_the_change_of_a_set_is_the_difference_of_its_values_with_the_interval_of_its_parts(
    folder: Path,
) -> None:
    base = range(150, 222)
    row = score_material(material_of(folder, true=TRUE, final=FINAL, base=base), TOOLS).scores.row(
        "distribution"
    )
    assert row.final is not None and row.base is not None and row.difference is not None
    assert row.difference.value == pytest.approx(row.final.value - row.base.value, rel=1e-9)
    wholes = [polynomial_mmd2(vectors(taught(numbers)), vectors(TRUE)) for numbers in (FINAL, base)]
    assert row.difference.value == pytest.approx(wholes[0] - wholes[1], rel=1e-9)
    # The jackknife of the difference itself, five prompts: sqrt(4/5 sum (without - mean)^2), t at 4 degrees.
    without = [
        polynomial_mmd2(vectors(taught(FINAL, without=prompt)), vectors(TRUE))
        - polynomial_mmd2(vectors(taught(base, without=prompt)), vectors(TRUE))
        for prompt in range(5)
    ]
    error = (4 / 5 * np.sum((np.array(without) - np.mean(without)) ** 2)) ** 0.5
    assert row.difference.spread == pytest.approx(2.7764451 * error, rel=1e-6)
    assert row.difference.num_prompts == 5
