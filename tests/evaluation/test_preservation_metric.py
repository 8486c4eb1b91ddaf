"""Plain prompts stay what the base draws: cosines of pairs by hand."""

from dataclasses import replace
from pathlib import Path

from score_toys import material_of, tools_of_toys, write_manifest

from evaluation.material import Material
from evaluation.maths.statistics import values_by_picture
from evaluation.metrics.preservation import measure_preservation
from evaluation.reading.run_material import read_manifest

VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0)}


def told_of(folder: Path, **sets: dict[int, list[int]]) -> Material:
    """Material whose third prompt is plain."""
    return replace(material_of(folder, **sets), prompts=read_manifest(write_manifest(folder, {})))


def values(material: Material) -> dict[tuple[int, int | None], float]:
    found = measure_preservation(material, "final", tools_of_toys(VECTORS))
    return {key: round(value, 6) for key, value in values_by_picture(found.values).items()}


def test_preservation_is_the_cosine_with_the_bases_picture_of_the_same_plain_prompt_and_seed(
    tmp_path: Path,
) -> None:
    material = told_of(tmp_path, base={0: [10], 2: [10, 20, 10]}, final={0: [30], 2: [20, 30, 10]})
    assert values(material) == {(2, 0): 0.6, (2, 1): 0.8, (2, 2): 1.0}


def test_pictures_without_their_pair_say_nothing(tmp_path: Path) -> None:
    material = told_of(tmp_path, base={2: [10, 20]}, final={2: [20, 30, 10]})
    assert list(values(material)) == [(2, 0), (2, 1)]
    broken = replace(material, faults={material.pictures["base"][0].path: "black"})
    assert list(values(broken)) == [(2, 1)]
    alone = replace(material, pictures={"final": material.pictures["final"]})
    assert values(alone) == {}


def test_the_order_of_the_bases_pictures_is_no_matter(tmp_path: Path) -> None:
    material = told_of(tmp_path, base={2: [10, 20]}, final={2: [20, 30]})
    turned = {**material.pictures, "base": material.pictures["base"][::-1]}
    assert values(replace(material, pictures=turned)) == values(material)
