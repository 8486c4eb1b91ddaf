"""Means, intervals, differences and anchored scores, computed by hand; then what the intervals cover."""

from collections.abc import Sequence
from math import gamma, pi, sqrt

import numpy as np
import pytest

from evaluation.records import Direction, Verdict
from evaluation.statistics import (
    T_QUANTILES,
    Value,
    anchor,
    half_width,
    judge,
    paired_difference,
    prompt_means,
    summarise,
)

T1, T2 = 12.7062047, 4.3026527  # 97.5 % quantiles of Student's t at 1 and 2 degrees of freedom


def values_of(*prompts: Sequence[float]) -> list[Value]:
    """A list of a prompt's values, one a seed, for each prompt."""
    return [
        Value(prompt_index=prompt, seed=seed, value=value)
        for prompt, of_prompt in enumerate(prompts)
        for seed, value in enumerate(of_prompt)
    ]


def test_prompts_weigh_equally_however_many_pictures_they_have() -> None:
    summary = summarise(values_of([1.0, 3.0], [5.0]))
    assert summary is not None
    assert (summary.value, summary.n, summary.num_prompts) == (3.5, 3, 2)  # not 3, the mean of the pictures
    # The means 2 and 5 have a standard deviation of 3 / sqrt(2); over sqrt(2) prompts: 1.5.
    assert summary.spread == pytest.approx(T1 * 1.5)


def test_the_interval_of_three_prompts_by_hand() -> None:
    summary = summarise(values_of([1.0], [2.0], [3.0]))
    assert summary is not None and summary.spread == pytest.approx(T2 / sqrt(3))


def test_more_pictures_of_the_same_prompts_do_not_narrow_the_interval() -> None:
    once, often = summarise(values_of([1.0], [2.0])), summarise(values_of([1.0] * 9, [2.0] * 9))
    assert once is not None and often is not None
    assert (once.n, often.n) == (2, 18)
    assert once.spread == often.spread


def test_a_single_prompt_has_a_value_but_no_interval() -> None:
    summary = summarise(values_of([1.0, 2.0]))
    assert summary is not None
    assert (summary.value, summary.n, summary.spread) == (1.5, 2, None)


def test_no_values_have_no_summary() -> None:
    assert summarise([]) is None
    assert paired_difference([], [], direction=Direction.higher) is None


def test_prompt_means_come_in_the_order_of_the_prompts() -> None:
    values = values_of([1.0, 2.0], [4.0])
    assert list(prompt_means(values[::-1]).items()) == [(0, 1.5), (1, 4.0)]


@pytest.mark.parametrize("freedom", range(1, 14))
def test_the_t_quantiles_leave_a_fortieth_above(freedom: int) -> None:
    """The integral of Student's density from 0 to the quantile is 0.475."""
    points = np.linspace(0, T_QUANTILES[freedom - 1], 200_001)
    scale = gamma((freedom + 1) / 2) / (sqrt(freedom * pi) * gamma(freedom / 2))
    density = scale * (1 + points**2 / freedom) ** (-(freedom + 1) / 2)
    assert np.trapezoid(density, points) == pytest.approx(0.475, abs=1e-7)


def test_from_fifteen_prompts_on_prompts_are_resampled() -> None:
    means = np.random.default_rng(3).normal(size=15).tolist()
    assert half_width(means[:14]) == pytest.approx(2.1603687 * np.std(means[:14], ddof=1) / sqrt(14))
    # The bootstrap's mean is near normal, with the deviation of the sample itself.
    assert half_width(means) == pytest.approx(1.96 * np.std(means) / sqrt(15), rel=0.06)


def test_the_same_values_give_the_same_interval() -> None:
    means = np.random.default_rng(4).normal(size=20).tolist()
    assert half_width(means) == half_width(means)


def covered_share(num_prompts: int, *, by_prompt: bool) -> float:
    """How often the 95 % interval of 4 pictures a prompt holds the true mean, 0."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(400):
        pictures = rng.normal(size=(num_prompts, 1)) + rng.normal(size=(num_prompts, 4))
        if by_prompt:
            width = half_width(pictures.mean(axis=1).tolist())
        else:
            width = 1.96 * float(np.std(pictures)) / sqrt(pictures.size)
        assert width is not None
        hits += abs(pictures.mean()) <= width
    return hits / 400


def test_intervals_over_prompts_cover_what_they_say_and_those_over_pictures_do_not() -> None:
    assert 0.93 <= covered_share(10, by_prompt=True) <= 0.97
    assert 0.90 <= covered_share(20, by_prompt=True) <= 0.97
    assert covered_share(10, by_prompt=False) < 0.8


def test_a_paired_difference_takes_out_what_prompts_have_in_common() -> None:
    base = values_of([0.1, 0.3], [0.9, 0.7], [0.5, 0.4])
    final = values_of([0.2, 0.4], [1.0, 0.8], [0.6, 0.5])
    change = paired_difference(final, base[::-1], direction=Direction.higher)
    assert change is not None
    assert (change.n, change.num_prompts, change.verdict) == (6, 3, Verdict.better)
    assert change.value == pytest.approx(0.1)
    assert change.spread == pytest.approx(0, abs=1e-12)


def test_a_paired_difference_by_hand() -> None:
    change = paired_difference(
        values_of([2.0, 4.0], [4.0], [6.0]), values_of([1.0, 3.0], [2.0], [3.0]), direction=Direction.higher
    )  # changes of 1, 2, 3
    assert change is not None
    assert (change.value, change.n, change.num_prompts) == (2.0, 4, 3)
    assert change.spread == pytest.approx(T2 / sqrt(3))
    assert (change.low, change.high) == pytest.approx((2 - T2 / sqrt(3), 2 + T2 / sqrt(3)))
    assert change.verdict is Verdict.within_noise


def test_only_pictures_of_the_same_prompt_and_seed_are_subtracted() -> None:
    final, base = values_of([1.0, 9.0], [2.0]), values_of([0.5], [1.0, 7.0])
    change = paired_difference(final, base, direction=Direction.higher)
    assert change is not None
    assert (change.n, change.value) == (2, 0.75)
    alone = [Value(prompt_index=7, seed=0, value=1.0)]
    assert paired_difference(alone, base, direction=Direction.higher) is None


@pytest.mark.parametrize(
    ("change", "spread", "direction", "verdict"),
    [
        (0.2, 0.1, Direction.higher, Verdict.better),
        (0.2, 0.1, Direction.lower, Verdict.worse),
        (-0.2, 0.1, Direction.higher, Verdict.worse),
        (-0.2, 0.1, Direction.lower, Verdict.better),
        (0.1, 0.1, Direction.higher, Verdict.within_noise),
        (-0.05, 0.1, Direction.higher, Verdict.within_noise),
        (0.0, 0.1, Direction.higher, Verdict.within_noise),
        (0.0, 0.0, Direction.higher, Verdict.unchanged),
        (0.2, 0.0, Direction.higher, Verdict.better),
        (0.2, None, Direction.higher, Verdict.one_prompt),
    ],
)
def test_a_change_counts_where_it_stands_out_of_its_interval(
    change: float, spread: float | None, direction: Direction, verdict: Verdict
) -> None:
    assert judge(change, spread, direction) is verdict


BASE = values_of([0.2], [0.2], [0.2])
REAL = values_of([0.6], [0.8], [0.7])  # room of .4, .6, .5: mean .5, deviation .1


def test_an_anchored_score_by_hand() -> None:
    final = values_of([0.4], [0.4], [0.55])  # gains of .2, .2, .35: mean .25, half of the room
    anchored = anchor(final, BASE, REAL, direction=Direction.higher)
    assert anchored.score == pytest.approx(0.5)
    # Gain minus half the room is 0, -.1, .1; over the mean room 0, -.2, .2: a deviation of .2.
    assert anchored.spread == pytest.approx(T2 * 0.2 / sqrt(3))
    assert anchored.reason is None


def test_base_is_zero_and_real_is_one() -> None:
    as_base = anchor(BASE, BASE, REAL, direction=Direction.higher)
    as_real = anchor(REAL, BASE, REAL, direction=Direction.higher)
    assert as_base.score == pytest.approx(0)
    assert as_real.score == pytest.approx(1)
    assert as_real.spread == pytest.approx(0, abs=1e-12)


def test_an_anchored_score_goes_below_base_and_beyond_real() -> None:
    worse, beyond = values_of([0.1], [0.1], [0.1]), values_of([0.8], [0.8], [0.8])
    assert anchor(worse, BASE, REAL, direction=Direction.higher).score == pytest.approx(-0.2)
    assert anchor(beyond, BASE, REAL, direction=Direction.higher).score == pytest.approx(1.2)


def test_an_anchored_score_of_what_is_better_low() -> None:
    final = values_of([-0.4], [-0.4], [-0.55])
    base, real = (
        [Value(prompt_index=v.prompt_index, seed=0, value=-v.value) for v in s] for s in (BASE, REAL)
    )
    assert anchor(final, base, real, direction=Direction.lower).score == pytest.approx(0.5)


def test_an_anchored_score_is_taken_over_the_prompts_that_all_three_have() -> None:
    final = values_of([0.4], [0.5], [0.45], [9.0])
    assert anchor(
        final, [*BASE, *values_of([], [], [], [], [8.0])], REAL, direction=Direction.higher
    ).score == (pytest.approx(0.5))


@pytest.mark.parametrize(
    ("base", "real", "reason"),
    [
        ([[0.2], [0.2], [0.2]], [[], [], [], [0.9]], "no prompt has base, final and true pictures"),
        ([[0.2], [0.2], [0.2]], [[0.1], [0.1], [0.1]], "true pictures score no better"),
        ([[0.2], [0.2], [0.2]], [[0.2], [0.2], [0.2]], "true pictures score no better"),
        ([[0.2], [0.2], [0.2]], [[0.1], [0.9], [0.3]], "within the noise"),
        ([[0.2], [0.2], [0.2]], [[0.9]], "a single prompt"),
    ],
)
def test_there_is_no_anchored_score_without_room_between_base_and_real(
    base: list[list[float]], real: list[list[float]], reason: str
) -> None:
    anchored = anchor(BASE, values_of(*base), values_of(*real), direction=Direction.higher)
    assert anchored.score is None and anchored.spread is None
    assert anchored.reason is not None and reason in anchored.reason
