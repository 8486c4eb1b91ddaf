"""What a metric lacks is said in a sentence that tells what to give, and never replaced by a number."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import CIRCLE, full_material, full_prompts, full_tools, tools_of_toys

from evaluation.material import BASE, FINAL, REAL, Material
from evaluation.metrics.metric import Metric, Need
from evaluation.metrics.needs import NO_ENCODER, why_skipped
from evaluation.metrics.table import METRICS
from evaluation.records import Scores
from evaluation.score import score_material
from evaluation.tools import Role


def without_prompts(material: Material) -> Material:
    pictures = {
        name: [replace(picture, prompt="") for picture in of_set]
        for name, of_set in material.pictures.items()
    }
    return replace(material, pictures=pictures)


def without_sets(material: Material, *names: str) -> Material:
    kept = {name: of_set for name, of_set in material.pictures.items() if name not in names}
    return replace(material, pictures=kept)


def with_prompts(material: Material, **facts: str | None) -> Material:
    return replace(material, prompts={t: replace(p, **facts) for t, p in material.prompts.items()})  # type: ignore[arg-type]


LACKING: dict[Need, tuple[Callable[[Material], Material], str]] = {
    Need.prompts: (without_prompts, "no prompt of the pictures is known: give prompts"),
    Need.references: (
        lambda material: replace(without_sets(material, REAL), references=()),
        "no true pictures to compare with: give references",
    ),
    Need.base: (
        lambda material: without_sets(material, BASE),
        "no pictures of the base model: give the same prompts and seeds drawn without the adapter",
    ),
    Need.plain: (
        lambda material: with_prompts(material, kind="concept"),
        "no prompt is marked plain (nothing to do with what was taught)",
    ),
    Need.training: (
        lambda material: replace(material, training=()),
        "the pictures that were trained on are not known",
    ),
    Need.tones: (
        lambda material: with_prompts(material, tone="dark"),
        "no prompts that ask for dark and for bright pictures (tone)",
    ),
    Need.losses: (
        lambda material: replace(material, losses=None),
        "a run measures it while it trains, and there is none here",
    ),
    Need.aesthetic: (lambda material: material, "no head is named: set aesthetic to its file"),
}
WITH_IT = {Need.prompts: {Need.plain, Need.tones}}  # what goes when something else is taken away


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Material that lacks nothing but numbers of pictures."""
    return full_material(tmp_path_factory.mktemp("circle"))


def scores_without(need: Need, material: Material) -> Scores:
    texts = {prompt.text: (1.0, 0.0) for prompt in full_prompts(6)}
    tools = tools_of_toys(CIRCLE, texts, has_head=need is not Need.aesthetic)
    return score_material(LACKING[need][0](material), tools).scores


def is_small(metric: Metric) -> bool:
    return metric.min_pictures <= 1


def test_every_need_of_a_metric_is_one_that_can_be_lacking_here() -> None:
    assert set(LACKING) == set(Need)
    assert {need for metric in METRICS.values() for need in metric.needs} == set(Need)


def test_with_all_that_is_needed_every_metric_of_few_pictures_is_measured(material: Material) -> None:
    rows = score_material(material, full_tools()).scores.rows
    assert [row.metric for row in rows] == list(METRICS)
    measured = [row.metric for row in rows if row.final is not None]
    assert measured == [metric.name for metric in METRICS.values() if is_small(metric)]


@pytest.mark.parametrize("need", Need, ids=lambda need: need.value)
def test_what_lacks_a_need_is_skipped_and_has_no_number_and_the_others_are_measured(
    need: Need, material: Material
) -> None:
    scores = scores_without(need, material)
    for row in scores.rows:
        if need in METRICS[row.metric].needs:
            assert row.skipped is not None
            assert (row.final, row.base, row.real, row.difference, row.anchored) == (None,) * 5
            assert (row.encoder, row.noise) == (None, None)
    gone = {need, *WITH_IT.get(need, ())}
    others = [metric for metric in METRICS.values() if is_small(metric) and not gone & set(metric.needs)]
    assert others
    assert [metric.name for metric in others if scores.row(metric.name).final is None] == []


@pytest.mark.parametrize("need", Need, ids=lambda need: need.value)
def test_what_is_lacking_is_told_in_one_sentence_for_all_that_need_it(need: Need, material: Material) -> None:
    texts = {prompt.text: (1.0, 0.0) for prompt in full_prompts(6)}
    tools = tools_of_toys(CIRCLE, texts, has_head=need is not Need.aesthetic)
    lacking, sentence = LACKING[need]
    metrics = [metric for metric in METRICS.values() if need in metric.needs]
    assert {why_skipped(metric, lacking(material), tools) for metric in metrics} == {sentence}


@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
def test_a_metric_without_its_encoder_says_what_to_set(role: Role, material: Material) -> None:
    roles = [other for other in Role if other is not role]
    texts = {prompt.text: (1.0, 0.0) for prompt in full_prompts(6)}
    scores = score_material(material, tools_of_toys(CIRCLE, texts, roles=roles)).scores
    without = {row.metric for row in scores.rows if row.skipped == NO_ENCODER[role]}
    assert without == {metric.name for metric in METRICS.values() if metric.role is role} != set()
    assert set(scores.encoders) == {other.value for other in roles}


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if not is_small(m)], ids=lambda m: m.name)
def test_too_few_pictures_for_a_distribution_are_counted(metric: Metric, material: Material) -> None:
    least = metric.min_pictures
    assert why_skipped(metric, material, full_tools()) == f"needs at least {least} pictures, and there are 8"
    many = {**material.pictures, FINAL: material.pictures[FINAL] * least}
    assert why_skipped(metric, replace(material, pictures=many), full_tools()) == (
        f"needs at least {least} true pictures, and there are 8"
    )
    both = replace(material, pictures={**many, REAL: material.pictures[REAL] * least})
    assert why_skipped(metric, both, full_tools()) is None


def test_plain_prompts_alone_still_tell_whether_the_base_is_preserved(material: Material) -> None:
    plain = {
        name: [picture for picture in of_set if material.is_plain(picture.prompt)]
        for name, of_set in material.pictures.items()
    }
    scores = score_material(replace(material, pictures=plain), full_tools(), objectives=[]).scores
    assert scores.row("preservation").final is not None
    assert scores.row("luminance_drift").final is not None
    assert scores.row("adherence").skipped == "no picture that it could be measured on"


def test_broken_pictures_alone_leave_health_and_what_looks_at_none(
    material: Material, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    pictures = {
        name: [replace(picture, path=tmp_path / "broken.png") for picture in of_set]
        for name, of_set in material.pictures.items()
    }
    scores = score_material(replace(material, pictures=pictures), full_tools()).scores
    measured = [row.metric for row in scores.rows if row.final is not None]
    assert measured == ["health", "val_loss", *(f"val_loss_q{quarter}" for quarter in (1, 2, 3, 4))]
    assert scores.row("likeness").skipped == "no healthy picture is left"
    assert [row.metric for row in scores.failed()] == ["likeness", "adherence"]
