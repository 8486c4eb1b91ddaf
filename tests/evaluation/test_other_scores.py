"""Ratings, preferences and what other programs gave: numbers of toys, by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import material_of, tools_of_toys, write_manifest

from evaluation.material import Material
from evaluation.maths.statistics import values_by_picture
from evaluation.metrics.adherence import measure_preference
from evaluation.metrics.aesthetic import measure_aesthetic
from evaluation.metrics.external import external_metric
from evaluation.metrics.metric import Measured
from evaluation.metrics.table import METRICS, metrics_of
from evaluation.reading.external_scores import ExternalScores
from evaluation.reading.run_material import read_manifest
from evaluation.records import Direction, Scope, Verdict
from evaluation.score import score_material
from evaluation.tools import Role, Tools

VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0)}
TEXTS = {"a sks dog": (1.0, 0.0), "a sks cat": (0.0, 1.0), "a red star": (0.6, 0.8)}


def toys() -> Tools:
    return tools_of_toys(VECTORS, TEXTS)


def numbers(measured: Measured) -> dict[tuple[int, int | None], float]:
    return {key: round(value, 4) for key, value in values_by_picture(measured.values).items()}


def told_of(folder: Path, **sets: dict[int, list[int]]) -> Material:
    """Material whose third prompt is plain."""
    return replace(material_of(folder, **sets), prompts=read_manifest(write_manifest(folder, {})))


def test_an_aesthetic_rating_is_what_the_head_says_of_the_embedding(tmp_path: Path) -> None:
    material = told_of(tmp_path, final={0: [10, 20], 1: [30], 2: [10]})
    assert numbers(measure_aesthetic(material, "final", toys())) == {(0, 0): 10.0, (0, 1): 6.0, (1, 0): 0.0}
    broken = replace(material, faults={material.pictures["final"][0].path: "black"})
    assert numbers(measure_aesthetic(broken, "final", toys())) == {(0, 1): 6.0, (1, 0): 0.0}


def test_a_preference_is_the_cosine_times_the_models_own_scale(tmp_path: Path) -> None:
    material = told_of(tmp_path, final={0: [10, 20], 1: [20], 2: [10]})
    found = numbers(measure_preference(material, "final", toys()))
    assert found == {(0, 0): 100.0, (0, 1): 60.0, (1, 0): 80.0}  # the toy's scale is 100
    assert toys().embedder(Role.preference).logit_scale() == 100


def external(folder: Path, *, direction: Direction = Direction.higher) -> Material:
    """Final and base pictures of two prompts, with scores from elsewhere; one picture has none."""
    material = material_of(folder, final={0: [10, 20], 1: [30]}, base={0: [20, 20], 1: [10]})
    by_path = {
        picture.path: score
        for name, scores in (("final", (5.0, 7.0, 8.0)), ("base", (4.0, 4.0)))
        for picture, score in zip(material.pictures[name], scores, strict=False)
    }
    scores = ExternalScores(name="hps", direction=direction, by_path=by_path)
    return replace(material, external={"hps": scores})


def test_external_scores_are_a_metric_like_our_own(tmp_path: Path) -> None:
    material = external(tmp_path)
    *ours, metric = metrics_of(material)
    assert [one.name for one in ours] == list(METRICS)
    assert (metric.name, metric.scope, metric.role, metric.needs) == ("hps", Scope.image, None, ())
    assert numbers(metric.measure(material, "final", Tools({}))) == {(0, 0): 5.0, (0, 1): 7.0, (1, 0): 8.0}
    assert numbers(metric.measure(material, "base", Tools({}))) == {(0, 0): 4.0, (0, 1): 4.0}
    assert metric.measure(material, "real", Tools({})).values == []
    row = score_material(material, toys()).scores.row("hps")
    assert row.final is not None and row.base is not None and row.difference is not None
    assert (row.final.value, row.final.n, row.final.num_prompts) == (7.0, 3, 2)  # of 6 and 8
    assert (row.base.value, row.difference.value, row.difference.n) == (4.0, 2.0, 2)
    assert row.difference.verdict is Verdict.one_prompt
    assert (row.skipped, row.encoder, row.anchored) == (None, None, None)


def test_external_scores_that_are_better_low_say_so(tmp_path: Path) -> None:
    material = external(tmp_path, direction=Direction.lower)
    assert score_material(material, toys()).scores.row("hps").direction is Direction.lower


def test_an_external_score_of_a_broken_picture_does_not_count(tmp_path: Path) -> None:
    material = external(tmp_path)
    broken = replace(material, faults={material.pictures["final"][2].path: "black"})
    found = external_metric(material.external["hps"]).measure(broken, "final", Tools({}))
    assert numbers(found) == {(0, 0): 5.0, (0, 1): 7.0}


def test_an_external_score_can_be_an_objective(tmp_path: Path) -> None:
    material = external(tmp_path)
    scores = score_material(material, toys(), objectives=["hps"]).scores
    assert (scores.objectives, scores.failed()) == (["hps"], [])
    none = replace(material, external={"hps": replace(material.external["hps"], by_path={})})
    (failed,) = score_material(none, toys(), objectives=["hps"]).scores.failed()
    assert failed.skipped == "no picture that it could be measured on"


def test_ratings_without_a_head_are_an_error_of_the_caller(tmp_path: Path) -> None:
    material = told_of(tmp_path, final={0: [10]})
    with pytest.raises(KeyError, match="aesthetic"):
        measure_aesthetic(material, "final", tools_of_toys(VECTORS, TEXTS, has_head=False))
