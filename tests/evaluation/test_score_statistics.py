"""Means, intervals, differences and anchored scores, computed by hand; then what the intervals cover."""

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np
import pytest

from evaluation.maths.statistics import (
    Anchored,
    Value,
    anchor,
    half_width,
    harmonic_mean,
    judge,
    paired_changes,
    paired_difference,
    prompt_means,
    pseudo_values,
    summarise,
)
from evaluation.maths.student import t_quantile
from evaluation.records import Direction, Verdict

# 97.5 % quantiles of Student's t at 1, 2 and 3 degrees of freedom, from a printed table.
T1, T2, T3 = 12.7062047, 4.3026527, 3.1824463


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


def test_from_fifteen_prompts_on_prompts_are_resampled() -> None:
    means = np.random.default_rng(3).normal(size=15).tolist()
    assert t_quantile(0.975, 13) == pytest.approx(2.1603687, abs=1e-7)
    assert half_width(means[:14]) == pytest.approx(2.1603687 * np.std(means[:14], ddof=1) / sqrt(14))
    # The bootstrap's mean is near normal, with the deviation of the sample itself.
    assert half_width(means) == pytest.approx(1.96 * np.std(means) / sqrt(15), rel=0.06)


def test_the_same_values_give_the_same_interval() -> None:
    means = np.random.default_rng(4).normal(size=20).tolist()
    assert half_width(means) == half_width(means)


def covered_share(num_prompts: int, *, by_prompt: bool, between: float = 1.0, seeds: int = 4) -> float:
    """How often the 95 % interval of a mean, 0, holds it: prompts of variance `between`, pictures of 1."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(400):
        prompts = rng.normal(scale=sqrt(between), size=(num_prompts, 1))
        pictures = prompts + rng.normal(size=(num_prompts, seeds))
        if by_prompt:
            summary = summarise(values_of(*pictures.tolist()))
            width = None if summary is None else summary.spread
        else:
            width = 1.96 * float(np.std(pictures)) / sqrt(pictures.size)
        assert width is not None
        hits += abs(pictures.mean()) <= width
    return hits / 400


@pytest.mark.parametrize("between", [0.0, 0.3, 3.0])
def test_intervals_of_ten_prompts_and_four_seeds_cover_what_they_say(between: float) -> None:
    assert 0.90 <= covered_share(10, by_prompt=True, between=between) <= 0.99


def test_intervals_of_twenty_resampled_prompts_cover_nearly_what_they_say() -> None:
    assert 0.90 <= covered_share(20, by_prompt=True) <= 0.99


def test_intervals_over_pictures_would_claim_too_much() -> None:
    assert covered_share(10, by_prompt=False) < 0.8


def test_an_interval_over_types_covers_what_it_says_though_types_differ() -> None:
    rng, hits = np.random.default_rng(6), 0
    types = {prompt: "abcd"[prompt // 3] for prompt in range(12)} | {12: "trigger"}
    shifts = [*np.array([0.0, 5.0, -3.0, 1.0]).repeat(3).tolist(), 7.0]
    for _ in range(400):
        summary = summarise(values_of(*(rng.normal(size=(13, 1)) + np.array(shifts)[:, None])), types=types)
        assert summary is not None and summary.spread is not None
        hits += abs(summary.value - 2.0) <= summary.spread  # the mean of 0, 5, -3, 1 and 7
    assert 0.90 <= hits / 400 <= 0.99


def test_types_weigh_equally_however_many_prompts_they_have() -> None:
    types = {0: "style", 1: "style", 2: "style", 3: "content", 4: "content", 5: "trigger"}
    values = values_of([1.0], [2.0], [3.0], [5.0, 5.0], [7.0], [9.0])
    summary = summarise(values, types=types)
    assert summary is not None
    assert (summary.value, summary.n, summary.num_prompts) == (pytest.approx((2 + 6 + 9) / 3), 7, 6)
    # Squares within types: 2 of style, 2 of content, 0 of the single trigger prompt, at 2 + 1 degrees.
    # The mean of the types' means has the variance s^2 (1/3 + 1/2 + 1) / 9.
    expected = T3 * sqrt(4 / 3 * (1 / 3 + 1 / 2 + 1) / 9)
    assert summary.spread == pytest.approx(expected)


def test_a_difference_over_types_is_the_mean_of_the_types_differences() -> None:
    types = {0: "a", 1: "a", 2: "b"}
    final, base = values_of([3.0], [5.0], [9.0]), values_of([1.0], [1.0], [1.0])
    change = paired_difference(final, base, direction=Direction.higher, types=types)
    assert change is not None and change.value == pytest.approx((3 + 8) / 2)
    assert change.spread == pytest.approx(T1 * sqrt(2 * (1 / 2 + 1) / 4))


def test_one_prompt_of_each_type_has_a_value_but_no_interval() -> None:
    summary = summarise(values_of([1.0], [3.0]), types={0: "a", 1: "b"})
    assert summary is not None and (summary.value, summary.spread) == (2.0, None)


def test_a_single_type_is_as_none_and_a_prompt_without_one_is_a_type_of_its_own() -> None:
    values = values_of([1.0], [2.0], [6.0])
    assert summarise(values, types=dict.fromkeys(range(3), "a")) == summarise(values)
    assert summarise(values, types={2: "a"}) == summarise(values, types={0: "b", 1: "b", 2: "a"})


def test_the_pseudo_values_of_a_mean_are_its_values() -> None:
    numbers = [1.0, 4.0, 10.0, 5.0]
    without = {place: (sum(numbers) - number) / 3 for place, number in enumerate(numbers)}
    found = pseudo_values(5.0, without)
    assert [value.value for value in found] == pytest.approx(numbers)
    assert [(value.prompt_index, value.seed) for value in found] == [(place, None) for place in range(4)]
    assert summarise(found, whole=5.0) == summarise(values_of(*([number] for number in numbers)))


def test_the_pseudo_values_of_a_square_by_hand() -> None:
    """(mean)^2 of 1, 2, 6: 9; without each 16, 12.25, 2.25; 27 - 2 x each."""
    found = pseudo_values(9.0, {2: 2.25, 0: 16.0, 1: 12.25})
    assert [(value.prompt_index, value.value) for value in found] == [(0, -5.0), (1, 2.5), (2, 22.5)]
    summary = summarise(found, whole=9.0)
    assert summary is not None and (summary.value, summary.num_prompts) == (9.0, 3)
    assert summary.spread == pytest.approx(T2 * np.std([-5, 2.5, 22.5], ddof=1) / sqrt(3))


def test_nothing_can_be_left_out_of_one_prompt() -> None:
    assert pseudo_values(3.0, {}) == []


def test_the_change_of_a_whole_is_taken_where_both_have_the_same_prompts() -> None:
    final, base = pseudo_values(3.0, {0: 2.0, 1: 5.0}), pseudo_values(1.0, {0: 1.5, 1: 0.5})
    change = paired_difference(final, base, direction=Direction.lower, whole=2.0)
    # 2 x 3 - 2 = 4 and 1; 2 - 1.5 = .5 and 1.5: changes of 3.5 and -.5.
    assert change is not None and change.value == 2.0
    assert change.spread == pytest.approx(T1 * 2)
    alone = paired_difference(final, base[:1], direction=Direction.lower, whole=2.0)
    assert alone is not None and (alone.value, alone.num_prompts) == (3.5, 1)


def test_changes_come_in_the_order_of_the_final_values() -> None:
    final, base = values_of([5.0, 1.0], [2.0]), values_of([1.0, 1.0], [1.0])
    found = paired_changes(final[::-1], base)
    assert [(one.prompt_index, one.seed, one.value) for one in found] == [(1, 0, 1), (0, 1, 0), (0, 0, 4)]


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


def test_true_pictures_of_no_prompt_are_every_prompts_room() -> None:
    real = [Value(prompt_index=-1 - place, seed=None, value=value) for place, value in enumerate((0.6, 0.8))]
    final = values_of([0.45], [0.35], [0.55])
    anchored = anchor(final, BASE, real, direction=Direction.higher)  # room of .5, gain of .25
    assert anchored.score == pytest.approx(0.5)
    assert anchored.spread == pytest.approx(T2 * 0.2 / sqrt(3))  # .1 over the room


def test_true_pictures_of_other_prompts_are_nobodys_room() -> None:
    real = [Value(prompt_index=7, seed=0, value=0.9)]
    assert anchor(REAL, BASE, real, direction=Direction.higher).score is None


def test_the_harmonic_mean_and_its_spread_by_hand() -> None:
    """2 / (1 / .5 + 1 / .25) = 1/3; weights (1/3 / .5)^2 / 2 = 2/9 and (1/3 / .25)^2 / 2 = 8/9."""
    found = harmonic_mean([Anchored(score=0.5, spread=0.09), Anchored(score=0.25, spread=0.045)])
    assert found.score == pytest.approx(1 / 3)
    assert found.spread == pytest.approx(hypot(2 / 9 * 0.09, 8 / 9 * 0.045))
    assert found.reason is None


def test_the_harmonic_mean_of_equal_scores_is_the_score_and_surer_than_each() -> None:
    found = harmonic_mean([Anchored(score=0.7, spread=0.1)] * 2)
    assert found.score == pytest.approx(0.7) and found.spread == pytest.approx(0.1 / sqrt(2))
    three = harmonic_mean([Anchored(score=1.0, spread=0.1)] * 3)
    assert (three.score, three.spread) == (pytest.approx(1), pytest.approx(0.1 / sqrt(3)))


def test_the_harmonic_mean_is_nought_where_one_is_not_above_its_base() -> None:
    for score in (0.0, -0.2):
        found = harmonic_mean([Anchored(score=0.9, spread=0.1), Anchored(score=score, spread=0.1)])
        assert (found.score, found.spread) == (0.0, None)
        assert found.reason == "an objective is no better than the base's"


def test_there_is_no_harmonic_mean_where_one_is_not_anchored() -> None:
    for scores in ([Anchored(score=0.9), Anchored(reason="no room")], []):
        found = harmonic_mean(scores)
        assert (found.score, found.reason) == (None, "not all objectives are anchored")


def test_a_harmonic_mean_has_no_spread_where_one_score_has_none() -> None:
    found = harmonic_mean([Anchored(score=0.5, spread=0.1), Anchored(score=0.5)])
    assert (found.score, found.spread) == (pytest.approx(0.5), None)
