"""Adherence, likeness and health on known vectors, and what every metric of the table keeps to."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from score_toys import (
    PROMPTS,
    ToyEncoder,
    full_material,
    full_tools,
    material_of,
    save_picture,
    tools_of_toys,
    write_manifest,
)

from evaluation.material import BASE, FINAL, REAL, SETS, Material
from evaluation.maths.statistics import values_by_picture
from evaluation.metrics.adherence import measure_adherence
from evaluation.metrics.health import measure_health
from evaluation.metrics.likeness import LIKENESS, measure_centroid_distance, measure_likeness
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.metrics.table import METRICS
from evaluation.reading.run_material import read_manifest
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools

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


def numbers(measured: Measured) -> dict[tuple[int, int | None], float]:
    """The values by (prompt, seed), rounded to float32."""
    return {key: round(value, 6) for key, value in values_by_picture(measured.values).items()}


def toys() -> Tools:
    return tools_of_toys(VECTORS, TEXTS)


def asked(tools: Tools) -> list[str]:
    encoder = tools.embedder(Role.text_image).encoder
    assert isinstance(encoder, ToyEncoder)
    return encoder.asked


def with_fault(material: Material, set_name: str, place: int) -> Material:
    """The material with one of its pictures declared faulty."""
    return replace(material, faults={material.pictures[set_name][place].path: "black"})


def with_references(
    material: Material, folder: Path, *numbers: int, held_out: tuple[int, ...] = ()
) -> Material:
    """The material with true pictures of no particular prompt."""
    paths = [save_picture(folder / f"true_{number}.png", number) for number in numbers]
    kept = [save_picture(folder / f"held_out_{number}.png", number) for number in held_out]
    return replace(material, references=paths, held_out=kept)


def test_adherence_is_the_cosine_of_picture_and_prompt(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 20, 50], 1: [10, 20], 2: [20]})
    assert numbers(measure_adherence(material, "final", toys())) == {
        (0, 0): 1.0,
        (0, 1): 0.6,
        (0, 2): -1.0,
        (1, 0): 0.0,
        (1, 1): 0.8,
        (2, 0): 1.0,
    }


def test_adherence_asks_about_the_class_word_in_place_of_the_trigger(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [20], 1: [20]})
    tools = toys()
    told = replace(material, trigger="sks", class_word="animal")
    assert numbers(measure_adherence(told, "final", tools)) == {(0, 0): 0.8, (1, 0): 0.6}
    assert asked(tools) == ["a animal dog", "a animal cat"]


def test_adherence_asks_without_the_trigger_where_there_is_no_class_word(tmp_path: Path) -> None:
    material = replace(material_of(tmp_path, final={0: [20], 1: [20]}), trigger="sks")
    assert numbers(measure_adherence(material, "final", toys())) == {(0, 0): 0.6, (1, 0): 0.8}


def test_adherence_says_nothing_of_plain_prompts_and_of_pictures_without_one(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10], 1: [10], 2: [10]})
    first, *others = material.pictures["final"]
    manifest = read_manifest(write_manifest(tmp_path, {}))  # the third prompt is plain
    told = replace(material, pictures={"final": [replace(first, prompt=""), *others]}, prompts=manifest)
    tools = toys()
    assert numbers(measure_adherence(told, "final", tools)) == {(1, 0): 0.0}
    assert asked(tools) == ["a sks cat"]


def test_likeness_is_the_mean_cosine_with_the_true_pictures_of_the_same_prompt(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 30], 1: [50]}, real={0: [10, 20], 1: [30]})
    assert numbers(measure_likeness(material, "final", toys())) == {
        (0, 0): 0.8,  # of 1 and .6
        (0, 1): 0.4,  # of 0 and .8
        (1, 0): 0.0,
    }
    assert LIKENESS.note(material) is None


def test_a_picture_is_as_like_as_can_be_to_itself(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [20], 1: [40]}, real={0: [20], 1: [40]})
    assert numbers(measure_likeness(material, "final", toys())) == {(0, 0): 1.0, (1, 0): 1.0}


def test_a_true_picture_is_compared_with_the_others_of_its_prompt_only(tmp_path: Path) -> None:
    material = material_of(tmp_path, real={0: [10, 20, 30], 1: [40]})
    assert numbers(measure_likeness(material, "real", toys())) == {
        (0, 0): 0.3,  # of .6 and 0
        (0, 1): 0.7,  # of .6 and .8
        (0, 2): 0.4,  # of 0 and .8
    }  # the only true picture of prompt 1 has none to be compared with


def test_likeness_says_nothing_of_prompts_without_true_pictures(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10], 1: [10]}, real={1: [20]})
    told = with_references(material, tmp_path, 50)  # not asked, where a manifest names true pictures
    assert numbers(measure_likeness(told, "final", toys())) == {(1, 0): 0.6}


def test_likeness_says_nothing_of_prompts_that_do_not_ask_for_the_concept(tmp_path: Path) -> None:
    manifest = read_manifest(write_manifest(tmp_path, {0: [10], 2: [10]}))
    material = material_of(tmp_path, final={0: [20], 2: [20]}, real={0: [10], 2: [10]})
    told = replace(material, prompts=manifest)
    assert [told.is_plain(prompt) for prompt in PROMPTS] == [False, False, True]
    assert numbers(measure_likeness(told, "final", toys())) == {(0, 0): 0.6}
    unpaired = with_references(replace(told, pictures={"final": told.pictures["final"]}), tmp_path, 30)
    assert numbers(measure_likeness(unpaired, "final", toys())) == {(0, 0): 0.8}


def test_without_a_manifest_likeness_is_the_mean_cosine_with_all_references(tmp_path: Path) -> None:
    material = with_references(material_of(tmp_path, final={0: [10, 20], 1: [30]}), tmp_path, 10, 20, 30)
    assert numbers(measure_likeness(material, "final", toys())) == {
        (0, 0): pytest.approx(1.6 / 3, abs=1e-6),  # of 1, .6 and 0
        (0, 1): 0.8,  # of .6, 1 and .8
        (1, 0): 0.6,  # of 0, .8 and 1
    }
    note = LIKENESS.note(material)
    assert note == (
        "compared with 3 true pictures of no particular prompt, and with 3 of them backgrounds weigh much"
    )


def test_references_among_each_other_belong_to_no_prompt(tmp_path: Path) -> None:
    material = with_references(material_of(tmp_path, final={0: [10]}), tmp_path, 10, 20, 30)
    assert numbers(measure_likeness(material, "real", toys())) == {
        (-1, None): 0.3,  # of .6 and 0
        (-2, None): 0.7,  # of .6 and .8
        (-3, None): 0.4,  # of 0 and .8
    }
    alone = with_references(material, tmp_path, 10)
    assert numbers(measure_likeness(alone, "real", toys())) == {}


def test_what_was_held_out_is_compared_with_the_references(tmp_path: Path) -> None:
    material = with_references(material_of(tmp_path, final={0: [10]}), tmp_path, 10, 30, held_out=(20, 50))
    assert numbers(measure_likeness(material, "real", toys())) == {(-1, None): 0.7, (-2, None): -0.5}


def test_the_distance_of_the_means_and_its_jackknife_by_hand(tmp_path: Path) -> None:
    """Prompts 0, 1, 2 lie at (1, 0), (0, 1) and (-1, 0) against a true picture at (1, 0)."""
    material = with_references(material_of(tmp_path, final={0: [10], 1: [30], 2: [50]}), tmp_path, 10)
    found = measure_centroid_distance(material, "final", toys())
    assert found.whole == pytest.approx(1 + 1 / 9)  # of (0, 1/3) from (1, 0)
    assert found.count == 3
    # Without a prompt the mean is (-.5, .5), (0, 0), (.5, .5): distances of 2.5, 1, .5.
    # 3 x whole - 2 x distance:
    whole = 3 + 1 / 3
    assert numbers(found) == {
        (0, None): round(whole - 5, 6),
        (1, None): round(whole - 2, 6),
        (2, None): round(whole - 1, 6),
    }


def test_the_distance_of_the_means_of_one_prompt_has_no_interval(tmp_path: Path) -> None:
    material = with_references(material_of(tmp_path, final={0: [10, 50]}), tmp_path, 10)
    found = measure_centroid_distance(material, "final", toys())
    assert (found.whole, found.count, list(found.values)) == (1.0, 2, [])


def test_faulty_pictures_are_left_out_of_everything_but_health(tmp_path: Path) -> None:
    material = with_fault(material_of(tmp_path, final={0: [10, 20]}, real={0: [10]}), "final", 0)
    assert list(numbers(measure_adherence(material, "final", toys()))) == [(0, 1)]
    assert list(numbers(measure_likeness(material, "final", toys()))) == [(0, 1)]
    assert numbers(measure_health(material, "final", Tools({}))) == {(0, 0): 0.0, (0, 1): 1.0}


def test_a_faulty_true_picture_is_compared_with_nothing(tmp_path: Path) -> None:
    material = with_fault(material_of(tmp_path, final={0: [10]}, real={0: [10, 20]}), "real", 0)
    assert numbers(measure_likeness(material, "final", toys())) == {(0, 0): 0.6}
    assert numbers(measure_likeness(material, "real", toys())) == {}
    unpaired = with_references(material_of(tmp_path, final={0: [10]}), tmp_path, 10, 20)
    broken = replace(unpaired, faults={unpaired.references[0]: "black"})
    assert numbers(measure_likeness(broken, "final", toys())) == {(0, 0): 0.6}
    assert numbers(measure_likeness(broken, "real", toys())) == {}


@cache
def shared_tools(num_prompts: int, batch_size: int) -> Tools:
    """Which have seen the circle once for all tests of a batch size."""
    return full_tools(num_prompts, batch_size=batch_size)


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of full_material."""
    return tmp_path_factory.mktemp("circle")


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
class TestEveryMetric:
    """What a new metric must keep to, by being in the table."""

    def measured(
        self, metric: Metric, material: Material, batch_size: int = 32
    ) -> dict[str, tuple[dict[tuple[int, int | None], float], float | None]]:
        tools = shared_tools(len(material.prompts), batch_size)
        found = {name: metric.measure(material, name, tools) for name in metric.sets}
        for measured in found.values():
            assert len(values_by_picture(measured.values)) == len(measured.values), "a place has two values"
        return {name: (dict(values_by_picture(one.values)), one.whole) for name, one in found.items()}

    def material(self, metric: Metric, folder: Path) -> Material:
        """As many pictures as the metric needs."""
        if metric.min_pictures <= 1:
            return full_material(folder)
        material = full_material(folder, num_prompts=12, num_seeds=-(-metric.min_pictures // 8))
        return replace(material, references=list(material.references) * metric.min_pictures)

    def test_it_is_known_by_its_own_name_and_says_what_it_is(self, metric: Metric) -> None:
        assert METRICS[metric.name] is metric
        assert metric.title and metric.scale
        assert isinstance(metric.direction, Direction) and isinstance(metric.scope, Scope)
        assert FINAL in metric.sets and set(metric.sets) <= set(SETS)
        assert not metric.anchored or set(metric.sets) == set(SETS)

    def test_it_says_something_of_the_scored_pictures(self, metric: Metric, circle: Path) -> None:
        values, whole = self.measured(metric, self.material(metric, circle))[FINAL]
        assert values or whole is not None

    def test_no_pictures_give_no_values(self, metric: Metric) -> None:
        assert set(map(repr, self.measured(metric, Material(pictures={})).values())) == {"({}, None)"}

    def test_only_faulty_pictures_give_no_values_but_health(self, metric: Metric, circle: Path) -> None:
        material = self.material(metric, circle)
        broken = replace(material, faults=dict.fromkeys(material.every_path(), "black"))
        found = self.measured(metric, broken)
        if metric.name == "health":
            assert all(set(values.values()) == {0.0} for values, _ in found.values())
        elif Need.losses in metric.needs:  # which looks at no picture
            assert found == self.measured(metric, material)
        else:
            assert set(map(repr, found.values())) == {"({}, None)"}

    def test_each_value_belongs_to_a_picture_of_its_set(self, metric: Metric, circle: Path) -> None:
        """To a prompt of its set, where it is a prompt's; what belongs to no prompt has a negative index."""
        material = self.material(metric, circle)
        for name, (values, _) in self.measured(metric, material).items():
            places = [(picture.prompt_index, picture.seed) for picture in material.pictures[name]]
            prompts = {prompt for prompt, _ in places}
            for prompt, seed in values:
                if metric.scope is Scope.image:
                    assert (prompt, seed) in places
                else:
                    assert seed is None and (prompt in prompts or prompt < 0)
            assert [key for key in places if key in values] == list(values) or metric.scope is not Scope.image

    def test_the_batch_size_changes_nothing(self, metric: Metric, circle: Path) -> None:
        material = self.material(metric, circle)
        assert self.measured(metric, material, 1) == self.measured(metric, material, 5)

    def test_the_order_of_the_pictures_changes_nothing(self, metric: Metric, circle: Path) -> None:
        material = self.material(metric, circle)
        turned = replace(
            material, pictures={name: pictures[::-1] for name, pictures in material.pictures.items()}
        )
        there, back = self.measured(metric, material), self.measured(metric, turned)
        for name, (values, whole) in there.items():
            assert back[name][0] == pytest.approx(values, abs=1e-12)
            assert back[name][1] == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.anchored])
def test_true_pictures_score_better_than_the_bases_where_a_score_is_anchored(name: str, circle: Path) -> None:
    metric, material = METRICS[name], full_material(circle)
    base, real = (
        [value.value for value in metric.measure(material, of_set, full_tools()).values]
        for of_set in (BASE, REAL)
    )
    sign = 1 if metric.direction is Direction.higher else -1
    assert sign * sum(real) / len(real) > sign * sum(base) / len(base)
