"""A search space as a file and a command line state it, and all that is refused."""

from typing import Any

import pytest
from space_toys import CONDITIONAL, GROUPS, LR, config_of, look, problems_of, space_of

from sweeper.space.grid import grid_of, size_line
from sweeper.space.reading import read_space
from sweeper.space.settling import settle
from sweeper.study.records import Dimension


def test_a_file_states_dimensions_in_order_and_single_values() -> None:
    space = space_of(
        params={"network.rank": "choice(4,8,16)", "optimizer": "glob(*)", "dataset.batch_size": 2},
    )
    assert space.dimensions == (
        Dimension(key="network.rank", choices=(4, 8, 16), ordered=True),
        Dimension(key="optimizer", choices=("adamw", "prodigy")),
    )
    assert space.fixed == {"dataset.batch_size": 2}
    assert space.overrides({"network.rank": 4}) == ["dataset.batch_size=2", "network.rank=4"]


def test_plain_comma_lists_of_a_command_line_are_a_grid() -> None:
    space = space_of(
        "optimizer=adamw,prodigy", "network.rank=4,16", "seed=3", "hydra.sweeper.budget.trials=9"
    )
    assert size_line(space) == "2 x 2 settings = 4 combinations"
    assert grid_of(space, look) == [
        {"optimizer": "adamw", "network.rank": 4},
        {"optimizer": "adamw", "network.rank": 16},
        {"optimizer": "prodigy", "network.rank": 4},
        {"optimizer": "prodigy", "network.rank": 16},
    ]


def test_a_command_line_beats_the_file() -> None:
    config = config_of(
        params={"network.rank": "choice(4,8)", "seed": "choice(1,2)"},
        when=CONDITIONAL,
        start=[{}, {"seed": 2}],
    )
    space, lines = settle(
        read_space(
            config, ["seed=7", "+network.rank=32,64", f"optimizer.lr={LR}", "optimizer=adamw"], GROUPS
        ),
        look,
    )
    assert [one.key for one in space.dimensions] == ["network.rank", "optimizer.lr"]
    assert space.dimensions[0].choices == (32, 64) and space.dimensions[1].when is None
    assert space.start == ({},), "the seed is fixed now, so the second start is the first"
    assert lines == [
        "seed: 7 as the command line says, not searched",
        f"optimizer.lr: {LR} under every condition, as the command line says",
        "optimizer.args.d_coef: left out, since optimizer=adamw",
    ]


def test_an_experiment_can_be_compared_with_none() -> None:
    assert space_of("experiment=null,night").dimensions[0].choices == (None, "night")
    assert problems_of("optimizer=null,adamw") == ["optimizer=null: unknown choice (one of adamw, prodigy)"]


def test_plus_signs_do_not_get_into_the_names_of_parameters() -> None:
    space = space_of("++optimizer.args.d_coef=0.5,1", params={"+seed": "choice(1,2)"})
    assert [space.parameter(one) for one in space.dimensions] == ["seed", "optimizer.args.d_coef"]


def test_an_interval_of_a_whole_number_option_holds_whole_numbers() -> None:
    assert space_of("network.rank=tag(log,interval(4,64))").dimensions == (
        Dimension(key="network.rank", low=4, high=64, log=True, integer=True),
    )


def test_the_same_key_under_conditions_that_exclude_each_other_has_two_parameters() -> None:
    space = space_of(params={"optimizer": "adamw,prodigy"}, when=CONDITIONAL)
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
    config = config_of(params={"network.rank": "4,8"}, when=when, start=[{"noise.offset": 0.05}])
    space, lines = settle(read_space(config, [], GROUPS), look)
    assert lines == ["noise.offset: left out, since model.prediction=epsilon"]
    assert [one.key for one in space.dimensions] == ["network.rank"] and space.start == ({},)
    when = {"model.prediction=epsilon": {"noise.offset": "interval(0,0.1)"}}
    assert space_of(when=when).dimensions == (Dimension(key="noise.offset", low=0.0, high=0.1),)


def test_a_condition_on_a_value_that_a_searched_group_brings_is_looked_up_in_each_trial() -> None:
    when = {"model.prediction=v": {"noise.offset": "choice(0,0.1)"}}
    space = space_of(params={"model": "demo,sd15", "seed": "1,2"}, when=when)
    assert space.dimensions[-1].when == "model.prediction=v"
    assert grid_of(space, look)[:3] == [
        {"model": "demo", "seed": 1},
        {"model": "demo", "seed": 2},
        {"model": "sd15", "seed": 1, "noise.offset": 0},
    ]
    assert len(grid_of(space, look)) == 6
    assert size_line(space, look) == "2 x 2 settings, 1 more where a condition holds = 6 combinations"


def test_conditions_below_conditions_are_walked_in_the_order_that_they_need() -> None:
    space = space_of(
        params={"optimizer": "adamw,prodigy"},
        when={
            "optimizer.args.fast=true": {"seed": "1,2"},
            "optimizer=adamw": {"optimizer.args.fast": "true,false"},
        },
    )
    assert [one.key for one in space.dimensions] == ["optimizer", "optimizer.args.fast", "seed"]
    assert grid_of(space, look) == [
        {"optimizer": "adamw", "optimizer.args.fast": True, "seed": 1},
        {"optimizer": "adamw", "optimizer.args.fast": True, "seed": 2},
        {"optimizer": "adamw", "optimizer.args.fast": False},
        {"optimizer": "prodigy"},
    ]


def test_one_value_under_a_condition_holds_there_only() -> None:
    space = space_of(params={"optimizer": "adamw,prodigy"}, when={"optimizer=prodigy": {"seed": 5}})
    assert grid_of(space, look) == [{"optimizer": "adamw"}, {"optimizer": "prodigy", "seed": 5}]


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
    assert problems_of(**given_values) == [sentence]


def test_all_problems_are_told_at_once() -> None:
    assert len(problems_of("network.rnk=1,2", params={"seed": "a,b", "~x": 1}, when={"bad": {}})) == 5
