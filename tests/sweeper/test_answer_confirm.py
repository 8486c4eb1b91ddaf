"""What is confirmed, and what the confirmations say."""

from dataclasses import replace

import pytest
from record_toys import BEST, DEFAULTS, lr_study, toy_confirmation, toy_study, toy_trial

from engine.config.outcome import Outcome
from sweeper.answer.confirm import PlannedConfirmation, fresh_seeds, plan_confirmations
from sweeper.answer.confirmed import compare, judge, mean_and_spread, read_confirmations
from sweeper.answer.records import ConfirmedSetting, Verdict
from sweeper.answer.winner import rule_of
from sweeper.config import ConfirmConfig, Direction
from sweeper.study.records import StudyRecord, TrialState

UP = Direction.maximize


def settings_of(record: StudyRecord) -> dict[int, ConfirmedSetting]:
    return {setting.of: setting for setting in read_confirmations(record, rule_of(record))}


def planned(num_runs: int, *, top: int = 4, seeds: int = 3) -> list[PlannedConfirmation]:
    record = replace(lr_study(), confirmations=(), num_confirmations=num_runs)
    return plan_confirmations(record, ConfirmConfig(top=top, seeds=seeds))


@pytest.mark.parametrize(
    ("num_runs", "settings", "num_seeds"),
    [
        (6, [7, 0], 3),
        (9, [7, 6, 0], 3),
        (12, [7, 6, 1, 0], 3),
        (40, [7, 6, 1, 14, 0], 3),  # no more than the top 4
        (5, [7, 0], 2),  # fewer seeds, so that one fits beside the default
        (4, [7, 0], 2),
    ],
)
def test_the_best_and_the_default_share_the_runs(num_runs: int, settings: list[int], num_seeds: int) -> None:
    plan = planned(num_runs)
    assert [run.of for run in plan] == settings * num_seeds
    assert len(plan) <= num_runs


@pytest.mark.parametrize("num_runs", [0, 1, 2, 3])
def test_too_few_runs_confirm_nothing(num_runs: int) -> None:
    assert planned(num_runs) == []


def test_every_setting_gets_the_same_fresh_seeds_seed_by_seed() -> None:
    assert [(run.of, run.seed) for run in planned(4)] == [(7, 1001), (0, 1001), (7, 1002), (0, 1002)]


def test_fresh_seeds_are_none_of_the_search() -> None:
    trials = [replace(toy_trial(0), seed=1001), toy_trial(1, params={"seed": 1003})]
    assert fresh_seeds(toy_study(trials), 3) == [1002, 1004, 1005]


def test_a_setting_is_confirmed_once_and_the_default_is_no_candidate() -> None:
    trials = [
        toy_trial(0, {"likeness": 0.6}),
        toy_trial(1, {"likeness": 0.8}, params=BEST),
        toy_trial(2, {"likeness": 0.79}, params={**BEST, "seed": 5}),
        toy_trial(3, {"likeness": 0.75}, params=DEFAULTS),
        toy_trial(4, {"likeness": 0.7}, params={**BEST, "network.rank": 8}),
    ]
    record = replace(toy_study(trials), num_confirmations=20)
    plan = plan_confirmations(record, ConfirmConfig(seeds=2))
    assert sorted({run.of for run in plan}) == [0, 1, 4]


def test_a_default_that_was_lost_is_confirmed_all_the_same() -> None:
    trials = [toy_trial(0, outcome=Outcome.diverged), toy_trial(1, {"likeness": 0.8}, params=BEST)]
    record = replace(toy_study(trials), num_confirmations=4)
    assert {run.of for run in plan_confirmations(record, ConfirmConfig())} == {0, 1}


def test_nothing_but_the_default_leaves_nothing_to_confirm() -> None:
    record = replace(toy_study([toy_trial(0)]), num_confirmations=20)
    assert plan_confirmations(record, ConfirmConfig()) == []


def test_the_spread_of_three_values_is_their_t_interval() -> None:
    mean, spread = mean_and_spread([0.75, 0.76, 0.77])
    assert mean == pytest.approx(0.76)
    assert spread == pytest.approx(4.302653 * 0.01 / 3**0.5, abs=1e-6)


def test_one_value_has_no_spread() -> None:
    assert mean_and_spread([0.75]) == (0.75, None)


def test_a_difference_is_paired_by_seed() -> None:
    """Differences .17, .165 and .175: mean .17, deviation .005; the values themselves vary by .01."""
    difference = settings_of(lr_study())[7].differences["likeness"]
    assert difference.value == pytest.approx(0.17)
    assert difference.over_seeds == pytest.approx(4.302653 * 0.005 / 3**0.5, abs=1e-6)
    assert (difference.num_seeds, difference.verdict) == (3, Verdict.better)


def test_the_wider_of_the_two_intervals_counts() -> None:
    """Both seeds differ by .1, so that their width is 0; the prompts differ by .05 and .15."""
    prompts = ({"a": 0.5, "b": 0.7}, {"a": 0.45, "b": 0.55})
    runs = [
        replace(
            toy_confirmation(0, 7, seed, values={"likeness": mean}),
            prompt_values={"likeness": prompts[place]},
        )
        for place, mean in ((0, 0.6), (1, 0.5))
        for seed in (1001, 1002)
    ]
    found = compare({1001: runs[0], 1002: runs[1]}, {1001: runs[2], 1002: runs[3]}, "likeness", UP)
    assert found is not None
    assert found.over_seeds == pytest.approx(0.0, abs=1e-9)
    # t of one degree of freedom 12.7062; deviation of .05 and .15 is .0707107
    assert found.over_prompts == pytest.approx(12.7062 * 0.0707107 / 2**0.5, abs=1e-4)
    assert found.half_width == found.over_prompts
    assert found.verdict is Verdict.within_noise


def test_only_seeds_and_prompts_that_both_have_are_compared() -> None:
    one = toy_confirmation(0, 7, 1001, values={"likeness": 0.8})
    two = replace(
        toy_confirmation(1, 0, 1001, values={"likeness": 0.6}), prompt_values={"likeness": {"other": 1}}
    )
    found = compare({1001: one, 1002: one}, {1001: two, 1003: two}, "likeness", UP)
    assert found is not None
    assert (found.num_seeds, found.half_width, found.over_prompts) == (1, None, None)
    assert found.verdict is Verdict.unknown
    assert compare({1002: one}, {1001: two}, "likeness", UP) is None


@pytest.mark.parametrize(
    ("change", "way", "verdict"),
    [
        (0.03, Direction.maximize, Verdict.better),
        (0.03, Direction.minimize, Verdict.worse),
        (-0.03, Direction.minimize, Verdict.better),
        (0.02, Direction.maximize, Verdict.within_noise),
        (-0.01, Direction.maximize, Verdict.within_noise),
    ],
)
def test_a_change_counts_when_it_is_larger_than_its_interval(
    change: float, way: Direction, verdict: Verdict
) -> None:
    assert judge(change, 0.02, way) is verdict


def test_optimism_is_the_gain_of_the_search_less_the_confirmed() -> None:
    record = lr_study()
    gain = record.trial(7).values["likeness"] - record.trial(0).values["likeness"]
    assert settings_of(record)[7].optimism["likeness"] == pytest.approx(gain - 0.17)


def test_optimism_without_a_confirmed_default_is_that_of_the_value() -> None:
    record = lr_study()
    alone = replace(record, confirmations=[run for run in record.confirmations if run.of == 7])
    assert settings_of(alone)[7].optimism["likeness"] == pytest.approx(0.77 - 0.76)


def test_optimism_of_a_minimised_objective_is_turned() -> None:
    values = {7: 0.10, 0: 0.20}
    trials = [toy_trial(number, {"val_loss": values[number]}) for number in (0, 7)]
    runs = [
        toy_confirmation(place, of, 1001, values={"val_loss": value})
        for place, (of, value) in enumerate({7: 0.15, 0: 0.20}.items())
    ]
    record = toy_study(trials, confirmations=runs, objectives={"val_loss": Direction.minimize})
    assert settings_of(record)[7].optimism["val_loss"] == pytest.approx(0.05)


def test_missing_and_failed_confirmations_are_counted() -> None:
    record = lr_study()
    runs = list(record.confirmations)
    runs[0] = toy_confirmation(0, 7, 1001, values=None)
    runs[4] = replace(runs[4], state=TrialState.failed, outcome=Outcome.diverged, values={})
    found = settings_of(replace(record, confirmations=runs))
    assert (found[7].num_missing, found[7].num_failed, found[7].seeds) == (1, 0, (1002, 1003))
    assert (found[0].num_missing, found[0].num_failed, found[0].seeds) == (0, 1, (1001, 1003))
    assert found[7].differences["likeness"].num_seeds == 1


def test_settings_come_in_the_order_of_the_winner_s_rule() -> None:
    record = lr_study()
    extra = [
        toy_confirmation(6 + place, 6, seed, values={"likeness": 0.77, "adherence": 0.5})
        for place, seed in enumerate((1001, 1002, 1003))
    ]
    found = read_confirmations(
        replace(record, confirmations=[*record.confirmations, *extra]), rule_of(record)
    )
    assert [setting.of for setting in found] == [6, 7, 0]
    failed = replace(extra[0], state=TrialState.failed, outcome=Outcome.diverged, values={})
    runs = [*record.confirmations, failed, *extra[1:]]
    found = read_confirmations(replace(record, confirmations=runs), rule_of(record))
    assert [setting.of for setting in found] == [7, 0, 6]
