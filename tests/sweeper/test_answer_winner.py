"""The Pareto front, and which trial is the best."""

import random
from dataclasses import replace

import pytest
from record_toys import toy_score, toy_study, toy_trial

from engine.config.outcome import Outcome
from sweeper.answer.pareto import complete_trials, pareto_front
from sweeper.answer.records import Ranked
from sweeper.answer.winner import RuleKind, rank_trials, rule_of
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord, TrialScore

BOTH = {"likeness": Direction.maximize, "adherence": Direction.maximize}


def ranked(record: StudyRecord) -> list[Ranked]:
    return rank_trials(record, rule_of(record))


def numbers(record: StudyRecord) -> list[int]:
    return [one.number for one in ranked(record)]


def anchored_trial(number: int, likeness: float, adherence: float) -> TrialRecord:
    """A trial whose two objectives are anchored at these values: base 0, true pictures 1."""
    values = {"likeness": likeness, "adherence": adherence}
    scores = {
        name: TrialScore(value=value, base=0.0, real=1.0, anchored=value) for name, value in values.items()
    }
    return replace(toy_trial(number, values), scores=scores)


def test_the_front_holds_the_points_that_nothing_beats() -> None:
    points = {0: (1.0, 5.0), 1: (3.0, 3.0), 2: (5.0, 1.0), 3: (2.0, 2.0), 4: (3.0, 2.9)}
    assert pareto_front(points) == [0, 1, 2]


def test_equal_points_are_all_on_the_front() -> None:
    assert pareto_front({3: (1.0, 1.0), 1: (1.0, 1.0), 2: (0.0, 1.0)}) == [1, 3]


def test_a_front_of_one_objective_is_its_best() -> None:
    assert pareto_front({0: (0.1,), 1: (0.3,), 2: (0.2,)}) == [1]


def test_no_points_have_no_front() -> None:
    assert pareto_front({}) == []


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_that_of_comparing_every_pair(seed: int) -> None:
    draw = random.Random(seed)
    points = {number: tuple(float(draw.randrange(6)) for _ in range(3)) for number in range(60)}

    def is_beaten(point: tuple[float, ...]) -> bool:
        others = [other for other in points.values() if other != point]
        return any(all(a >= b for a, b in zip(other, point, strict=True)) for other in others)

    assert pareto_front(points) == [number for number, point in points.items() if not is_beaten(point)]


def test_one_objective_is_ranked_by_its_value() -> None:
    trials = [toy_trial(number, {"likeness": value}) for number, value in enumerate((0.6, 0.8, 0.7))]
    assert numbers(toy_study(trials)) == [1, 2, 0]


def test_a_minimised_objective_is_ranked_from_the_lowest() -> None:
    trials = [toy_trial(number, {"val_loss": value}) for number, value in enumerate((0.2, 0.1, 0.3))]
    record = toy_study(trials, objectives={"val_loss": Direction.minimize})
    assert numbers(record) == [1, 0, 2]
    assert rule_of(record).words == "val_loss, lower is better"


def test_of_equal_trials_the_earlier_wins() -> None:
    trials = [toy_trial(number, {"likeness": 0.7}) for number in (2, 0, 1)]
    assert numbers(toy_study(trials)) == [0, 1, 2]


def test_what_breaks_a_constraint_never_wins() -> None:
    trials = [
        toy_trial(0, {"likeness": 0.6}),
        toy_trial(1, {"likeness": 0.9}, constraints={"peak_vram_gb": 0.5}),
        toy_trial(2, {"likeness": 0.7}, constraints={"peak_vram_gb": 0.0}),
    ]
    assert numbers(toy_study(trials)) == [2, 0]


def test_only_complete_trials_with_every_objective_count() -> None:
    trials = [
        toy_trial(0, {"likeness": 0.6, "adherence": 0.5}),
        toy_trial(1, outcome=Outcome.pruned),
        toy_trial(2, outcome=Outcome.diverged),
        toy_trial(3, outcome=None),
        toy_trial(4, {"likeness": 0.9}),
        toy_trial(5, {"likeness": float("nan"), "adherence": 0.5}),
    ]
    assert [trial.number for trial in complete_trials(trials, BOTH)] == [0]


def test_several_objectives_are_ranked_by_their_harmonic_mean() -> None:
    trials = [anchored_trial(0, 0.2, 0.9), anchored_trial(1, 0.5, 0.5), anchored_trial(2, 0.8, 0.3)]
    found = ranked(toy_study(trials, objectives=BOTH))
    # 2 / (1/.5 + 1/.5) = .5; 2 / (1/.8 + 1/.3) = .436364; 2 / (1/.2 + 1/.9) = .327273
    assert [one.number for one in found] == [1, 2, 0]
    assert [one.rank_value for one in found] == pytest.approx([0.5, 0.436364, 0.327273], abs=1e-6)
    assert all(one.is_front for one in found)


def test_below_the_base_the_worse_objective_ranks() -> None:
    trials = [anchored_trial(0, 0.9, -0.2), anchored_trial(1, 0.3, -0.1), anchored_trial(2, 0.1, 0.01)]
    found = ranked(toy_study(trials, objectives=BOTH))
    assert [one.number for one in found] == [2, 1, 0]
    assert [one.rank_value for one in found[1:]] == [-0.1, -0.2]


def test_winner_by_a_metric_ranks_by_it_alone() -> None:
    trials = [anchored_trial(0, 0.2, 0.9), anchored_trial(1, 0.5, 0.5), anchored_trial(2, 0.8, 0.3)]
    assert numbers(toy_study(trials, objectives=BOTH, winner="likeness")) == [2, 1, 0]
    assert numbers(toy_study(trials, objectives=BOTH, winner="adherence")) == [0, 1, 2]


def test_winner_by_a_metric_takes_the_point_of_the_front_among_equals() -> None:
    trials = [anchored_trial(0, 0.8, 0.2), anchored_trial(1, 0.8, 0.3)]
    assert numbers(toy_study(trials, objectives=BOTH, winner="likeness")) == [1, 0]


def test_an_objective_without_anchor_only_has_to_stay_at_the_base() -> None:
    """toy_score: adherence of the base is 0.5, each value's interval 0.02."""
    trials = [
        toy_trial(0, {"likeness": 0.60, "adherence": 0.50}),
        toy_trial(1, {"likeness": 0.80, "adherence": 0.47}),
        toy_trial(2, {"likeness": 0.70, "adherence": 0.481}),
        toy_trial(3, {"likeness": 0.65, "adherence": 0.60}),
    ]
    record = toy_study(trials, objectives=BOTH)
    found = ranked(record)
    assert [one.number for one in found] == [2, 3, 0, 1]
    assert found[-1].behind == "adherence worse than the base model's"
    rule = rule_of(record)
    assert (rule.kind, rule.ranked_by, rule.guards) == (RuleKind.harmonic, ("likeness",), ("adherence",))
    assert "adherence cannot be anchored" in rule.notices[0]


def test_a_guard_that_no_trial_holds_is_dropped() -> None:
    trials = [
        toy_trial(0, {"likeness": 0.60, "adherence": 0.40}),
        toy_trial(1, {"likeness": 0.80, "adherence": 0.30}),
    ]
    record = toy_study(trials, objectives=BOTH)
    assert numbers(record) == [1, 0]
    assert rule_of(record).guards == ()
    assert "No trial kept it" in rule_of(record).notices[0]


def test_a_minimised_guard_must_not_rise() -> None:
    ways = {"likeness": Direction.maximize, "luminance_error": Direction.minimize}
    trials = [
        toy_trial(0, {"likeness": 0.60, "luminance_error": 0.51}),
        toy_trial(1, {"likeness": 0.80, "luminance_error": 0.53}),
    ]
    assert numbers(toy_study(trials, objectives=ways)) == [0, 1]


def test_without_any_anchor_objectives_are_measured_by_their_range() -> None:
    ways = {"adherence": Direction.maximize, "luminance_error": Direction.minimize}
    trials = [
        toy_trial(0, {"adherence": 0.5, "luminance_error": 0.4}),  # places 0 and .5: .25
        toy_trial(1, {"adherence": 0.7, "luminance_error": 0.6}),  # 1 and 0: .5
        toy_trial(2, {"adherence": 0.65, "luminance_error": 0.2}),  # .75 and 1: .875
    ]
    record = toy_study(trials, objectives=ways)
    found = ranked(record)
    assert [(one.number, round(one.rank_value, 9)) for one in found] == [(2, 0.875), (1, 0.5), (0, 0.25)]
    assert "hydra.sweeper.winner" in rule_of(record).notices[0]


def test_a_trial_without_its_own_anchor_takes_the_study_s() -> None:
    trials = [toy_trial(0, {"likeness": 0.6}), toy_trial(1, {"likeness": 0.725})]
    bare = TrialScore(value=0.725)
    record = toy_study([trials[0], replace(trials[1], scores={"likeness": bare})])
    assert ranked(record)[0].anchored["likeness"] == pytest.approx(0.5)  # (.725 - .55) / (.9 - .55)


def test_toy_scores_are_anchored_as_they_say() -> None:
    assert toy_score("likeness", 0.725).anchored == pytest.approx(0.5)
