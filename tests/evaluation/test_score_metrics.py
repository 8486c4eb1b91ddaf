"""The metrics on vectors with known cosines, and what every metric of the table keeps to."""

from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import PROMPTS, ToyEncoder, material_of, write_manifest

from evaluation.embedder import Embedder
from evaluation.material import SETS, Material, read_manifest
from evaluation.metrics.adherence import measure_adherence
from evaluation.metrics.health import measure_health
from evaluation.metrics.likeness import measure_likeness
from evaluation.metrics.metric import Metric
from evaluation.metrics.table import METRICS
from evaluation.records import Direction, Scope
from evaluation.statistics import Value, values_by_picture

# Directions of a plane by their cosine with (1, 0): 1, .6, 0, -.6, -1.
VECTORS = {
    10: (1.0, 0.0),
    20: (0.6, 0.8),
    30: (0.0, 1.0),
    40: (-0.6, 0.8),
    50: (-1.0, 0.0),
}
TEXTS = {
    "a dog": (1.0, 0.0),
    "a cat": (0.0, 1.0),
    "a animal dog": (0.0, 1.0),
    "a animal cat": (1.0, 0.0),
    "a red star": (0.6, 0.8),
    "a sks dog": (1.0, 0.0),
    "a sks cat": (0.0, 1.0),
}


def numbers(values: list[Value]) -> dict[tuple[int, int | None], float]:
    """The values by (prompt, seed), rounded to float32."""
    return {key: round(value, 6) for key, value in values_by_picture(values).items()}


def embedder() -> Embedder:
    return Embedder(ToyEncoder(VECTORS, TEXTS))


def with_fault(material: Material, set_name: str, place: int) -> Material:
    """The material with one of its pictures declared faulty."""
    return replace(material, faults={material.pictures[set_name][place].path: "black"})


def test_adherence_is_the_cosine_of_picture_and_prompt(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 20, 50], 1: [10, 20], 2: [20]})
    assert numbers(measure_adherence(material, "final", embedder())) == {
        (0, 0): 1.0,
        (0, 1): 0.6,
        (0, 2): -1.0,
        (1, 0): 0.0,
        (1, 1): 0.8,
        (2, 0): 1.0,
    }


def test_adherence_asks_about_the_class_word_in_place_of_the_trigger(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [20], 1: [20]})
    told = replace(material, trigger="sks", class_word="animal")
    toys = embedder()
    assert numbers(measure_adherence(told, "final", toys)) == {(0, 0): 0.8, (1, 0): 0.6}
    assert isinstance(toys.encoder, ToyEncoder)
    assert toys.encoder.asked == ["a animal dog", "a animal cat"]


def test_adherence_asks_without_the_trigger_where_there_is_no_class_word(tmp_path: Path) -> None:
    material = replace(material_of(tmp_path, final={0: [20], 1: [20]}), trigger="sks")
    toys = embedder()
    assert numbers(measure_adherence(material, "final", toys)) == {(0, 0): 0.6, (1, 0): 0.8}


def test_likeness_is_the_mean_cosine_with_the_true_pictures_of_the_same_prompt(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 30], 1: [50]}, real={0: [10, 20], 1: [30]})
    assert numbers(measure_likeness(material, "final", embedder())) == {
        (0, 0): 0.8,  # of 1 and .6
        (0, 1): 0.4,  # of 0 and .8
        (1, 0): 0.0,
    }


def test_a_picture_is_as_like_as_can_be_to_itself(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [20], 1: [40]}, real={0: [20], 1: [40]})
    assert numbers(measure_likeness(material, "final", embedder())) == {(0, 0): 1.0, (1, 0): 1.0}


def test_a_true_picture_is_compared_with_the_others_of_its_prompt_only(tmp_path: Path) -> None:
    material = material_of(tmp_path, real={0: [10, 20, 30], 1: [40]})
    assert numbers(measure_likeness(material, "real", embedder())) == {
        (0, 0): 0.3,  # of .6 and 0
        (0, 1): 0.7,  # of .6 and .8
        (0, 2): 0.4,  # of 0 and .8
    }  # the only true picture of prompt 1 has none to be compared with


def test_likeness_says_nothing_of_prompts_without_true_pictures(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10], 1: [10]}, real={1: [20]})
    assert numbers(measure_likeness(material, "final", embedder())) == {(1, 0): 0.6}


def test_likeness_says_nothing_of_prompts_that_do_not_ask_for_the_concept(tmp_path: Path) -> None:
    manifest = read_manifest(write_manifest(tmp_path, {0: [10], 2: [10]}))
    material = material_of(tmp_path, final={0: [20], 2: [20]}, real={0: [10], 2: [10]})
    told = replace(material, manifest=manifest)
    assert [told.is_plain(prompt) for prompt in PROMPTS] == [False, False, True]
    assert numbers(measure_likeness(told, "final", embedder())) == {(0, 0): 0.6}


def test_faulty_pictures_are_left_out_of_everything_but_health(tmp_path: Path) -> None:
    material = with_fault(material_of(tmp_path, final={0: [10, 20]}, real={0: [10]}), "final", 0)
    assert list(numbers(measure_adherence(material, "final", embedder()))) == [(0, 1)]
    assert list(numbers(measure_likeness(material, "final", embedder()))) == [(0, 1)]
    assert numbers(measure_health(material, "final", None)) == {(0, 0): 0.0, (0, 1): 1.0}


def test_a_faulty_true_picture_is_compared_with_nothing(tmp_path: Path) -> None:
    material = with_fault(material_of(tmp_path, final={0: [10]}, real={0: [10, 20]}), "real", 0)
    assert numbers(measure_likeness(material, "final", embedder())) == {(0, 0): 0.6}
    assert numbers(measure_likeness(material, "real", embedder())) == {}


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
class TestEveryMetric:
    """What a new metric must keep to, by being in the table."""

    def measured(self, metric: Metric, material: Material, batch_size: int = 32) -> dict[str, list[Value]]:
        toys = Embedder(ToyEncoder(VECTORS, TEXTS), batch_size=batch_size)
        return {name: list(metric.measure(material, name, toys)) for name in metric.sets}

    def toys(self, folder: Path) -> Material:
        return material_of(
            folder,
            base={0: [50, 40], 1: [10, 10]},
            final={0: [10, 20], 1: [30, 40]},
            real={0: [10, 20], 1: [30, 40]},
        )

    def test_it_is_known_by_its_own_name_and_says_what_it_is(self, metric: Metric) -> None:
        assert METRICS[metric.name] is metric
        assert metric.title and metric.scale
        assert isinstance(metric.direction, Direction) and isinstance(metric.scope, Scope)
        assert set(metric.sets) <= set(SETS)

    def test_no_pictures_give_no_values(self, metric: Metric, tmp_path: Path) -> None:
        assert set(map(len, self.measured(metric, Material(pictures={})).values())) == {0}

    def test_only_faulty_pictures_give_no_values_but_health(self, metric: Metric, tmp_path: Path) -> None:
        material = self.toys(tmp_path)
        faults = {picture.path: "black" for pictures in material.pictures.values() for picture in pictures}
        values = self.measured(metric, replace(material, faults=faults))
        found = [value.value for of_set in values.values() for value in of_set]
        assert found == ([0.0] * 12 if metric.encoder is None else [])

    def test_each_value_belongs_to_a_picture_of_its_set(self, metric: Metric, tmp_path: Path) -> None:
        material = self.toys(tmp_path)
        for name, values in self.measured(metric, material).items():
            places = [(picture.prompt_index, picture.seed) for picture in material.pictures[name]]
            assert [(value.prompt_index, value.seed) for value in values] == places

    def test_the_batch_size_changes_nothing(self, metric: Metric, tmp_path: Path) -> None:
        material = self.toys(tmp_path)
        assert self.measured(metric, material, 1) == self.measured(metric, material, 5)

    def test_the_order_of_the_pictures_changes_nothing(self, metric: Metric, tmp_path: Path) -> None:
        material = self.toys(tmp_path)
        turned = replace(
            material, pictures={name: pictures[::-1] for name, pictures in material.pictures.items()}
        )
        there, back = self.measured(metric, material), self.measured(metric, turned)
        assert {name: numbers(values) for name, values in there.items()} == {
            name: numbers(values) for name, values in back.items()
        }

    def test_the_true_pictures_score_better_than_the_bases(self, metric: Metric, tmp_path: Path) -> None:
        material = self.toys(tmp_path)
        values = self.measured(metric, material)
        base, final = (sum(value.value for value in values[name]) for name in ("base", "final"))
        assert final > base if metric.encoder is not None else final == base
