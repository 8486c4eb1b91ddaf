"""A search space counted, and a grid written out."""

import math

from engine.config import ConfigError
from sweeper.space.space import Look, Space
from sweeper.space.walking import combinations_of

MOST_SETTINGS = 100_000  # of a grid that is written out


def grid_of(space: Space, look: Look) -> list[dict[str, object]]:
    """All combinations, once each, the last dimension changing first; ConfigError with an interval."""
    if problems := interval_problems(space):
        raise ConfigError(problems)
    found = combinations_of(space, look, most=MOST_SETTINGS)
    if found is None:
        raise ConfigError(f"sampler=grid: more than {MOST_SETTINGS:,} combinations. Search fewer choices.")
    return found


def interval_problems(space: Space) -> list[str]:
    """A sentence for each dimension that no grid can go through."""
    return [
        f"{dimension.key}: a grid has no intervals. Write choice(a, b), or take another sampler."
        for dimension in space.dimensions
        if dimension.choices is None
    ]


def size_line(space: Space, look: Look | None = None) -> str:
    """`5 x 4 x 2 settings x 1 interval`; with conditions, and a `look` to count by, the exact number."""
    always = [dimension for dimension in space.dimensions if dimension.when is None]
    sizes = [len(dimension.choices) for dimension in always if dimension.choices is not None]
    intervals = len(always) - len(sizes)
    parts = [f"{' x '.join(map(str, sizes))} settings"] if sizes else []
    if intervals:
        parts.append(f"{intervals} interval{'s' * (intervals > 1)}")
    line = " x ".join(parts) or "nothing is searched"
    conditional = len(space.dimensions) - len(always)
    if conditional:
        line += f", {conditional} more where a condition holds"
    if len(space.dimensions) > 1 and all(dimension.choices is not None for dimension in space.dimensions):
        count = _count(space, look)
        line += "" if count is None else f" = {count:,} combinations"
    return line


def _count(space: Space, look: Look | None) -> int | None:
    if all(dimension.when is None for dimension in space.dimensions):
        return math.prod(len(dimension.choices or ()) for dimension in space.dimensions)
    found = combinations_of(space, look, most=MOST_SETTINGS) if look else None
    return None if found is None else len(found)
