"""A sweep that is started again with nothing to do says why, and what would have it go on."""

from dataclasses import replace
from pathlib import Path

import optuna
from study_toys import open_study, queue_of
from work_toys import plan_of

from sweeper.config import BudgetConfig, SweeperConfig
from sweeper.study.budget import Budget, is_enough, time_is_up
from sweeper.study.claim import Claim
from sweeper.study.records import TrialState
from sweeper.work.nothing_left import nothing_left

PREFIX = "Nothing was left to train: "


def studies(root: Path, *states: TrialState, confirmations: int = 0) -> tuple[optuna.Study, optuna.Study]:
    """Trials that ended so, each a second of work, and so many complete confirmations."""
    found = []
    for name, ends in (("search", states), ("confirm", (TrialState.complete,) * confirmations)):
        study, folder = open_study(root / name)
        queue = queue_of(study, folder, trials=len(ends))
        for state in ends:
            claim = queue.next_trial()
            assert isinstance(claim, Claim)
            values = {"score": 0.5} if state is TrialState.complete else {}
            assert queue.tell(claim, replace(claim.record, state=state, values=values))
        found.append(study)
    return found[0], found[1]


def said(root: Path, *states: TrialState, budget: BudgetConfig, confirmations: int = 0) -> str:
    def change(settings: SweeperConfig) -> None:
        settings.budget, settings.params = budget, {"network.rank": "choice(4,8)"}

    text = nothing_left(
        plan_of("seed=1,2", change=change), *studies(root, *states, confirmations=confirmations)
    )
    assert text.startswith(PREFIX)
    return text.removeprefix(PREFIX)


DONE = TrialState.complete


def test_a_total_below_what_is_there_is_named(tmp_path: Path) -> None:
    assert said(tmp_path, DONE, DONE, budget=BudgetConfig(trials=1)) == (
        "this study has 2 trials, and hydra.sweeper.budget.trials=1 asks for no more. Raise it to go on."
    )


def test_confirmations_are_part_of_the_total(tmp_path: Path) -> None:
    """12 of 16 search; the other 4 train two settings again with two seeds."""
    assert said(tmp_path, *[DONE] * 12, budget=BudgetConfig(trials=16), confirmations=4) == (
        "this study has 12 trials and 4 confirmation runs, and hydra.sweeper.budget.trials=16 asks for no "
        "more. Raise it to go on."
    )


def test_the_default_total_is_called_so(tmp_path: Path) -> None:
    assert "hydra.sweeper.budget.trials=24 (the default) asks for no more" in said(
        tmp_path, *[DONE] * 18, budget=BudgetConfig()
    )


def test_what_failed_can_be_tried_again(tmp_path: Path) -> None:
    text = said(tmp_path, DONE, TrialState.failed, budget=BudgetConfig(trials=2))
    assert text.endswith("Raise it to go on. 1 failed; python -m sweeper retry queues what failed again.")


def test_patience_is_named_with_the_trials_that_used_it_up(tmp_path: Path) -> None:
    """The first of equal values is the better one; three more follow it."""
    assert said(tmp_path, *[DONE] * 4, budget=BudgetConfig(trials=9, patience=3)) == (
        "this study has 4 trials, the last 3 without a better one. Raise hydra.sweeper.budget.patience to go "
        "on."
    )


def test_hours_are_named_first_as_workers_look_at_them_first(tmp_path: Path) -> None:
    text = said(tmp_path, DONE, budget=BudgetConfig(trials=1, hours=1e-9))
    assert text.endswith(" of 1e-09 hours are used up. Raise hydra.sweeper.budget.hours to go on.")


def test_a_grid_that_is_whole_has_no_more_to_give(tmp_path: Path) -> None:
    plan = plan_of("network.rank=4,8")
    assert nothing_left(plan, *studies(tmp_path, DONE, DONE)) == (
        f"{PREFIX}this study has 2 trials, every combination once. More values are another study: "
        "hydra.sweeper.study=NAME."
    )


def test_more_trials_than_asked_for_are_not_called_a_part_of_them(tmp_path: Path) -> None:
    search, _ = studies(tmp_path, DONE, DONE)
    trials = search.get_trials()
    sentences = [is_enough(Budget(trials=count), trials, search.directions) for count in (1, 2, 3)]
    assert sentences == ["2 trials where 1 is asked for", "2 of 2 trials", None]


def test_a_short_time_is_not_rounded_to_nothing(tmp_path: Path) -> None:
    search, _ = studies(tmp_path, DONE)
    words = time_is_up(Budget(hours=1e-9), search.get_trials())
    assert words is not None and not words.startswith("0.0 ")
