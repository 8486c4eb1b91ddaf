"""What the noise of paired differences hides, by hand; the parts themselves are tested with their file."""

from collections.abc import Sequence
from math import sqrt

import pytest

from evaluation.maths.noise import noise_of
from evaluation.maths.statistics import Value
from evaluation.maths.student import t_quantile
from evaluation.maths.variance_parts import pictures_needed, variance_parts


def values_of(*prompts: Sequence[float]) -> list[Value]:
    """A list of a prompt's differences, one a seed, for each prompt."""
    return [
        Value(prompt_index=prompt, seed=seed, value=value)
        for prompt, of_prompt in enumerate(prompts)
        for seed, value in enumerate(of_prompt)
    ]


def test_the_noise_of_two_seeds_a_prompt_by_hand() -> None:
    """Means 1, 3, 5 of pairs 2 apart: within 2, of the means 4 = between + within / 2."""
    noise = noise_of(values_of([0.0, 2.0], [2.0, 4.0], [4.0, 6.0]))
    assert noise is not None
    assert (noise.within_prompts, noise.between_prompts) == (pytest.approx(2), pytest.approx(3))
    multiple = t_quantile(0.975, 2) + t_quantile(0.8, 2)
    assert noise.smallest_difference == pytest.approx(multiple * sqrt(4 / 3))


def test_half_of_the_smallest_difference_needs_as_many_prompts_as_is_told() -> None:
    values = values_of([0.0, 2.0], [2.0, 4.0], [4.0, 6.0], [1.0, 1.0], [3.0, 2.0])
    noise, parts = noise_of(values), variance_parts(values)
    assert noise is not None and parts is not None and noise.prompts_for_half is not None
    needed = pictures_needed(parts, noise.smallest_difference / 2, seeds_per_prompt=2)
    assert needed is not None and noise.prompts_for_half == needed.num_prompts
    assert 5 < noise.prompts_for_half <= 4 * 5


def test_with_one_seed_a_prompt_the_parts_are_not_told_apart() -> None:
    noise = noise_of(values_of([1.0], [2.0], [3.0]))
    assert noise is not None
    assert (noise.between_prompts, noise.within_prompts) == (None, None)
    assert noise.smallest_difference == pytest.approx((t_quantile(0.975, 2) + t_quantile(0.8, 2)) / sqrt(3))


def test_a_picture_too_few_or_too_many_does_not_change_how_many_seeds_most_prompts_have() -> None:
    noise = noise_of(values_of([0.0, 2.0], [2.0, 4.0], [4.0, 6.0, 5.0], [5.0]))
    parts = variance_parts(values_of([0.0, 2.0], [2.0, 4.0], [4.0, 6.0, 5.0], [5.0]))
    assert noise is not None and parts is not None
    assert parts.between is not None and parts.within is not None
    multiple = t_quantile(0.975, 3) + t_quantile(0.8, 3)
    assert noise.smallest_difference == pytest.approx(multiple * sqrt((parts.between + parts.within / 2) / 4))


@pytest.mark.parametrize(
    "prompts", [[], [[1.0]], [[1.0, 2.0]], [[1.0], [1.0]], [[0.0, 0.0], [0.0, 0.0]]], ids=str
)
def test_there_is_nothing_to_tell_of_no_pairs_one_prompt_or_no_noise(prompts: list[list[float]]) -> None:
    assert noise_of(values_of(*prompts)) is None
