"""A search space as a file and a command line state it: conditions, starts, grids, differences."""

import json
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from engine.config import ConfigError
from sweeper.config import SweeperConfig
from sweeper.space.facts import cannot_extend, differences, dimensions_of
from sweeper.space.reading import read_space
from sweeper.space.space import Space
from sweeper.space.suggest import distribution_of, parameters_of, suggest, suggest_given
from sweeper.study.records import Dimension

GROUPS = {
    "model": ("demo", "sd15"),
    "optimizer": ("adamw", "prodigy"),
    "network": ("lora",),
    "experiment": ("night",),
    "sampler": ("tpe", "gp"),
}
LR = "tag(log,interval(1e-5,1e-2))"
CONDITIONAL = {
    "optimizer=adamw": {"optimizer.lr": LR},
    "optimizer=prodigy": {"optimizer.args.d_coef": "choice(0.5,1,2)", "optimizer.lr": "choice(0.5,1)"},
}
DEFAULTS = {"model": "demo", "optimizer": "adamw", "optimizer.lr": "0.003", "network.rank": "16", "seed": "0"}


def look(key: str, settings: Mapping[str, object]) -> str:
    """A world in which sd15 predicts v, and the demo the noise."""
    if key == "model.prediction":
        return "v" if settings.get("model") == "sd15" else "epsilon"
    return str(settings[key]) if key in settings else DEFAULTS[key]


def _config(**given_values: Any) -> SweeperConfig:
    return SweeperConfig(**given_values)


def _space(*overrides: str, **given_values: Any) -> Space:
    return read_space(_config(**given_values), overrides, GROUPS).settled(look)[0]


def _problems(*overrides: str, **given_values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _space(*overrides, **given_values)
    return caught.value.problems


def test_a_file_states_dimensions_in_order_and_single_values() -> None:
    space = _space(
        params={"network.rank": "choice(4,8,16)", "optimizer": "glob(*)", "dataset.batch_size": 2},
    )
    assert space.dimensions == (
        Dimension(key="network.rank", choices=(4, 8, 16), ordered=True),
        Dimension(key="optimizer", choices=("adamw", "prodigy")),
    )
    assert space.fixed == {"dataset.batch_size": 2}
    assert space.overrides({"network.rank": 4}) == ["dataset.batch_size=2", "network.rank=4"]


def test_plain_comma_lists_of_a_command_line_are_a_grid() -> None:
    space = _space("optimizer=adamw,prodigy", "network.rank=4,16", "seed=3", "hydra.sweeper.budget.trials=9")
    assert space.size_line() == "2 x 2 settings = 4 combinations"
    assert space.grid(look) == [
        {"optimizer": "adamw", "network.rank": 4},
        {"optimizer": "adamw", "network.rank": 16},
        {"optimizer": "prodigy", "network.rank": 4},
        {"optimizer": "prodigy", "network.rank": 16},
    ]


def test_a_command_line_beats_the_file() -> None:
    config = _config(
        params={"network.rank": "choice(4,8)", "seed": "choice(1,2)"},
        when=CONDITIONAL,
        start=[{}, {"seed": 2}],
    )
    space, lines = read_space(
        config, ["seed=7", "+network.rank=32,64", f"optimizer.lr={LR}", "optimizer=adamw"], GROUPS
    ).settled(look)
    assert [one.key for one in space.dimensions] == ["network.rank", "optimizer.lr"]
    assert space.dimensions[0].choices == (32, 64) and space.dimensions[1].when is None
    assert space.start == ({},), "the seed is fixed now, so the second start is the first"
    assert lines == [
        "seed: 7 as the command line says, not searched",
        f"optimizer.lr: {LR} under every condition, as the command line says",
        "optimizer.args.d_coef: left out, since optimizer=adamw",
    ]


def test_plus_signs_do_not_get_into_the_names_of_parameters() -> None:
    space = _space("++optimizer.args.d_coef=0.5,1", params={"+seed": "choice(1,2)"})
    assert [space.parameter(one) for one in space.dimensions] == ["seed", "optimizer.args.d_coef"]


def test_an_interval_of_a_whole_number_option_holds_whole_numbers() -> None:
    assert _space("network.rank=tag(log,interval(4,64))").dimensions == (
        Dimension(key="network.rank", low=4, high=64, log=True, integer=True),
    )


def test_the_same_key_under_conditions_that_exclude_each_other_has_two_parameters() -> None:
    space = _space(params={"optimizer": "adamw,prodigy"}, when=CONDITIONAL)
    assert [space.parameter(one) for one in space.dimensions] == [
        "optimizer",
        "optimizer.lr",
        "optimizer.args.d_coef",
        "optimizer.lr@optimizer=prodigy",
    ]
    last = space.complete(lambda one: (one.choices or (1e-3,))[-1], look)
    assert last == {"optimizer": "prodigy", "optimizer.args.d_coef": 2, "optimizer.lr": 1}


def test_a_condition_that_nothing_searched_decides_is_settled_with_a_line() -> None:
    when = {"model.prediction=v": {"noise.offset": "interval(0,0.1)"}}
    config = _config(params={"network.rank": "4,8"}, when=when, start=[{"noise.offset": 0.05}])
    space, lines = read_space(config, [], GROUPS).settled(look)
    assert lines == ["noise.offset: left out, since model.prediction=epsilon"]
    assert [one.key for one in space.dimensions] == ["network.rank"] and space.start == ({},)
    when = {"model.prediction=epsilon": {"noise.offset": "interval(0,0.1)"}}
    assert _space(when=when).dimensions == (Dimension(key="noise.offset", low=0.0, high=0.1),)


def test_a_condition_on_a_value_that_a_searched_group_brings_is_looked_up_in_each_trial() -> None:
    when = {"model.prediction=v": {"noise.offset": "choice(0,0.1)"}}
    space = _space(params={"model": "demo,sd15", "seed": "1,2"}, when=when)
    assert space.dimensions[-1].when == "model.prediction=v"
    assert space.grid(look)[:3] == [
        {"model": "demo", "seed": 1},
        {"model": "demo", "seed": 2},
        {"model": "sd15", "seed": 1, "noise.offset": 0},
    ]
    assert len(space.grid(look)) == 6
    assert space.size_line(look) == "2 x 2 settings, 1 more where a condition holds = 6 combinations"


def test_conditions_below_conditions_are_walked_in_the_order_that_they_need() -> None:
    space = _space(
        params={"optimizer": "adamw,prodigy"},
        when={
            "optimizer.args.fast=true": {"seed": "1,2"},
            "optimizer=adamw": {"optimizer.args.fast": "true,false"},
        },
    )
    assert [one.key for one in space.dimensions] == ["optimizer", "optimizer.args.fast", "seed"]
    assert space.grid(look) == [
        {"optimizer": "adamw", "optimizer.args.fast": True, "seed": 1},
        {"optimizer": "adamw", "optimizer.args.fast": True, "seed": 2},
        {"optimizer": "adamw", "optimizer.args.fast": False},
        {"optimizer": "prodigy"},
    ]


def test_one_value_under_a_condition_holds_there_only() -> None:
    space = _space(params={"optimizer": "adamw,prodigy"}, when={"optimizer=prodigy": {"seed": 5}})
    assert space.grid(look) == [{"optimizer": "adamw"}, {"optimizer": "prodigy", "seed": 5}]


@pytest.mark.parametrize(
    ("given_values", "sentence"),
    [
        (
            {"params": {"network.rnk": "4,8"}},
            "network.rnk: unknown option of LoRAConfig (did you mean rank?)",
        ),
        (
            {"params": {"optimizer": "adamw,prodgy"}},
            "optimizer=prodgy: unknown choice (did you mean prodigy?)",
        ),
        ({"params": {"network.rank": "4,x"}}, "network.rank=x: this option takes a whole number."),
        (
            {"params": {"~seed": "1,2"}},
            "~seed: an option can't be removed. Search its values instead.",
        ),
        (
            {"params": {"sampler": "tpe,gp"}},
            "sampler: an option of the sweep, not of a run. Leave it out of the search space.",
        ),
        (
            {"params": {"optimizer.args": "1,2"}},
            "optimizer.args: this is a group of options. Name one of them: optimizer.args.d_coef.",
        ),
        (
            {"params": {"noise": "1,2"}},
            "noise: this is a group of options. Name one of them: noise.option.",
        ),
        ({"params": {"seed": "1,2", "+seed": "3,4"}}, "seed: given twice in params. Give it once."),
        (
            {"params": {"seed": "1,2"}, "when": {"optimizer=adamw": {"seed": "3,4"}}},
            "seed: both in params and under when 'optimizer=adamw'. Keep one of them.",
        ),
        (
            {
                "params": {"optimizer": "adamw,prodigy"},
                "when": {
                    "optimizer=adamw": {"seed": "3,4"},
                    "optimizer=prodigy|adamw": {"seed": "5,6"},
                },
            },
            "seed: under when 'optimizer=adamw' and when 'optimizer=prodigy|adamw', which can hold together. "
            "Give both the same key, with no value in both.",
        ),
        (
            {"when": {"optimizer": {"seed": "3,4"}}},
            "when 'optimizer': not a condition. Write key=value, or key=a|b for either of two.",
        ),
        (
            {"when": {"optimizer=adamw": "seed"}},
            "when 'optimizer=adamw': not a mapping. Write key: choice(a, b) below it.",
        ),
        (
            {"when": {"optimizer=adam": {"seed": "3,4"}}},
            "when 'optimizer=adam': optimizer has no choice adam (did you mean adamw?)",
        ),
        (
            {"when": {"model.prediction=vv": {"seed": "3,4"}}},
            "when 'model.prediction=vv': model.prediction=vv: unknown choice (did you mean v?)",
        ),
        (
            {"when": {"modl=demo": {"seed": "3,4"}}},
            "when 'modl=demo': modl: unknown option (did you mean model?)",
        ),
        (
            {"when": {"optimizer.args.foo=1": {"seed": "3,4"}}},
            "when 'optimizer.args.foo=1': optimizer.args.foo does not exist here. "
            "Correct it, or leave it out.",
        ),
        (
            {"params": {"network.rank": "4,8"}, "when": {"network.rank=5": {"seed": "3,4"}}},
            "when 'network.rank=5': network.rank is never 5, it is searched over choice(4, 8). Correct it.",
        ),
        (
            {"params": {"noise.offset": "interval(0,1)"}, "when": {"noise.offset=0": {"seed": "3,4"}}},
            "when 'noise.offset=0': noise.offset is an interval, without single values. Use choices.",
        ),
        (
            {"when": {"seed=1": {"name": "a,b"}, "name=a": {"seed": "1,2"}}},
            "when: these conditions wait for each other: name when seed=1, seed when name=a. "
            "Take one of them away.",
        ),
        ({"start": [3]}, "start: 3 is not a mapping. Write {key: value}, or {}."),
        (
            {"start": [{"network.rnk": 3}]},
            "start: network.rnk: unknown option of LoRAConfig (did you mean rank?)",
        ),
        (
            {"params": {"network.rank": "4,8"}, "start": [{"network.rank": 16}]},
            "start network.rank=16: outside of choice(4, 8). Give a value inside, or widen the space.",
        ),
        (
            {
                "params": {"optimizer": "adamw,prodigy"},
                "when": CONDITIONAL,
                "start": [{"optimizer.args.d_coef": 1}],
            },
            "start optimizer.args.d_coef=1: searched only where optimizer=prodigy. "
            "Give that too, or leave it out.",
        ),
    ],
)
def test_what_is_wrong_with_a_space_is_a_sentence(given_values: dict[str, Any], sentence: str) -> None:
    assert _problems(**given_values) == [sentence]


def test_all_problems_are_told_at_once() -> None:
    assert len(_problems("network.rnk=1,2", params={"seed": "a,b", "~x": 1}, when={"bad": {}})) == 5


def test_a_start_takes_the_dimensions_own_values_and_keys_that_are_not_searched() -> None:
    space = _space(params={"noise.offset": "0,1"}, start=[{}, {"noise.offset": 1.0, "seed": 3}, {}])
    assert space.start == ({}, {"noise.offset": 1, "seed": 3})
    assert type(space.start[1]["noise.offset"]) is int


def test_candidates_hold_every_choice_and_both_ends_with_what_they_bring_into_being() -> None:
    space = _space(
        params={"optimizer": "adamw,prodigy", "network.rank": "4,8,16"},
        when=CONDITIONAL,
        start=[{}, {"network.rank": 8}],
    )
    found = space.candidates(look)
    assert found[:2] == [{}, {"network.rank": 8}]
    assert {"optimizer": "adamw", "network.rank": 16, "optimizer.lr": 1e-5} in found
    assert {"optimizer": "adamw", "network.rank": 4, "optimizer.lr": 1e-2} in found
    prodigy = {"optimizer": "prodigy", "network.rank": 4}
    assert {**prodigy, "optimizer.args.d_coef": 2, "optimizer.lr": 0.5} in found
    assert {**prodigy, "optimizer.args.d_coef": 0.5, "optimizer.lr": 1} in found
    assert len(found) == 2 + 3 + 1 + 3 + 1


def test_candidates_of_a_small_grid_are_all_its_combinations() -> None:
    space = _space(params={"seed": "range(0,16)", "network.rank": "range(1,17)"})
    assert len(space.candidates(look)) == 1 + 256
    space = _space(params={"seed": "range(0,17)", "network.rank": "range(1,17)"})
    assert len(space.candidates(look)) == 1 + 17 + 16 - 1


def test_a_grid_with_an_interval_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        _space(params={"noise.offset": "interval(0,1)", "seed": "1,2"}).grid(look)
    assert caught.value.problems == [
        "noise.offset: a grid has no intervals. Write choice(a, b), or take another sampler."
    ]


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"network.rank": "1,2,3,4,5", "seed": "1,2"}, "5 x 2 settings = 10 combinations"),
        ({"network.rank": "1,2,3", "noise.offset": "interval(0,1)"}, "3 settings x 1 interval"),
        ({"optimizer.lr": LR, "noise.offset": "interval(0,1)"}, "2 intervals"),
        ({}, "nothing is searched"),
    ],
)
def test_the_size_of_a_space_is_a_line(params: dict[str, str], line: str) -> None:
    assert _space(params=params).size_line(look) == line


def test_examples_are_the_same_for_the_same_seed_and_lie_inside() -> None:
    space = _space(params={"network.rank": "4,8", "noise.offset": "interval(0,0.1)"})
    found = space.examples(5, 1, look)
    assert found == space.examples(5, 1, look) != space.examples(5, 2, look)
    assert len(found) == 5
    assert all(one["network.rank"] in (4, 8) and 0 <= one["noise.offset"] <= 0.1 for one in found)  # type: ignore[operator]
    assert len(_space(params={"network.rank": "4,8"}).examples(5, 0, look)) == 2


def test_a_space_goes_through_json_and_its_differences_are_lines() -> None:
    old = _space(params={"network.rank": "4,8", "optimizer": "adamw,prodigy", "seed": 1}, when=CONDITIONAL)
    kept = json.loads(json.dumps(old.facts()))
    assert dimensions_of(kept) == old.dimensions
    assert differences(kept, json.loads(json.dumps(old.facts()))) == []
    new = _space(
        params={"network.rank": "4,8,16", "noise.offset": "interval(0,0.1)", "seed": 2},
        start=[{}, {"network.rank": 4}],
        when={"optimizer=adamw": {"optimizer.lr": LR}},
    )
    assert differences(kept, json.loads(json.dumps(new.facts()))) == [
        "network.rank: choice(4, 8) -> choice(4, 8, 16)",
        "optimizer: gone",
        "optimizer.lr when optimizer=adamw: gone",
        "optimizer.args.d_coef: gone",
        "optimizer.lr when optimizer=prodigy: gone",
        "noise.offset: new",
        "optimizer.lr: new",
        "seed: 1, not searched -> 2, not searched",
        "start: the defaults -> the defaults; network.rank=4",
    ]


def test_intervals_can_be_extended_in_one_study_and_choices_can_not() -> None:
    old = _space(params={"network.rank": "4,8", "noise.offset": "interval(0,0.1)"}).facts()
    new = _space(params={"network.rank": "4,8", "noise.offset": "interval(0,0.2)", "seed": "1,2"}).facts()
    assert cannot_extend(old, new) == []
    more = _space(params={"network.rank": "4,8,16", "noise.offset": "tag(log,interval(0.1,0.2))"}).facts()
    assert [line.split(": one study")[0] for line in cannot_extend(old, more)] == [
        "network.rank: choice(4, 8) -> choice(4, 8, 16)",
        "noise.offset: interval(0.0, 0.1) -> tag(log, interval(0.1, 0.2))",
    ]


@pytest.mark.parametrize(
    ("dimension", "distribution"),
    [
        (Dimension(key="k", choices=(4, 8), ordered=True), CategoricalDistribution((4, 8))),
        (Dimension(key="k", choices=(None, True, "a")), CategoricalDistribution((None, True, "a"))),
        (Dimension(key="k", choices=(["a", "b"], ["c d"])), CategoricalDistribution(("[a,b]", "['c d']"))),
        (Dimension(key="k", low=0.1, high=1.0, log=True), FloatDistribution(0.1, 1.0, log=True)),
        (Dimension(key="k", low=1, high=64, log=True, integer=True), IntDistribution(1, 64, log=True)),
    ],
)
def test_distributions_hold_true_values(dimension: Dimension, distribution: object) -> None:
    assert distribution_of(dimension) == distribution


def test_a_trial_is_given_settings_with_true_keys_and_values() -> None:
    space = _space(params={"network.layers": "choice([attention],[attention,feed_forward])"})
    space = Space(
        dimensions=(
            *space.dimensions,
            *_space(params={"optimizer": "adamw,prodigy"}, when=CONDITIONAL).dimensions,
        )
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [suggest(study.ask(), space, look) for _ in range(20)]
    for found, frozen in zip(seen, study.trials, strict=True):
        assert found["network.layers"] in (["attention"], ["attention", "feed_forward"])
        adamw = {"network.layers", "optimizer", "optimizer.lr"}
        assert found.keys() == (adamw if found["optimizer"] == "adamw" else adamw | {"optimizer.args.d_coef"})
        assert ("optimizer.lr" in frozen.params) == (found["optimizer"] == "adamw")
    again = optuna.Trial(study, study.trials[0]._trial_id)
    assert suggest(again, space, look) == seen[0], "a trial that is gone on with keeps its settings"


@pytest.mark.filterwarnings("error")
def test_the_defaults_are_enqueued_with_what_lies_inside_of_the_space() -> None:
    space = _space(
        params={"network.rank": "4,8", "optimizer": "adamw,prodigy"},
        when=CONDITIONAL,
        start=[{}, {"network.rank": 8, "optimizer": "prodigy", "seed": 3}],
    )
    study = optuna.create_study()
    for start in space.start:
        study.enqueue_trial(parameters_of(space, start, look), user_attrs={"settings": dict(start)})
    assert parameters_of(space, {}, look) == {
        "optimizer": "adamw",
        "optimizer.lr": 0.003,
    }  # rank 16 is outside
    for start in space.start:
        assert suggest_given(study.ask(), space, start, look) == start
    assert [one.params for one in study.trials] == [
        {"optimizer": "adamw", "optimizer.lr": 0.003},
        {"network.rank": 8, "optimizer": "prodigy"},
    ]


KEYS = ("seed", "network.rank", "training.steps", "dataset.batch_size")


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(1, 50), min_size=2, max_size=4, unique=True), min_size=1, max_size=3))
def test_a_grid_has_every_combination_once(values: list[list[int]]) -> None:
    params = {key: ",".join(map(str, choices)) for key, choices in zip(KEYS, values, strict=False)}
    space = read_space(_config(params=params), [], GROUPS)
    found = space.grid(look)
    size = 1
    for choices in values:
        size *= len(choices)
    assert len(found) == size == len({tuple(one.items()) for one in found})
    assert all(one[key] in choices for one in found for key, choices in zip(KEYS, values, strict=False))
