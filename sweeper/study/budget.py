"""When a study has had enough: trials, hours, GPU-hours, patience; counted from what the storage holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sweeper.study.facts import latest_of, spans_of, starts_of

if TYPE_CHECKING:
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

HOUR = 3600.0


@dataclass(kw_only=True, slots=True, frozen=True)
class Budget:
    """Totals over all starts of a study, as this start of it states them; None = no limit."""

    trials: int | None = None  # of this study: the search's share, or all confirmations
    hours: float | None = None  # in which at least one worker was at work, search and confirmation together
    gpu_hours: float | None = None  # summed over the workers, each of which has one place of the launcher
    patience: int | None = None  # trials in a row that ended without a better one
    only_queued: bool = False  # nothing is proposed: all trials are in the queue, as those of a grid are


def has_begun(trial: "FrozenTrial") -> bool:
    """Whether a worker was ever at work on it; one that waits in the queue for its first start was not."""
    return trial.state.name != "WAITING" or any(start.ended for start in starts_of(trial.user_attrs))


def hours_at_work(trials: Sequence["FrozenTrial"]) -> float:
    """Hours in which at least one worker was at work: nights between two starts of a study cost nothing.

    The stretches of all trials are laid over each other by the workers' own clocks: clocks that differ by
    a minute blur it by a minute. A worker that died counts up to its last sign of life.
    """
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(span for trial in trials for span in spans_of(trial.user_attrs)):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total / HOUR


def worker_hours(trials: Sequence["FrozenTrial"]) -> float:
    """Hours summed over workers: GPU-hours, as each worker has one GPU (or one place without)."""
    return sum(end - begin for trial in trials for begin, end in spans_of(trial.user_attrs)) / HOUR


def trials_without_gain(trials: Sequence["FrozenTrial"], directions: Sequence["StudyDirection"]) -> int:
    """Ended trials since the last one that was better than all before it, in the order of their ends.

    Better with several objectives: no earlier one is at least as good in all of them. Trials that were
    pruned, failed or break a constraint are never better.
    """
    ended = [trial for trial in latest_of(trials) if trial.state.is_finished()]
    ended.sort(key=lambda trial: (trial.datetime_complete or datetime.min, trial.number))
    front: list[list[float]] = []
    count = 0
    for trial in ended:
        losses = _losses(trial, directions)
        count += 1
        if losses is None or any(_is_at_least_as_good(other, losses) for other in front):
            continue
        front = [other for other in front if not _is_at_least_as_good(losses, other)] + [losses]
        count = 0
    return count


def time_is_up(budget: Budget, trials: Sequence["FrozenTrial"]) -> str | None:
    """The sentence of a limit in time that is reached; None while there is time."""
    if budget.hours is not None and (spent := hours_at_work(trials)) >= budget.hours:
        return f"{_hours_words(spent)} of {budget.hours:g} hours"
    if budget.gpu_hours is not None and (spent := worker_hours(trials)) >= budget.gpu_hours:
        return f"{_hours_words(spent)} of {budget.gpu_hours:g} GPU-hours"
    return None


def _hours_words(hours: float) -> str:
    """8.1, 0.0017: below six minutes with two digits that count."""
    return f"{hours:.1f}" if hours >= 0.1 else f"{hours:.2g}"


def is_enough(
    budget: Budget, trials: Sequence["FrozenTrial"], directions: Sequence["StudyDirection"]
) -> str | None:
    """The sentence of the limit that lets no other settings be begun; None while some may.

    A trial that is retried counts once: its retry stands in for it.
    """
    begun = sum(has_begun(trial) for trial in latest_of(trials))
    if budget.trials is not None and begun >= budget.trials:
        over = f"{begun} trials where {budget.trials} {'is' if budget.trials == 1 else 'are'} asked for"
        return over if begun > budget.trials else f"{begun} of {budget.trials} trials"
    if budget.patience is not None and trials_without_gain(trials, directions) >= budget.patience:
        return f"{budget.patience} trial{'s' * (budget.patience != 1)} in a row without a better one"
    return None


def _losses(trial: "FrozenTrial", directions: Sequence["StudyDirection"]) -> list[float] | None:
    """Objectives turned so that less is better; None of a trial that cannot be better."""
    if trial.state.name != "COMPLETE" or trial.values is None:
        return None
    if any(excess > 0 for excess in trial.constraints.values()):
        return None
    return [
        -value if way.name == "MAXIMIZE" else value
        for value, way in zip(trial.values, directions, strict=True)
    ]


def _is_at_least_as_good(losses: Sequence[float], others: Sequence[float]) -> bool:
    return all(own <= other for own, other in zip(losses, others, strict=True))
