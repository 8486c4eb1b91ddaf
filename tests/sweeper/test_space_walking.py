"""Starts, grids, candidates, examples and differences of a search space."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from space_toys import CONDITIONAL, GROUPS, LR, config_of, look, space_of

from engine.config import ConfigError
from sweeper.space.facts import cannot_extend, differences, dimensions_of
from sweeper.space.grid import grid_of, size_line
from sweeper.space.reading import read_space
from sweeper.space.walking import candidates_of, drawn


def test_a_start_takes_the_dimensions_own_values_and_keys_that_are_not_searched() -> None:
    space = space_of(params={"noise.offset": "0,1"}, start=[{}, {"noise.offset": 1.0, "seed": 3}, {}])
    assert space.start == ({}, {"noise.offset": 1, "seed": 3})
    assert type(space.start[1]["noise.offset"]) is int


def test_candidates_hold_every_choice_and_both_ends_with_what_they_bring_into_being() -> None:
    space = space_of(
        params={"optimizer": "adamw,prodigy", "network.rank": "4,8,16"},
        when=CONDITIONAL,
        start=[{}, {"network.rank": 8}],
    )
    found = candidates_of(space, look)
    assert found[:2] == [{}, {"network.rank": 8}]
    assert {"optimizer": "adamw", "network.rank": 16, "optimizer.lr": 1e-5} in found
    assert {"optimizer": "adamw", "network.rank": 4, "optimizer.lr": 1e-2} in found
    prodigy = {"optimizer": "prodigy", "network.rank": 4}
    assert {**prodigy, "optimizer.args.d_coef": 2, "optimizer.lr": 0.5} in found
    assert {**prodigy, "optimizer.args.d_coef": 0.5, "optimizer.lr": 1} in found
    assert len(found) == 2 + 3 + 1 + 3 + 1


def test_candidates_of_a_small_grid_are_all_its_combinations() -> None:
    space = space_of(params={"seed": "range(0,16)", "network.rank": "range(1,17)"})
    assert len(candidates_of(space, look)) == 1 + 256
    space = space_of(params={"seed": "range(0,17)", "network.rank": "range(1,17)"})
    assert len(candidates_of(space, look)) == 1 + 17 + 16 - 1


def test_a_grid_with_an_interval_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        grid_of(space_of(params={"noise.offset": "interval(0,1)", "seed": "1,2"}), look)
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
    assert size_line(space_of(params=params), look) == line


def test_examples_are_the_same_for_the_same_seed_and_lie_inside() -> None:
    space = space_of(params={"network.rank": "4,8", "noise.offset": "interval(0,0.1)"})
    found = drawn(space, 5, 1, look)
    assert found == drawn(space, 5, 1, look) != drawn(space, 5, 2, look)
    assert len(found) == 5
    assert all(one["network.rank"] in (4, 8) and 0 <= one["noise.offset"] <= 0.1 for one in found)  # type: ignore[operator]
    assert len(drawn(space_of(params={"network.rank": "4,8"}), 5, 0, look)) == 2


def test_a_space_goes_through_json_and_its_differences_are_lines() -> None:
    old = space_of(params={"network.rank": "4,8", "optimizer": "adamw,prodigy", "seed": 1}, when=CONDITIONAL)
    kept = json.loads(json.dumps(old.facts()))
    assert dimensions_of(kept) == old.dimensions
    assert differences(kept, json.loads(json.dumps(old.facts()))) == []
    new = space_of(
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
    old = space_of(params={"network.rank": "4,8", "noise.offset": "interval(0,0.1)"}).facts()
    new = space_of(params={"network.rank": "4,8", "noise.offset": "interval(0,0.2)", "seed": "1,2"}).facts()
    assert cannot_extend(old, new) == []
    more = space_of(params={"network.rank": "4,8,16", "noise.offset": "tag(log,interval(0.1,0.2))"}).facts()
    assert [line.split(": one study")[0] for line in cannot_extend(old, more)] == [
        "network.rank: choice(4, 8) -> choice(4, 8, 16)",
        "noise.offset: interval(0.0, 0.1) -> tag(log, interval(0.1, 0.2))",
    ]


KEYS = ("seed", "network.rank", "training.steps", "dataset.batch_size")


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(1, 50), min_size=2, max_size=4, unique=True), min_size=1, max_size=3))
def test_a_grid_has_every_combination_once(values: list[list[int]]) -> None:
    params = {key: ",".join(map(str, choices)) for key, choices in zip(KEYS, values, strict=False)}
    space = read_space(config_of(params=params), [], GROUPS)
    found = grid_of(space, look)
    size = 1
    for choices in values:
        size *= len(choices)
    assert len(found) == size == len({tuple(one.items()) for one in found})
    assert all(one[key] in choices for one in found for key, choices in zip(KEYS, values, strict=False))


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_settings_name_exactly_the_dimensions_that_exist_under_them(seed: int) -> None:
    space = space_of(
        params={"optimizer": "adamw,prodigy", "model": "demo,sd15"},
        when={
            "optimizer=adamw": {"optimizer.lr": "1e-4,1e-3", "optimizer.args.fast": "true,false"},
            "optimizer=prodigy": {"optimizer.lr": "0.5,1"},
            "optimizer.args.fast=true": {"seed": "1,2,3"},
            "model.prediction=v": {"noise.offset": "0,0.1"},
        },
    )
    grid = grid_of(space, look)
    assert len(grid) == (2 * (3 + 1) + 2) * (1 + 2)
    for found in drawn(space, 3, seed, look):
        assert found in grid
        assert ("seed" in found) == (found.get("optimizer.args.fast") is True)
        assert ("noise.offset" in found) == (found["model"] == "sd15")
        assert (found["optimizer.lr"] in (0.5, 1)) == (found["optimizer"] == "prodigy")
