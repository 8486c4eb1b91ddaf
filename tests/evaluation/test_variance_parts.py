"""The variance of prompts and of seeds, and the pictures that a difference needs: by hand, then simulated."""

import json
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.maths.statistics import Value
from evaluation.maths.student import t_quantile
from evaluation.maths.variance_parts import (
    PicturesNeeded,
    VarianceParts,
    pictures_needed,
    smallest_difference,
    variance_of_prompt_mean,
    variance_parts,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evaluation_distances.json").read_text())[
    "student"
]


def values_of(*prompts: Sequence[float]) -> list[Value]:
    """A list of a prompt's values, one a seed, for each prompt."""
    return [
        Value(prompt_index=prompt, seed=seed, value=value)
        for prompt, of_prompt in enumerate(prompts)
        for seed, value in enumerate(of_prompt)
    ]


def parts_of(*prompts: Sequence[float]) -> VarianceParts:
    parts = variance_parts(values_of(*prompts))
    assert parts is not None
    return parts


def known(between: float, within: float) -> VarianceParts:
    return VarianceParts(
        between=between, within=within, total=between + within, num_prompts=10, num_values=40
    )


# The parts


def test_a_balanced_table_by_hand() -> None:
    # Means 2, 5, 8 of two seeds: MSA = 2 x (9 + 0 + 9) / 2 = 18; MSE = 3 x 2 / 3 = 2; between (18 - 2) / 2.
    parts = parts_of([1.0, 3.0], [4.0, 6.0], [7.0, 9.0])
    assert (parts.within, parts.between, parts.total) == (2.0, 8.0, 10.0)
    assert (parts.num_prompts, parts.num_values) == (3, 6)


def test_an_unbalanced_table_by_hand() -> None:
    # Sizes 1, 3; means 0, 4, grand mean 3. MSA = 1 x 9 + 3 x 1 = 12; MSE = (1 + 0 + 1) / 2 = 1;
    # n0 = (4 - 10 / 4) / 1 = 1.5; between (12 - 1) / 1.5.
    parts = parts_of([0.0], [3.0, 4.0, 5.0])
    assert parts.within == pytest.approx(1.0)
    assert parts.between == pytest.approx(22 / 3)
    assert parts.total == pytest.approx(25 / 3)


def test_an_unbalanced_table_has_scipys_ratio_of_mean_squares() -> None:
    table = GOLDEN["one_way"]["table"]
    parts = parts_of(*table)
    sizes = [len(group) for group in table]
    seeds = (sum(sizes) - sum(size**2 for size in sizes) / sum(sizes)) / (len(sizes) - 1)
    assert parts.between is not None and parts.within is not None
    ratio = (parts.between * seeds + parts.within) / parts.within
    assert ratio == pytest.approx(GOLDEN["one_way"]["f"], rel=1e-9)


def test_prompts_more_alike_than_their_seeds_have_a_variance_of_0_not_less() -> None:
    parts = parts_of([0.0, 4.0], [4.0, 0.0])
    assert (parts.between, parts.within, parts.total) == (0.0, 8.0, 8.0)


def test_one_seed_everywhere_leaves_only_the_sum_known() -> None:
    parts = parts_of([1.0], [2.0], [6.0])
    assert (parts.between, parts.within, parts.total) == (None, None, 7.0)


def test_values_of_whole_prompts_are_like_one_seed() -> None:
    parts = variance_parts([Value(prompt_index=i, seed=None, value=v) for i, v in enumerate([1.0, 2.0, 6.0])])
    assert parts is not None and (parts.within, parts.total) == (None, 7.0)


def test_one_prompt_leaves_only_the_seeds_known() -> None:
    parts = parts_of([1.0, 3.0])
    assert (parts.between, parts.within, parts.total) == (None, 2.0, None)
    assert smallest_difference(parts, 10, seeds_per_prompt=1) is None
    assert pictures_needed(parts, 0.1, seeds_per_prompt=2) is None


def test_fewer_than_two_values_have_no_parts() -> None:
    assert variance_parts([]) is None
    assert variance_parts(values_of([1.0])) is None


@pytest.mark.parametrize("sizes", [[4] * 12, [1, 2, 3, 4, 5, 6] * 2])
def test_known_variances_come_back_from_simulated_tables(sizes: list[int]) -> None:
    """Unbiased: means of 1,500 estimates, within three of their standard errors."""
    generator = np.random.default_rng(11)
    found = []
    for _ in range(1500):
        tables = [generator.normal(2.0 * generator.standard_normal(), 1.5, size=size) for size in sizes]
        parts = parts_of(*[table.tolist() for table in tables])
        assert parts.between is not None and parts.within is not None
        found.append((parts.between, parts.within))
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / sqrt(len(found))
    assert np.all(np.abs(means - [4.0, 2.25]) < 3 * errors)
    assert np.all(errors < 0.08)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=4), min_size=2, max_size=6))
def test_parts_are_never_negative_and_do_not_see_a_shift_or_the_order(tables: list[list[float]]) -> None:
    parts = parts_of(*tables)
    assert parts.total is not None and parts.total >= 0
    assert parts.between is None or parts.between >= 0
    assert parts.within is None or parts.within >= 0
    moved = parts_of(*[[value + 3 for value in reversed(table)] for table in reversed(tables)])
    assert moved.total == pytest.approx(parts.total, rel=1e-6, abs=1e-9)


# Student's t


@pytest.mark.parametrize(("probability", "degrees", "value"), GOLDEN["t_quantiles"])
def test_quantiles_of_t_equal_scipys(probability: float, degrees: int, value: float) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(value, rel=1e-9)
    assert t_quantile(1 - probability, degrees) == pytest.approx(-value, rel=1e-9)


def test_the_series_of_t_takes_over_without_a_step() -> None:
    steps = np.diff([t_quantile(0.975, degrees) for degrees in range(190, 211)])
    assert np.all(steps < 0) and np.all(np.diff(steps) > 0)
    assert t_quantile(0.975, 10**9) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-8)


@pytest.mark.parametrize(("probability", "degrees"), [(0.0, 3), (1.0, 3), (0.9, 0)])
def test_no_quantile_where_there_is_none(probability: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(probability, degrees)


# How many pictures


def test_seeds_share_the_noise_within_prompts_only() -> None:
    parts = known(0.04, 0.12)
    assert variance_of_prompt_mean(parts, 1) == 0.16
    assert variance_of_prompt_mean(parts, 4) == pytest.approx(0.07)


@pytest.mark.parametrize(("effect", "prompts"), GOLDEN["prompts_needed"])
def test_the_prompts_needed_are_those_of_the_exact_power_of_the_t_test(effect: float, prompts: int) -> None:
    """The fewest with 80 % by scipy's noncentral t; two quantiles of the central t find them too."""
    needed = pictures_needed(known(0.75, 0.25), effect, seeds_per_prompt=1)
    assert needed == PicturesNeeded(num_prompts=prompts, num_pictures=prompts)


def test_more_prompts_beat_more_seeds() -> None:
    parts = known(0.5, 0.5)
    one, four = (pictures_needed(parts, 0.3, seeds_per_prompt=seeds) for seeds in (1, 4))
    assert one is not None and four is not None
    assert four.num_prompts < one.num_prompts
    assert four.num_pictures > 2 * one.num_pictures
    assert four.num_pictures == 4 * four.num_prompts


def test_half_the_difference_needs_four_times_the_pictures() -> None:
    once, half = (pictures_needed(known(1.0, 1.0), d, seeds_per_prompt=1) for d in (0.04, -0.02))
    assert once is not None and half is not None
    assert half.num_prompts / once.num_prompts == pytest.approx(4, rel=1e-3)


def test_without_noise_two_prompts_do() -> None:
    assert pictures_needed(known(0.0, 0.0), 1e-9, seeds_per_prompt=3) == PicturesNeeded(
        num_prompts=2, num_pictures=6
    )


def test_one_seed_everywhere_answers_for_one_seed_only() -> None:
    parts = parts_of([1.0], [2.0], [6.0])
    assert pictures_needed(parts, 1.0, seeds_per_prompt=1) is not None
    assert pictures_needed(parts, 1.0, seeds_per_prompt=2) is None
    assert smallest_difference(parts, 3, seeds_per_prompt=2) is None


def test_the_smallest_difference_by_hand() -> None:
    # At 1 degree of freedom t is tan: of 81 degrees at 97.5 % = 12.7062, and of 54 at 80 % = 1.37638.
    expected = (12.7062047 + 1.3763819) * sqrt((0.04 + 0.12 / 4) / 2)
    assert smallest_difference(known(0.04, 0.12), 2, seeds_per_prompt=4) == pytest.approx(expected, rel=1e-7)
    assert smallest_difference(known(0.04, 0.12), 1, seeds_per_prompt=4) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 500), st.integers(1, 8), st.floats(1e-6, 10), st.floats(0, 10))
def test_the_smallest_difference_of_so_many_prompts_needs_so_many_prompts(
    prompts: int, seeds: int, between: float, within: float
) -> None:
    smallest = smallest_difference(known(between, within), prompts, seeds_per_prompt=seeds)
    assert smallest is not None
    needed = pictures_needed(known(between, within), smallest * (1 + 1e-9), seeds_per_prompt=seeds)
    assert needed == PicturesNeeded(num_prompts=prompts, num_pictures=prompts * seeds)


def test_four_of_five_runs_with_the_prompts_needed_tell_the_difference() -> None:
    """The whole chain simulated: a true difference of .6, the interval by t over prompt means."""
    parts = known(0.4, 0.8)
    needed = pictures_needed(parts, 0.6, seeds_per_prompt=2)
    assert needed is not None
    generator = np.random.default_rng(3)
    shape = (4000, needed.num_prompts)
    prompts = 0.6 + sqrt(0.4) * generator.standard_normal(shape)
    means = prompts + sqrt(0.8) * generator.standard_normal((*shape, 2)).mean(axis=2)
    spread = t_quantile(0.975, needed.num_prompts - 1) * means.std(axis=1, ddof=1) / sqrt(needed.num_prompts)
    assert np.mean(means.mean(axis=1) > spread) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("difference", [0.0, float("nan"), float("inf")])
def test_what_is_no_difference_is_refused(difference: float) -> None:
    with pytest.raises(ValueError, match="tells it from noise"):
        pictures_needed(known(1.0, 1.0), difference, seeds_per_prompt=1)


def test_no_seeds_and_no_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="seeds_per_prompt=0"):
        pictures_needed(known(1.0, 1.0), 1.0, seeds_per_prompt=0)
    with pytest.raises(ValueError, match="confidence=95"):
        pictures_needed(known(1.0, 1.0), 1.0, seeds_per_prompt=1, confidence=95)
