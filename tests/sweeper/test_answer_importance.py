"""Importances on toys whose answer is known."""

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import log10
from statistics import median
from subprocess import run

import pytest
from record_toys import DIMENSIONS, lr_study, toy_likeness, toy_study, toy_trial

from engine.config.outcome import Outcome
from sweeper.answer.importance import importances_by_objective, importances_of, share_importances
from sweeper.answer.records import Importances
from sweeper.answer.winner import rule_of
from sweeper.config import Direction
from sweeper.study.records import Dimension, TrialScore

OPTIMIZERS = Dimension(key="optimizer", choices=("adamw", "prodigy"))
D_COEF = Dimension(key="optimizer.args.d_coef", low=0.1, high=3.0, log=True, when="optimizer=prodigy")


def drawn(seed: int) -> dict[str, object]:
    draw = random.Random(f"settings {seed}")
    return {
        "network.rank": draw.choice((4, 8, 16, 32, 64)),
        "network.alpha_ratio": draw.choice((0.25, 0.5, 1.0, 2.0)),
        "optimizer.lr": 10 ** draw.uniform(-5, -2),
    }


def shares(
    value: Callable[[Mapping[str, object]], float], *, count: int = 24, noise: float = 0.005, seed: int = 0
) -> Importances:
    """Importances of `count` trials drawn at random, whose value is a function of their settings."""
    draw = random.Random(seed)
    settings = [drawn(1000 * seed + number) for number in range(count)]
    values = [value(own) + noise * draw.gauss(0, 1) for own in settings]
    trials = [toy_trial(number, params=own) for number, own in enumerate(settings)]
    return share_importances(DIMENSIONS, trials, values, of="likeness")


def test_only_the_learning_rate_matters_in_the_toy_world() -> None:
    found = [shares(toy_likeness, seed=seed).shares["optimizer.lr"] for seed in range(5)]
    assert median(found) > 0.9


def test_an_ordered_key_is_found_as_well() -> None:
    found = [
        shares(lambda own: float(str(own["network.rank"])) / 64, seed=seed).shares["network.rank"]
        for seed in range(5)
    ]
    assert median(found) > 0.9


def test_two_keys_share_it() -> None:
    """Of the variance the rank makes .6 and the learning rate .4."""

    def both(own: Mapping[str, object]) -> float:
        return log10(float(str(own["optimizer.lr"]))) / 3 + log10(float(str(own["network.rank"]))) / 1.2

    found = shares(both, count=60).shares
    assert min(found["optimizer.lr"], found["network.rank"]) > 0.15
    assert found["network.alpha_ratio"] < 0.05


def test_shares_sum_to_one_and_fall() -> None:
    found = list(shares(toy_likeness).shares.values())
    assert sum(found) == pytest.approx(1.0)
    assert found == sorted(found, reverse=True)
    assert len(found) == len(DIMENSIONS)


def test_the_same_trials_give_the_same_shares() -> None:
    random.seed(1)
    first = shares(toy_likeness)
    random.seed(2)
    assert shares(toy_likeness) == first


def test_pure_noise_seldom_has_shares() -> None:
    reasons = [shares(lambda own: 0.0, noise=1.0, seed=seed).reason for seed in range(6)]
    assert sum(reason is not None and "chance" in reason for reason in reasons) >= 5


def test_seven_trials_are_too_few() -> None:
    found = shares(toy_likeness, count=7)
    assert (found.shares, found.num_trials) == ({}, 7)
    assert found.reason == "7 trials to learn from: importances take 8"
    assert shares(toy_likeness, count=8).reason != "8 trials to learn from: importances take 8"


def test_trials_of_one_value_have_no_importances() -> None:
    assert shares(lambda own: 0.5, noise=0.0).reason == "all trials came to the same value"


def test_trials_of_one_setting_have_no_importances() -> None:
    trials = [toy_trial(number) for number in range(9)]
    found = share_importances(DIMENSIONS, trials, [float(number) for number in range(9)], of="x")
    assert found.reason == "all trials have the same settings"


def test_a_category_and_what_exists_only_below_it_are_told_apart() -> None:
    draw = random.Random(3)
    settings: list[dict[str, object]] = []
    for number in range(40):
        own: dict[str, object] = {"optimizer": "prodigy" if number % 2 else "adamw"}
        if number % 2:
            own["optimizer.args.d_coef"] = 10 ** draw.uniform(-1, 0.4)
        settings.append(own)
    trials = [toy_trial(number, params=own) for number, own in enumerate(settings)]
    values = [float(own["optimizer"] == "prodigy") + 0.01 * draw.gauss(0, 1) for own in settings]
    found = share_importances((OPTIMIZERS, D_COEF), trials, values, of="x")
    assert found.shares["optimizer"] > 0.9


def test_a_default_outside_of_the_space_is_counted_too() -> None:
    settings = [drawn(number) for number in range(15)]
    settings.append({"network.rank": 128, "network.alpha_ratio": 0.75, "optimizer.lr": 0.5})
    trials = [toy_trial(number, params=own) for number, own in enumerate(settings)]
    values = [log10(float(str(own["optimizer.lr"]))) for own in settings]
    assert share_importances(DIMENSIONS, trials, values, of="x").shares["optimizer.lr"] > 0.8


def test_lower_values_count_as_better_where_an_objective_is_minimised() -> None:
    """PED-ANOVA tells the better half: a key that matters among low values alone shows which half it took."""
    record = lr_study(40, num_objectives=1)
    turned = replace(
        record,
        trials=[
            replace(trial, values={"likeness": -trial.values["likeness"]}) if trial.values else trial
            for trial in record.trials
        ],
        objectives={"likeness": Direction.minimize},
    )
    assert importances_by_objective(turned) == importances_by_objective(record)
    assert importances_by_objective(record)["likeness"].shares["optimizer.lr"] > 0.9


def test_what_decides_the_winner_is_its_own_where_several_objectives_are_mixed() -> None:
    """Likeness follows the learning rate alone, adherence the rank alone; both are anchored."""
    trials = []
    for number in range(60):
        own = drawn(number)
        lr = (log10(float(str(own["optimizer.lr"]))) + 5.5) / 4
        rank = log10(float(str(own["network.rank"]))) / 2
        scores = {
            name: TrialScore(value=value, base=0.0, real=1.0, anchored=value)
            for name, value in (("likeness", lr), ("adherence", rank))
        }
        values = {name: score.value for name, score in scores.items()}
        trials.append(replace(toy_trial(number, values, params=own), scores=scores))
    record = toy_study(trials, objectives=dict.fromkeys(("likeness", "adherence"), Direction.maximize))
    by_objective = importances_by_objective(record)
    found = importances_of(record, rule_of(record), by_objective)
    assert by_objective["likeness"].shares["optimizer.lr"] > 0.9
    assert by_objective["adherence"].shares["network.rank"] > 0.9
    assert found.of == "likeness and adherence"
    assert min(found.shares["network.rank"], found.shares["optimizer.lr"]) > 0.05


def test_of_two_objectives_each_has_its_own() -> None:
    found = importances_by_objective(lr_study())
    assert found["likeness"].shares
    assert found["adherence"].reason == "no key stands out from chance over 14 trials"


def test_a_study_without_trials_says_how_many_it_takes() -> None:
    record = toy_study([])
    by_objective = importances_by_objective(record)
    assert (
        importances_of(record, rule_of(record), by_objective).reason
        == "0 trials to learn from: importances take 8"
    )


def test_nothing_is_printed_and_optuna_waits_until_it_is_needed() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/sweeper')\n"
        "import sweeper.answer.answer, sweeper.answer.table, sweeper.answer.best_file\n"
        "assert 'optuna' not in sys.modules and 'torch' not in sys.modules\n"
        "from record_toys import lr_study\n"
        "assert sweeper.answer.answer.answer_of(lr_study()).importances.shares"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_trials_that_were_stopped_count_where_few_are_complete() -> None:
    """Five complete trials and nine pruned ones with rates that are too small: it is the rate."""
    rates = [3e-3, 2e-3, 4e-3, 2.5e-3, 3.5e-3, *(1e-5 * 2**place for place in range(9))]
    trials = [
        replace(
            toy_trial(
                number,
                {"likeness": 0.8 + number / 100},
                params={"optimizer.lr": rate, "network.rank": (4, 8, 16, 32)[number % 4]},
                outcome=Outcome.completed if number < 5 else Outcome.pruned,
            ),
            reports=((50, 0.2 - rate),),
        )
        for number, rate in enumerate(rates)
    ]
    record = toy_study(trials)
    found = importances_by_objective(record)["likeness"]
    assert found.num_trials == 14
    assert found.shares["optimizer.lr"] > 0.8
