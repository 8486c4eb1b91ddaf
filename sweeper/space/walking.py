"""Settings made from a search space: all combinations, those worth checking, some at random."""

import random
from collections.abc import Iterator, Mapping
from itertools import islice, product

from sweeper.space.conditions import read_condition
from sweeper.space.overrides import overrides_of
from sweeper.space.space import Look, Space
from sweeper.space.values import is_inside, marks, true_value
from sweeper.study.records import Dimension

MOST_CHECKED = 256  # combinations of a grid that are all checked before it starts
_MOST_PICKS = 64  # combinations of config groups that are looked at to decide a condition


def candidates_of(space: Space, look: Look) -> list[dict[str, object]]:
    """Settings that are to be checked before the first trial.

    The defaults ({}), every start, every choice and both ends of every interval with what they bring into
    being; where there is no interval and there are at most 256 combinations, all of them.
    """
    found: list[dict[str, object]] = [{}, *(dict(settings) for settings in space.start)]
    whole = None
    if all(dimension.choices is not None for dimension in space.dimensions):
        whole = combinations_of(space, look, most=MOST_CHECKED)
    found += varied(space, look) if whole is None else whole
    return _distinct(found)


def combinations_of(space: Space, look: Look, *, most: int) -> list[dict[str, object]] | None:
    """All combinations of choices, the last dimension changing first; None if more than `most`."""
    found: list[dict[str, object]] = []
    for settings in _branches(space, look, 0, {}):
        if len(found) == most:
            return None
        found.append(settings)
    return found


def varied(space: Space, look: Look) -> list[dict[str, object]]:
    """Each choice and each end once, beside the first choice or the lower end of all others."""
    found = []
    for dimension in space.dimensions:
        forced = activating(space, dimension, look)
        for value in marks(dimension) if forced is not None else ():
            found.append(_with(space, {**(forced or {}), dimension.key: value}, look))
    return _distinct(found)


def probes(space: Space, look: Look) -> list[dict[str, object]]:
    """Settings under which a condition on something that is not searched is looked at: `varied`, and all
    combinations of the config groups, since two groups together may set what neither sets alone."""
    return _distinct([*(_with(space, pick, look) for pick in _picks(space)), *varied(space, look)]) or [{}]


def activating(space: Space, dimension: Dimension, look: Look) -> dict[str, object] | None:
    """Choices of other dimensions under which this one exists, {} if it always does; None: none found."""
    if dimension.when is None:
        return {}
    condition = read_condition(dimension.when)
    for other in space.dimensions:
        if other.key != condition.key:
            continue
        value = next((value for value in condition.values if is_inside(other, value)), None)
        before = None if value is None else activating(space, other, look)
        if before is not None:
            return {**before, other.key: true_value(other, value)}
    for pick in _picks(space):
        if space.exists(dimension, _with(space, pick, look, until=dimension), look):
            return pick
    return None


def drawn(space: Space, count: int, seed: int, look: Look) -> list[dict[str, object]]:
    """Settings drawn at random, the same for the same seed; fewer where the space has fewer."""
    generator = random.Random(seed)
    tries = (space.complete(lambda dimension: _draw(dimension, generator), look) for _ in range(10 * count))
    found: list[dict[str, object]] = []
    for settings in tries:
        found = _distinct([*found, settings])
        if len(found) == count:
            break
    return found


def _branches(
    space: Space, look: Look, place: int, settings: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    if place == len(space.dimensions):
        yield dict(settings)
        return
    dimension = space.dimensions[place]
    if not space.exists(dimension, settings, look):
        yield from _branches(space, look, place + 1, settings)
        return
    for value in marks(dimension):
        yield from _branches(space, look, place + 1, {**settings, dimension.key: value})


def _with(
    space: Space, forced: Mapping[str, object], look: Look, until: Dimension | None = None
) -> dict[str, object]:
    """Settings with these choices, and the first choice or lower end elsewhere."""
    end = len(space.dimensions) if until is None else space.dimensions.index(until)
    settings: dict[str, object] = {}
    for dimension in space.dimensions[:end]:
        if space.exists(dimension, settings, look):
            settings[dimension.key] = forced.get(dimension.key, marks(dimension)[0])
    return settings


def _picks(space: Space) -> list[dict[str, object]]:
    groups = [one for one in space.dimensions if one.key in space.groups and one.when is None]
    every = product(*(marks(dimension) for dimension in groups))
    return [
        dict(zip((one.key for one in groups), values, strict=True)) for values in islice(every, _MOST_PICKS)
    ]


def _draw(dimension: Dimension, generator: random.Random) -> object:
    if dimension.choices is not None:
        return generator.choice(dimension.choices)
    assert dimension.low is not None and dimension.high is not None, "an interval has two ends"
    share = generator.random()
    if dimension.log:
        value = dimension.low * (dimension.high / dimension.low) ** share
    else:
        value = dimension.low + (dimension.high - dimension.low) * share
    rounded = round(value) if dimension.integer else float(f"{value:.3g}")
    return true_value(dimension, min(max(rounded, dimension.low), dimension.high))


def _distinct(found: list[dict[str, object]]) -> list[dict[str, object]]:
    first: dict[tuple[str, ...], dict[str, object]] = {}
    for settings in found:
        first.setdefault(tuple(sorted(overrides_of(settings))), settings)
    return list(first.values())
