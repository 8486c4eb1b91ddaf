"""Before the first trial: conditions that nothing searched decides are decided, starts are checked."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from engine.config import ConfigError
from sweeper.space.conditions import Condition, read_condition
from sweeper.space.grammar import grammar_of
from sweeper.space.overrides import shown
from sweeper.space.space import Look, Space
from sweeper.space.values import is_inside, marks, true_value
from sweeper.space.walking import probes
from sweeper.study.records import Dimension


def settle(space: Space, look: Look) -> tuple[Space, list[str]]:
    """The space without conditions that nothing searched decides, and lines to print about it.

    raises  ConfigError where a condition can never hold, or a start lies outside of the space
    """
    kept: list[Dimension] = []
    fallen, problems = list[tuple[str, str]](), list[str]()
    for dimension in space.dimensions:
        before = replace(space, dimensions=tuple(kept), start=())
        found = dimension if dimension.when is None else _decided(before, dimension, look)
        if isinstance(found, Dimension):
            kept.append(found)
        elif found.startswith("when "):
            problems.append(found)
        else:
            fallen.append((dimension.key, found))
    settled = replace(space, dimensions=tuple(kept), notes=())
    gone = {key for key, _ in fallen} - {dimension.key for dimension in kept}
    lines = [*space.notes, *(line for key, line in fallen if key in gone)]
    starts = [_without(settings, gone) for settings in space.start]
    problems += [problem for settings in starts for problem in _start_problems(settled, settings, look)]
    if problems:
        raise ConfigError(problems)
    distinct: list[Mapping[str, object]] = []
    for settings in (_true(settled, settings) for settings in starts):
        if settings not in distinct:
            distinct.append(settings)
    return replace(settled, start=tuple(distinct)), lines


def _decided(before: Space, dimension: Dimension, look: Look) -> Dimension | str:
    """The dimension, without its condition where that always holds; a line if it falls away, or a problem."""
    assert dimension.when is not None, "only conditions are decided"
    condition = read_condition(dimension.when)
    searched = [other for other in before.dimensions if other.key == condition.key]
    if searched:
        return _by_search(dimension, condition, searched)
    if condition.key in before.fixed:
        texts = {shown(before.fixed[condition.key])}
    else:
        texts = set(_looked(before, condition, look))
    if not texts:
        return f"when '{condition}': {condition.key} does not exist here. Correct it, or leave it out."
    outcomes = {condition.holds(text) for text in texts}
    if outcomes == {True}:
        return replace(dimension, when=None)
    if outcomes == {True, False}:
        return dimension
    if len(texts) == 1:
        return f"{dimension.key}: left out, since {condition.key}={texts.pop()}"
    return f"{dimension.key}: left out, since {condition.key} is never {' or '.join(condition.values)}"


def _by_search(dimension: Dimension, condition: Condition, searched: list[Dimension]) -> Dimension | str:
    key = condition.key
    if any(other.choices is None and not other.integer for other in searched):
        return f"when '{condition}': {key} is an interval, without single values. Use choices."
    for value in condition.values:
        if not any(is_inside(other, value) for other in searched):
            where = " and ".join(grammar_of(other) for other in searched)
            return f"when '{condition}': {key} is never {value}, it is searched over {where}. Correct it."
    only = searched[0]
    always = len(searched) == 1 and only.when is None and only.choices is not None
    if always and all(condition.holds(value) for value in marks(only)):
        return replace(dimension, when=None)
    return dimension


def _looked(space: Space, condition: Condition, look: Look) -> Iterator[str]:
    """What the key of a condition is under all that is searched; nothing where it never exists."""
    for settings in probes(space, look):
        try:
            yield look(condition.key, {**space.fixed, **settings})
        except KeyError:
            continue


def _without(settings: Mapping[str, object], gone: set[str]) -> dict[str, object]:
    return {key: value for key, value in settings.items() if key not in gone}


def _start_problems(space: Space, settings: Mapping[str, object], look: Look) -> Iterator[str]:
    for key, value in settings.items():
        own = [dimension for dimension in space.dimensions if dimension.key == key]
        alive = [dimension for dimension in own if space.exists(dimension, settings, look)]
        if own and not alive:
            where = " or ".join(str(dimension.when) for dimension in own)
            yield f"start {key}={shown(value)}: searched only where {where}. Give that too, or leave it out."
        elif own and not any(is_inside(dimension, value) for dimension in alive):
            where = " or ".join(grammar_of(dimension) for dimension in alive)
            yield f"start {key}={shown(value)}: outside of {where}. Give a value inside, or widen the space."


def _true(space: Space, settings: Mapping[str, object]) -> dict[str, object]:
    found = {}
    for key, value in settings.items():
        own = (one for one in space.dimensions if one.key == key and is_inside(one, value))
        dimension = next(own, None)
        found[key] = value if dimension is None else true_value(dimension, value)
    return found
