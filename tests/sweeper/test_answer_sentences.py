"""The sentence that is the answer, for every way in which a study can end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from record_toys import BEST, DEFAULTS, lr_study, toy_confirmation, toy_study, toy_trial

from engine.config.outcome import Outcome
from sweeper.answer.answer import answer_of, winner_of
from sweeper.answer.names import settings_words, short_names, show_value
from sweeper.answer.records import Answer, AnswerKind
from sweeper.answer.words import number_words
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord, TrialState

SEEDS = (1001, 1002, 1003)
OF_BOTH = ("likeness", "adherence")


def two_trials(best: float = 0.77) -> list[TrialRecord]:
    return [toy_trial(0, {"likeness": 0.6}), toy_trial(7, {"likeness": best}, params=BEST)]


def confirmed(
    runs: Mapping[int, Sequence[Mapping[str, float] | None]], trials: Sequence[TrialRecord] | None = None
) -> Answer:
    """Of each trial the values by seed; None: that run has not ended."""
    trials = trials or two_trials()
    settings = {trial.number: trial.params for trial in trials}
    made = [
        toy_confirmation(10 * of + place, of, SEEDS[place], values=values, params=settings[of])
        for of, own in runs.items()
        for place, values in enumerate(own)
    ]
    names = [name for own in runs.values() for values in own if values for name in values]
    ways = dict.fromkeys(names, Direction.maximize)
    return answer_of(toy_study(trials, confirmations=made, objectives=ways))


def likeness(*values: float) -> list[Mapping[str, float]]:
    return [{"likeness": value} for value in values]


def test_a_confirmed_gain_is_said_with_its_spread_and_its_cause() -> None:
    answer = answer_of(lr_study())
    assert answer.sentence == (
        "rank 16, alpha_ratio 1, lr 3e-3 beats the declared default (rank 16, alpha_ratio 1, lr 1e-4) by "
        "0.170 ± 0.012 likeness over 3 seeds, mostly the learning rate (100 %)."
    )
    assert (answer.kind, answer.winner, answer.is_confirmed) == (AnswerKind.better, 7, True)
    assert (answer.winner_seeds, answer.search_best, answer.has_baseline) == (3, 7, True)
    assert answer.counts == {"completed": 14, "pruned": 3, "diverged": 1}
    assert "adherence +0.00000 ± 0.00157 over 3 seeds: within the noise" in answer.details
    assert (
        "3 of 18 trials pruned: 300 steps (12 % of the search) and 60 s of training saved" in answer.details
    )


def test_a_gain_within_the_noise_is_none() -> None:
    """Differences .04, -.02 and .01: mean .01, deviation .03, 4.302653 * .03 / sqrt(3) = .0745."""
    answer = confirmed({7: likeness(0.62, 0.60, 0.61), 0: likeness(0.58, 0.62, 0.60)})
    assert answer.sentence == (
        "Nothing found beats your default: the differences are within the noise (best: trial 7, likeness "
        "+0.010 ± 0.075 over 3 seeds)."
    )
    assert (answer.kind, answer.winner, answer.is_confirmed) == (AnswerKind.within_noise, 7, True)


def test_a_default_that_is_confirmed_as_the_best_is_named() -> None:
    answer = confirmed({7: likeness(0.57, 0.58, 0.59), 0: likeness(0.60, 0.60, 0.60)})
    assert answer.sentence.startswith(
        "Trial 0, your default (rank 16, alpha_ratio 1, lr 1e-4), is the best: likeness 0.600 ± 0.000 over 3 "
        "seeds. Next: trial 7, likeness -0.020 ± 0.025 over 3 seeds."
    )
    assert (answer.kind, answer.winner) == (AnswerKind.default_best, 0)


def test_a_gain_in_one_objective_and_a_loss_in_another_is_a_trade() -> None:
    trials = [
        toy_trial(0, dict.fromkeys(OF_BOTH, 0.6)),
        toy_trial(7, dict(zip(OF_BOTH, (0.8, 0.55), strict=True)), params=BEST),
    ]
    gain = [dict(zip(OF_BOTH, values, strict=True)) for values in ((0.80, 0.54), (0.81, 0.55), (0.82, 0.56))]
    base = [dict(zip(OF_BOTH, values, strict=True)) for values in ((0.60, 0.59), (0.61, 0.60), (0.62, 0.61))]
    answer = confirmed({7: gain, 0: base}, trials)
    assert answer.kind is AnswerKind.trade
    assert "gains 0.200 ± 0.00" in answer.sentence
    assert "likeness over the declared default" in answer.sentence
    assert "and loses 0.050 ± 0.00" in answer.sentence
    assert "adherence, over 3 seeds" in answer.sentence


def test_a_clear_gain_is_preferred_to_a_higher_one_that_is_not_clear() -> None:
    trials = [*two_trials(), toy_trial(8, {"likeness": 0.75}, params={**BEST, "network.rank": 8})]
    runs = {7: likeness(0.9, 0.6, 0.9), 8: likeness(0.7, 0.71, 0.72), 0: likeness(0.6, 0.61, 0.62)}
    answer = confirmed(runs, trials)
    assert (answer.kind, answer.winner) == (AnswerKind.better, 8)
    assert any(notice.startswith("trial 7 came out higher") for notice in answer.notices)


def test_a_plain_grid_is_not_confirmed() -> None:
    answer = answer_of(toy_study(two_trials()))
    assert (answer.kind, answer.winner, answer.is_confirmed) == (AnswerKind.unconfirmed, 7, False)
    assert answer.sentence.startswith("rank 16, alpha_ratio 1, lr 3e-3 (trial 7) is the best of 2 trials: ")
    assert "likeness +0.170 ± 0.00" in answer.sentence
    assert answer.sentence.endswith(", one training seed each: not confirmed.")


def test_a_grid_whose_default_is_the_best_says_so() -> None:
    answer = answer_of(toy_study(two_trials(best=0.5)))
    assert answer.kind is AnswerKind.default_best
    assert answer.sentence == (
        "Trial 0, your default (rank 16, alpha_ratio 1, lr 1e-4), is the best of 2 trials: likeness 0.600, "
        "one training seed each: not confirmed."
    )


def test_missing_confirmations_are_counted() -> None:
    answer = confirmed({7: [{"likeness": 0.7}, None, None], 0: [{"likeness": 0.6}, {"likeness": 0.6}, None]})
    assert (answer.kind, answer.winner, answer.num_missing) == (AnswerKind.waiting, 7, 3)
    assert answer.sentence.endswith("not confirmed yet, 3 of 6 confirmation runs are missing.")


def test_confirmations_that_have_not_begun_are_missing_too() -> None:
    answer = answer_of(replace(toy_study(two_trials()), num_confirmations=6))
    assert (answer.kind, answer.num_missing) == (AnswerKind.waiting, 6)
    assert "6 of 6 confirmation runs are missing" in answer.sentence


def test_confirmations_of_the_default_alone_say_nothing_yet() -> None:
    """They may run before the search has ended."""
    runs = [toy_confirmation(place, 0, seed, values={"likeness": 0.6}) for place, seed in enumerate(SEEDS)]
    record = replace(toy_study(two_trials(), confirmations=runs), num_confirmations=6)
    answer = answer_of(record)
    assert (answer.kind, answer.winner, answer.num_missing) == (AnswerKind.waiting, 7, 3)
    assert "3 of 6 confirmation runs are missing" in answer.sentence
    alone = answer_of(replace(record, trials=record.trials[:1]))
    assert (alone.kind, alone.num_missing) == (AnswerKind.single, 0)


def test_a_search_that_goes_on_says_so_far() -> None:
    trials = [*two_trials(), toy_trial(8, outcome=None)]
    assert "is the best of 2 trials so far" in answer_of(toy_study(trials)).sentence


def test_one_seed_that_came_through_confirms_nothing() -> None:
    answer = confirmed({7: likeness(0.7), 0: likeness(0.6)})
    assert (answer.kind, answer.winner, answer.is_confirmed) == (AnswerKind.unconfirmed, 7, False)
    assert "a single fresh seed, which has no interval" in answer.sentence


def test_a_single_trial_has_nothing_to_be_compared_with() -> None:
    answer = answer_of(toy_study(two_trials()[:1]))
    assert answer.kind is AnswerKind.single
    assert answer.sentence == (
        "Only trial 0, your default (rank 16, alpha_ratio 1, lr 1e-4), has completed: there is nothing to "
        "compare it with. likeness 0.600."
    )


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.diverged, "Your default, trial 0, diverged (NaN at step 5)"),
        (Outcome.pruned, "Your default, trial 0, was pruned (NaN at step 5)"),
        (Outcome.failed, "Your default, trial 0, failed (NaN at step 5)"),
        (Outcome.out_of_memory, "Your default, trial 0, ran out of memory (NaN at step 5)"),
        (None, "Your default, trial 0, has not ended"),
    ],
)
def test_without_the_default_there_is_no_comparison(outcome: Outcome | None, words: str) -> None:
    trials = [toy_trial(0, outcome=outcome, cause="NaN at step 5"), two_trials()[1]]
    answer = answer_of(toy_study(trials))
    assert (answer.kind, answer.winner, answer.has_baseline) == (AnswerKind.no_comparison, 7, False)
    assert f"{words}: there is nothing to compare it with." in answer.sentence


def test_a_default_that_failed_in_every_confirmation_is_no_comparison() -> None:
    lost = replace(lr_study())
    runs = [
        replace(run, state=TrialState.failed, outcome=Outcome.diverged, values={}) if run.of == 0 else run
        for run in lost.confirmations
    ]
    answer = answer_of(replace(lost, confirmations=runs))
    assert (answer.kind, answer.winner, answer.is_confirmed) == (AnswerKind.no_comparison, 7, True)
    assert "likeness 0.760 ± 0.025" in answer.sentence
    assert "trial 0: 3 confirmation runs did not complete" in " ".join(answer.notices)


def test_a_setting_that_failed_a_confirmation_cannot_win() -> None:
    study = lr_study()
    runs = list(study.confirmations)
    runs[0] = replace(runs[0], state=TrialState.failed, outcome=Outcome.diverged, values={})
    answer = answer_of(replace(study, confirmations=runs))
    assert (answer.kind, answer.winner) == (AnswerKind.default_best, 0)
    assert "trial 7: 1 confirmation run did not complete" in " ".join(answer.notices)


def test_where_no_setting_came_through_nothing_is_confirmed() -> None:
    study = lr_study()
    runs = [
        replace(run, state=TrialState.failed, outcome=Outcome.diverged, values={})
        if run.seed == 1001
        else run
        for run in study.confirmations
    ]
    answer = answer_of(replace(study, confirmations=runs))
    assert (answer.kind, answer.winner, answer.is_confirmed) == (AnswerKind.unconfirmed, 7, False)
    assert "none could be confirmed" in answer.sentence


def test_all_failed_names_the_first_cause() -> None:
    trials = [
        toy_trial(0, outcome=Outcome.diverged, cause="the loss was NaN at step 50."),
        toy_trial(1, outcome=Outcome.failed, cause="KeyError"),
        toy_trial(2, outcome=Outcome.out_of_memory),
    ]
    answer = answer_of(toy_study(trials))
    assert (answer.kind, answer.winner, answer.command) == (AnswerKind.all_failed, None, "")
    assert answer.sentence == (
        "All 3 trials failed (1 diverged, 1 failed, 1 out of memory). Trial 0: the loss was NaN at step 50."
    )


def test_a_sweep_that_only_pruned_has_no_complete_trial() -> None:
    trials = [toy_trial(0, outcome=Outcome.pruned), toy_trial(1, outcome=Outcome.pruned)]
    answer = answer_of(toy_study(trials))
    assert answer.kind is AnswerKind.none_complete
    assert answer.sentence == "No trial has completed (2 pruned)."


def test_trials_against_a_constraint_are_not_an_answer() -> None:
    trials = [toy_trial(number, constraints={"peak_vram_gb": 1.5}) for number in range(2)]
    answer = answer_of(toy_study(trials, constraints={"peak_vram_gb": "<= 23"}))
    assert (answer.kind, answer.winner) == (AnswerKind.infeasible, None)
    assert answer.sentence == (
        "No trial can win: all 2 trials that completed break a constraint: peak_vram_gb <= 23 (2 "
        "trials, the nearest 1.500 beyond)."
    )


@pytest.mark.parametrize(
    "trials", [[], [toy_trial(0, outcome=None)], [toy_trial(0, outcome=Outcome.interrupted)]]
)
def test_before_any_trial_has_ended_there_is_nothing_to_say(trials: list[TrialRecord]) -> None:
    assert answer_of(toy_study(trials)).kind is AnswerKind.nothing_yet


def test_a_default_against_a_constraint_is_compared_with_and_cannot_win() -> None:
    trials = [toy_trial(0, {"likeness": 0.9}, constraints={"health": 1.0}), two_trials()[1]]
    answer = answer_of(toy_study(trials))
    assert answer.winner == 7
    assert "the default itself breaks a constraint (health)" in " ".join(answer.notices)


def test_minimised_objectives_gain_by_falling() -> None:
    trials = [toy_trial(0, {"val_loss": 0.2}), toy_trial(7, {"val_loss": 0.1}, params=BEST)]
    runs = [
        toy_confirmation(place, of, seed, values={"val_loss": value}, params=params)
        for of, value, params in ((7, 0.1, BEST), (0, 0.2, DEFAULTS))
        for place, seed in enumerate(SEEDS)
    ]
    record = toy_study(trials, confirmations=runs, objectives={"val_loss": Direction.minimize})
    answer = answer_of(record)
    assert (answer.kind, answer.winner) == (AnswerKind.better, 7)
    assert "by 0.100 ± 0.00" in answer.sentence


def test_a_winner_that_is_no_objective_is_said() -> None:
    answer = answer_of(replace(lr_study(), winner="colour"))
    assert any(notice.startswith("winner: colour is not an objective") for notice in answer.notices)


def test_a_trial_without_a_score_is_said_to_be_left_out() -> None:
    bare = replace(toy_trial(8), values={})
    assert "trial 8 completed without a value of every objective, and is left out." in (
        answer_of(toy_study([*two_trials(), bare])).notices
    )


def test_the_winner_s_trial_gives_its_command() -> None:
    record = lr_study()
    answer = answer_of(record)
    winner = winner_of(record, answer)
    assert winner is not None
    assert answer.command == winner.command
    assert answer.weights == winner.weights


def test_the_same_record_gives_the_same_answer() -> None:
    assert answer_of(lr_study()) == answer_of(lr_study())


def test_many_keys_are_told_by_their_differences() -> None:
    extra: dict[str, object] = {f"noise.k{place}": place for place in range(3)}
    trials = [
        toy_trial(0, {"likeness": 0.6}, params={**DEFAULTS, **extra}),
        toy_trial(1, {"likeness": 0.7}, params={**BEST, **extra}),
    ]
    record: StudyRecord = replace(toy_study(trials), defaults={**DEFAULTS, **extra})
    assert answer_of(record).sentence.startswith("lr 3e-3 (trial 1) is the best of 2 trials: ")


def test_short_names_are_the_shortest_endings_that_are_unique() -> None:
    keys = ["network.rank", "optimizer", "optimizer.lr", "a.args.d", "b.args.d", "c.d"]
    assert short_names(keys) == {
        "network.rank": "rank",
        "optimizer": "optimizer",
        "optimizer.lr": "lr",
        "a.args.d": "a.args.d",
        "b.args.d": "b.args.d",
        "c.d": "c.d",
    }


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.003, "3e-3"),
        (1e-4, "1e-4"),
        (0.000479, "4.79e-4"),
        (0.05, "0.05"),
        (1.0, "1"),
        (0, "0"),
        (0.0, "0"),
        (16, "16"),
        (1500.0, "1500"),
        (True, "true"),
        (None, "null"),
        ("adamw", "adamw"),
        ([1, 0.5], "[1,0.5]"),
        (-0.002, "-2e-3"),
    ],
)
def test_values_are_written_as_people_write_them(value: object, words: str) -> None:
    assert show_value(value) == words


def test_settings_without_keys_are_the_defaults() -> None:
    assert settings_words({}, {}) == "the defaults"


def test_numbers_have_three_decimals_and_more_where_they_would_vanish() -> None:
    assert number_words(0.17, 0.0123) == "0.170 ± 0.012"
    assert number_words(0.01, is_signed=True) == "+0.010"
    assert number_words(0.000123, 0.00004) == "0.000123 ± 0.000040"
    assert number_words(0.0) == "0.000"


def test_a_grid_that_does_not_begin_with_the_default_is_not_compared_with_it() -> None:
    trials = [
        toy_trial(number, {"likeness": 0.6 + rank / 1000}, params={"network.rank": rank})
        for number, rank in enumerate((4, 8))
    ]
    record = replace(toy_study(trials), defaults={"network.rank": 16}, sampler="grid")
    answer = answer_of(record)
    assert answer.kind is AnswerKind.unconfirmed
    assert answer.sentence == (
        "rank 8 (trial 1) is the best of 2 trials: likeness 0.608, one training seed each: not confirmed."
    )
    assert not answer.has_baseline


def test_one_trial_against_a_constraint_or_lost_is_told_in_the_singular() -> None:
    alone = toy_study([toy_trial(0, constraints={"health": 0.5})], constraints={"health": ">= 1"})
    assert answer_of(alone).sentence == (
        "No trial can win: the only one that completed breaks a constraint: health >= 1 (1 trial, the "
        "nearest 0.500 beyond)."
    )
    lost = toy_study([toy_trial(0, outcome=Outcome.diverged, cause="the loss of step 2 is nan.")])
    assert answer_of(lost).sentence == "The only trial diverged. Trial 0: the loss of step 2 is nan."


def test_where_nothing_can_win_it_is_not_said_of_the_default_alone() -> None:
    answer = answer_of(toy_study([toy_trial(0, constraints={"health": 0.5})]))
    assert not any("the default itself" in notice for notice in answer.notices)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.6, 0.5], "of 2 trials: "),
        ([0.6, 0.6], "of 2 trials, level with trial 1: "),
        ([0.6, 0.6, 0.5, 0.6], "of 4 trials, level with trials 1 and 3: "),
        ([0.6] * 6, "of 6 trials, level with 5 others: "),
    ],
)
def test_trials_that_are_exactly_as_good_are_named(values: list[float], words: str) -> None:
    trials = [toy_trial(number, {"likeness": value}) for number, value in enumerate(values)]
    assert f"is the best {words}" in answer_of(toy_study(trials)).sentence
