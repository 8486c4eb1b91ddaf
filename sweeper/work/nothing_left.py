"""Why a sweep that is started again has nothing to train, and what would have it go on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweeper.answer.words import runs_words, trials_words
from sweeper.study.budget import Budget, has_begun, time_is_up, trials_without_gain
from sweeper.study.facts import latest_of
from sweeper.work.plan import SweepPlan

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_LIMIT = "hydra.sweeper.budget"


def nothing_left(plan: SweepPlan, search: "optuna.Study", confirm: "optuna.Study") -> str:
    """A sentence or two; which limit it is follows the order in which workers look at them."""
    trials, runs = (latest_of(study.get_trials(deepcopy=False)) for study in (search, confirm))
    failed = sum(trial.state.name == "FAIL" for trial in [*trials, *runs])
    retry = f" {failed} failed; python -m sweeper retry queues what failed again." if failed else ""
    return f"Nothing was left to train: {_why(plan, trials, runs, search)}{retry}"


def _why(
    plan: SweepPlan, trials: Sequence["FrozenTrial"], runs: Sequence["FrozenTrial"], search: "optuna.Study"
) -> str:
    budget = plan.settings.budget
    limits = {"hours": Budget(hours=budget.hours), "gpu_hours": Budget(gpu_hours=budget.gpu_hours)}
    for name, limit in limits.items():
        if (up := time_is_up(limit, [*trials, *runs])) is not None:
            return f"{up} are used up. Raise {_LIMIT}.{name} to go on."
    begun = sum(has_begun(trial) for trial in trials)
    there = f"this study has {trials_words(begun)}"
    confirmed = sum(has_begun(run) for run in runs)
    there += f" and {runs_words(confirmed)}" if confirmed else ""
    if plan.is_grid and begun >= plan.num_combinations:
        return f"{there}, every combination once. More values are another study: hydra.sweeper.study=NAME."
    if begun >= plan.num_search:
        limit_words = f"{_LIMIT}.trials={plan.num_trials}" + (" (the default)" * (budget.trials is None))
        return f"{there}, and {limit_words} asks for no more. Raise it to go on."
    gain = trials_without_gain(trials, search.directions)
    if budget.patience is not None and gain >= budget.patience:
        return f"{there}, the last {gain} without a better one. Raise {_LIMIT}.patience to go on."
    return f"{there}, and there is no other to be tried."
