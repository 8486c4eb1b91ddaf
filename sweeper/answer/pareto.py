"""Which trials may win, and which of them no other beats in everything."""

from collections.abc import Mapping, Sequence
from math import isfinite

from sweeper.config import Direction
from sweeper.study.records import TrialRecord, TrialState

SIGNS = {Direction.maximize: 1.0, Direction.minimize: -1.0}


def complete_trials(trials: Sequence[TrialRecord], objectives: Mapping[str, Direction]) -> list[TrialRecord]:
    """Those that completed with a finite value of every objective, in their order."""
    return [
        trial
        for trial in trials
        if trial.state is TrialState.complete
        and all(name in trial.values and isfinite(trial.values[name]) for name in objectives)
    ]


def eligible_trials(trials: Sequence[TrialRecord], objectives: Mapping[str, Direction]) -> list[TrialRecord]:
    """The complete ones that hold every constraint: what can win."""
    return [trial for trial in complete_trials(trials, objectives) if trial.feasible]


def signed_values(values: Mapping[str, float], objectives: Mapping[str, Direction]) -> tuple[float, ...]:
    """The values in the order of the objectives, turned so that higher is better."""
    return tuple(SIGNS[direction] * values[name] for name, direction in objectives.items())


def pareto_front(points: Mapping[int, tuple[float, ...]]) -> list[int]:
    """The numbers of the points that no other point dominates, rising.

    points   number -> values, higher is better; equal points are all on the front
    A point is only compared with the front so far: sorted from the best, none can be beaten by a later one.
    """
    front: list[tuple[int, tuple[float, ...]]] = []
    for number, point in sorted(points.items(), key=lambda item: item[1], reverse=True):
        if not any(_dominates(other, point) for _, other in front):
            front.append((number, point))
    return sorted(number for number, _ in front)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
