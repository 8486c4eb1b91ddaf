"""Dimensions as Optuna's distributions, and settings as the parameters of one of its trials."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sweeper.space.overrides import text_of
from sweeper.space.space import Look, Space
from sweeper.space.values import is_inside, true_value
from sweeper.study.records import Dimension

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import (
        CategoricalChoiceType,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )


def distribution_of(dimension: Dimension) -> "CategoricalDistribution | FloatDistribution | IntDistribution":
    """Choices stay true values, also where they are ordered: see OrderedSampler."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.choices is not None:
        return CategoricalDistribution([held(value) for value in dimension.choices])
    assert dimension.low is not None and dimension.high is not None, "an interval has two ends"
    if dimension.integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def held(value: object) -> "CategoricalChoiceType":
    """A choice as Optuna's storages can hold it: a list is its text in Hydra's grammar."""
    return value if value is None or isinstance(value, bool | int | float | str) else text_of(value)


def suggest(trial: "Trial", space: Space, look: Look) -> dict[str, object]:
    """Settings for a trial; parameters that it has already (it is gone on with) are given again."""
    return space.complete(lambda dimension: _suggested(trial, space, dimension), look)


def parameters_of(space: Space, settings: Mapping[str, object], look: Look) -> dict[str, object]:
    """Parameters of given settings, as `study.enqueue_trial` takes them.

    A dimension that the settings do not name has its composed value; {} = the defaults. What lies outside of
    its dimension is left out: the trial has no such parameter, and Optuna no value that it can't hold.
    """
    found: dict[str, object] = {}
    for dimension in space.dimensions:
        if not space.exists(dimension, settings, look):
            continue
        value = _composed(space, dimension, settings, look)
        if value is not None and is_inside(dimension, value[0]):
            found[space.parameter(dimension)] = held(true_value(dimension, value[0]))
    return found


def suggest_given(
    trial: "Trial", space: Space, settings: Mapping[str, object], look: Look
) -> dict[str, object]:
    """The settings, for a trial that was enqueued with their `parameters_of` and takes these on."""
    names = parameters_of(space, settings, look)
    for dimension in space.dimensions:
        if space.parameter(dimension) in names and space.exists(dimension, settings, look):
            _suggested(trial, space, dimension)
    return dict(settings)


def _suggested(trial: "Trial", space: Space, dimension: Dimension) -> object:
    name = space.parameter(dimension)
    if dimension.choices is not None:
        choices = [held(value) for value in dimension.choices]
        return dimension.choices[choices.index(trial.suggest_categorical(name, choices))]
    assert dimension.low is not None and dimension.high is not None, "an interval has two ends"
    if dimension.integer:
        return trial.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def _composed(
    space: Space, dimension: Dimension, settings: Mapping[str, object], look: Look
) -> tuple[object] | None:
    """The value of a key, alone in a tuple since it may be null; None: there is no such key."""
    if dimension.key in settings:
        return (settings[dimension.key],)
    try:
        return (look(dimension.key, {**space.fixed, **settings}),)
    except KeyError:
        return None
