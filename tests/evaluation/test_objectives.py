"""What must not be skipped, and the one number that is made of it."""

from dataclasses import replace
from math import hypot
from pathlib import Path

import pytest
from score_toys import CIRCLE, full_material, full_prompts, full_tools, tools_of_toys

from engine.config.errors import ConfigError
from evaluation.material import REAL, Material
from evaluation.records import Scores
from evaluation.score import score_material
from evaluation.tools import Role, Tools


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Material that lacks nothing but numbers of pictures."""
    return full_material(tmp_path_factory.mktemp("circle"))


def tools_with(*roles: Role) -> Tools:
    return tools_of_toys(CIRCLE, {prompt.text: (1.0, 0.0) for prompt in full_prompts(6)}, roles=roles)


def failed(scores: Scores) -> list[str]:
    return [row.metric for row in scores.failed()]


def test_by_default_likeness_and_adherence_are_optimised(material: Material) -> None:
    scores = score_material(material, full_tools()).scores
    assert (scores.objectives, failed(scores)) == (["likeness", "adherence"], [])


def test_what_was_not_given_is_no_objective_unless_it_is_asked_for(material: Material) -> None:
    bare = replace(material, pictures={**material.pictures, REAL: []}, references=())
    scores = score_material(bare, full_tools()).scores
    assert (scores.objectives, failed(scores)) == (["adherence"], [])
    asked = score_material(bare, full_tools(), objectives=["likeness", "adherence"]).scores
    assert (asked.objectives, failed(asked)) == (["likeness", "adherence"], ["likeness"])
    none = score_material(material, Tools({})).scores
    assert (none.objectives, failed(none)) == ([], [])


def test_what_was_given_and_is_broken_is_an_objective_that_failed(material: Material, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    references = {REAL: [replace(picture, path=broken) for picture in material.pictures[REAL]]}
    told = replace(material, pictures={**material.pictures, **references})
    scores = score_material(told, full_tools()).scores
    assert failed(scores) == ["likeness"]
    assert scores.row("likeness").skipped == "no picture that it could be measured on"


@pytest.mark.parametrize("name", ["health", "preservation", "val_loss", "copies", "luminance_range"])
def test_any_metric_can_be_asked_for(material: Material, name: str) -> None:
    scores = score_material(material, full_tools(), objectives=[name]).scores
    assert (scores.objectives, failed(scores)) == ([name], [])
    assert scores.combined.reason == "there are not two objectives to combine"


def test_an_objective_that_is_no_metric_is_refused_before_a_picture_is_looked_at(material: Material) -> None:
    looked: list[int] = []
    with pytest.raises(ConfigError) as refusal:
        score_material(
            material,
            full_tools(),
            objectives=["likness", "beauty"],
            on_progress=lambda done, total: looked.append(done),
        )
    first, second = refusal.value.problems
    assert first == "objectives: likness: unknown metric (did you mean likeness?)"
    assert second.startswith("objectives: beauty: unknown metric (there are likeness, adherence, ")
    assert looked == []


def test_the_objectives_are_combined_by_their_harmonic_mean(material: Material) -> None:
    scores = score_material(material, full_tools()).scores
    rows = [scores.row(name) for name in ("likeness", "adherence")]
    a, b = (row.anchored for row in rows)
    assert a is not None and b is not None and a > 0 and b > 0
    mean = 2 * a * b / (a + b)
    assert scores.combined.value == pytest.approx(mean)
    spreads = [row.anchored_spread for row in rows]
    assert spreads[0] is not None and spreads[1] is not None
    expected = hypot((mean / a) ** 2 / 2 * spreads[0], (mean / b) ** 2 / 2 * spreads[1])
    assert scores.combined.spread == pytest.approx(expected)
    assert scores.combined.reason is None


def test_objectives_that_are_not_anchored_are_not_combined(material: Material) -> None:
    scores = score_material(material, full_tools(), objectives=["likeness", "preservation"]).scores
    assert scores.combined.value is None
    assert scores.combined.reason == "not all objectives are anchored"


def test_an_objective_that_could_not_be_measured_is_not_combined(material: Material) -> None:
    scores = score_material(material, tools_with(Role.image), objectives=["likeness", "adherence"]).scores
    assert failed(scores) == ["adherence"]
    assert scores.combined.value is None and scores.combined.reason == "not all objectives are anchored"


def test_progress_ends_with_every_picture_looked_at(material: Material) -> None:
    seen: list[tuple[int, int]] = []
    score_material(material, full_tools(), on_progress=lambda done, total: seen.append((done, total)))
    count = len(set(material.every_path()))
    assert seen[-1] == (count, count) and len(seen) == count


def test_the_question_has_a_hash_that_pictures_and_objectives_do_not_change(material: Material) -> None:
    asked = score_material(material, full_tools()).scores.config_hash
    assert len(asked) == 16
    final = material.pictures["final"]
    drawn_anew = [
        replace(a, path=b.path, file=b.file) for a, b in zip(final, final[1:] + final[:1], strict=True)
    ]
    other = replace(material, pictures={**material.pictures, "final": drawn_anew})
    assert score_material(other, full_tools(), objectives=["health"]).scores.config_hash == asked
    unpaired = replace(material, pictures={**material.pictures, REAL: []})
    assert unpaired.references, "else the next lines show nothing"
    changed = [
        replace(material, trigger="sks"),
        replace(material, pictures={**material.pictures, "final": final[1:]}),
        replace(material, pictures={**material.pictures, REAL: material.pictures[REAL][1:]}),
        replace(unpaired, references=material.references),
        replace(unpaired, references=material.references[1:]),
        replace(material, prompts={text: replace(p, type="x") for text, p in material.prompts.items()}),
    ]
    hashes = [score_material(one, full_tools()).scores.config_hash for one in changed]
    hashes.append(score_material(material, tools_with(Role.image)).scores.config_hash)
    assert len({asked, *hashes}) == 1 + len(hashes)
