"""How many different pictures a prompt gives: Vendi scores by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import material_of, tools_of_toys, write_manifest

from evaluation.metrics.diversity import DIVERSITY, measure_diversity
from evaluation.reading.run_material import read_manifest
from evaluation.records import Scope

# Three directions at right angles, and one at 60 degrees to the first.
VECTORS = {
    10: (1.0, 0.0, 0.0),
    20: (0.0, 1.0, 0.0),
    30: (0.0, 0.0, 1.0),
    40: (0.5, 0.75**0.5, 0.0),
}
TOOLS = tools_of_toys(VECTORS)


def values(folder: Path, *numbers: int) -> list[float]:
    material = material_of(folder, final={0: numbers})
    return [value.value for value in measure_diversity(material, "final", TOOLS).values]


def test_pictures_all_different_count_each_and_all_alike_count_one(tmp_path: Path) -> None:
    assert values(tmp_path / "all", 10, 20, 30) == [pytest.approx(3)]
    assert values(tmp_path / "one", 10, 10, 10) == [pytest.approx(1)]
    assert values(tmp_path / "two", 10, 20, 10, 20) == [pytest.approx(2)]
    # The eigenvalues of two at 60 degrees are 3/4 and 1/4: exp(-3/4 log 3/4 - 1/4 log 1/4).
    assert values(tmp_path / "sixty", 10, 40) == [pytest.approx(1.75476535, abs=1e-6)]


def test_each_prompt_has_one_value_of_its_own_pictures(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 20], 1: [10, 10], 2: [10]})
    found = measure_diversity(material, "final", TOOLS).values
    assert [(value.prompt_index, value.seed) for value in found] == [(0, None), (1, None)]
    assert [value.value for value in found] == pytest.approx([2, 1])
    assert (DIVERSITY.scope, DIVERSITY.sets) == (Scope.prompt, ("base", "final"))


def test_faulty_pictures_plain_prompts_and_unknown_ones_are_left_out(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 20], 1: [10, 30], 2: [20, 30]})
    pictures = material.pictures["final"]
    told = replace(
        material,
        prompts=read_manifest(write_manifest(tmp_path, {})),  # the third is plain
        faults={pictures[0].path: "black"},
        pictures={
            "final": [*pictures[:2], *(replace(one, prompt="") for one in pictures[2:4]), *pictures[4:]]
        },
    )
    assert measure_diversity(told, "final", TOOLS).values == []
