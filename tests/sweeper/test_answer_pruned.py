"""What pruning saved, and whether its signal saw what the objectives see."""

from dataclasses import replace

import pytest
from record_toys import lr_study, toy_study, toy_trial

from engine.config.outcome import Outcome
from sweeper.answer.pruned import (
    pruned_of,
    rank_correlation,
    signal_checks,
    signal_warnings,
)
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord


def signalled(number: int, likeness: float, signal: float) -> TrialRecord:
    reports = [(50, signal), (100, signal), (150, signal)]
    return replace(toy_trial(number, {"likeness": likeness}), reports=reports)


def study_of(signals: list[float]) -> StudyRecord:
    """Likeness rises with the number of the trial; a pruned one stopped at step 50."""
    trials = [signalled(place, 0.5 + 0.01 * place, signal) for place, signal in enumerate(signals)]
    return toy_study([*trials, toy_trial(len(signals), outcome=Outcome.pruned)])


def warnings_of(record: StudyRecord) -> list[str]:
    return signal_warnings(record, signal_checks(record), list(record.objectives))


def test_rank_correlation_by_hand() -> None:
    # ranks 0 1 2 3 4 against 1 0 3 2 4: 1 - 6 * (1 + 1 + 1 + 1) / (5 * 24) = .8
    assert rank_correlation([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]) == pytest.approx(0.8)


def test_equal_values_share_a_rank() -> None:
    # ranks 0 1.5 1.5 3 against 0 1 2 3: covariance 4.5, squares 4.5 and 5: 4.5 / sqrt(22.5) = .948683
    assert rank_correlation([1, 2, 2, 9], [1, 2, 3, 4]) == pytest.approx(0.948683, abs=1e-6)


def test_what_never_varies_has_no_correlation() -> None:
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1], [1]) is None


def test_a_pruned_trial_saves_the_rest_of_its_steps_at_its_own_pace() -> None:
    """50 of 150 steps at .2 s: 100 steps, 20 s, whatever loading, validation and drawing took."""
    stopped = replace(toy_trial(1, outcome=Outcome.pruned), seconds=60.0)  # 50 of them fixed costs
    record = toy_study([toy_trial(0), stopped])
    pruned = pruned_of(record)
    assert [(one.number, one.step, one.total_steps) for one in pruned.trials] == [(1, 50, 150)]
    assert (pruned.saved_steps, pruned.saved_seconds) == (100, pytest.approx(20.0))
    assert pruned.share_of_steps == pytest.approx(100 / 300)


def test_a_trial_without_memory_was_not_pruned_for_its_signal() -> None:
    record = toy_study([toy_trial(0), toy_trial(1, outcome=Outcome.out_of_memory)])
    assert pruned_of(record).trials == ()
    assert pruned_of(record).share_of_steps == 0.0


def test_no_seconds_are_claimed_where_no_trial_knows_its_time_a_step() -> None:
    stopped = replace(toy_trial(0, outcome=Outcome.pruned), steps_done=0, step_seconds=0.0, reports=())
    (one,) = pruned_of(toy_study([stopped])).trials
    assert (one.saved_seconds, one.signal) == (0.0, None)


def test_a_trial_whose_time_a_step_is_not_known_takes_the_median_of_the_others() -> None:
    """100 steps at .3 s, the median of .1, .3 and .4."""
    paces = {0: 0.1, 1: 0.3, 2: 0.4}
    known = [replace(toy_trial(number), step_seconds=pace) for number, pace in paces.items()]
    stopped = replace(toy_trial(3, outcome=Outcome.pruned), step_seconds=0.0)
    assert pruned_of(toy_study([*known, stopped])).saved_seconds == pytest.approx(30.0)


def test_a_falling_loss_for_a_rising_objective_is_a_correlation_of_one() -> None:
    checks = signal_checks(study_of([0.9 - 0.05 * place for place in range(9)]))
    assert [check.correlation for check in checks] == pytest.approx([1.0, 1.0, 1.0])
    assert [(check.step, check.is_last, check.n) for check in checks] == [
        (50, False, 9),
        (100, False, 9),
        (150, True, 9),
    ]


def test_the_toy_s_signal_sees_likeness() -> None:
    checks = [check for check in signal_checks(lr_study()) if check.objective == "likeness"]
    assert min(check.correlation or 0.0 for check in checks) > 0.9
    assert signal_warnings(lr_study(), checks, ["likeness"]) == []


def test_a_signal_of_the_wrong_sign_is_warned_of() -> None:
    (warning,) = warnings_of(study_of([0.1 + 0.05 * place for place in range(8)]))
    assert "rank correlation -1.00 over 8 complete trials" in warning
    assert "does not see luminance" in warning


def test_seven_trials_are_too_few_to_warn() -> None:
    assert warnings_of(study_of([0.1 + 0.05 * place for place in range(7)])) == []


def test_a_signal_that_is_an_objective_follows_its_direction() -> None:
    record = study_of([0.1 + 0.05 * place for place in range(8)])
    ways = {"likeness": Direction.maximize}
    assert warnings_of(replace(record, prune_on="likeness", objectives=ways)) == []


def test_a_minimised_objective_goes_with_a_falling_loss() -> None:
    trials = [
        replace(toy_trial(place, {"luminance_error": 0.1 * place}), reports=[(150, 0.1 * place)])
        for place in range(8)
    ]
    record = toy_study(trials, objectives={"luminance_error": Direction.minimize})
    assert [check.correlation for check in signal_checks(record)] == [pytest.approx(1.0)]


def test_without_pruning_nothing_is_checked() -> None:
    assert signal_checks(replace(lr_study(), prune_on=None)) == []


def test_two_trials_have_no_correlation_but_a_reason() -> None:
    (last,) = signal_checks(study_of([0.3, 0.2]))
    assert (last.correlation, last.reason) == (None, "2 complete trials: a rank correlation takes 3")


def test_many_reports_are_thinned_to_a_dozen_and_the_decisions() -> None:
    reports = [(step, 1.0 - step / 1000) for step in range(1, 151)]
    trials = [replace(toy_trial(place, {"likeness": 0.5 + place / 9}), reports=reports) for place in range(4)]
    steps = [
        check.step
        for check in signal_checks(toy_study([*trials, toy_trial(4, outcome=Outcome.pruned)]))
        if not check.is_last
    ]
    assert 50 in steps
    assert len(steps) <= 13
    assert (steps[0], steps[-1]) == (1, 149)
