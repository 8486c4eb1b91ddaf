"""A search space: its dimensions in the order in which they are decided, and what is tried first."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.config import ConfigError
from sweeper.space.conditions import read_condition
from sweeper.space.facts import space_facts
from sweeper.space.keys import Groups
from sweeper.space.names import parameter_names
from sweeper.space.overrides import overrides_of
from sweeper.study.records import Dimension

# The value, as text, that a config key or a group has when these settings are composed onto the base config.
# KeyError: there is no such key with these settings. An answer should be remembered: it is asked for often.
Look = Callable[[str, Mapping[str, object]], str]

MOST_SETTINGS = 100_000  # of a grid that is written out


@dataclass(kw_only=True, slots=True, frozen=True)
class Space:
    """What is searched.

    Settings are key -> true value of the dimensions that exist under them, in the space's order; `fixed` is
    not in them. Every run of the space, the defaults too, is composed with `fixed` beneath its settings.
    """

    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, object] = field(default_factory=dict)  # single values given in params
    start: tuple[Mapping[str, object], ...] = ()  # settings tried first; {} = the defaults
    groups: Groups = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what was left out or replaced while reading, to be printed

    def parameter(self, dimension: Dimension) -> str:
        """The name of a dimension's parameter in Optuna, which refuses two distributions of one name."""
        return parameter_names(self.dimensions)[self.dimensions.index(dimension)]

    def overrides(self, settings: Mapping[str, object]) -> list[str]:
        """What a run with these settings adds to the sweep's own command line."""
        return overrides_of({**self.fixed, **settings})

    def exists(self, dimension: Dimension, settings: Mapping[str, object], look: Look) -> bool:
        """Whether a dimension's condition holds under settings; on a key that is not there it does not."""
        if dimension.when is None:
            return True
        condition, known = read_condition(dimension.when), {**self.fixed, **settings}
        if condition.key in known:
            return condition.holds(known[condition.key])
        try:
            return condition.holds(look(condition.key, known))
        except KeyError:
            return False

    def complete(self, choose: Callable[[Dimension], object], look: Look) -> dict[str, object]:
        """Settings: a value of `choose` for each dimension that exists under those before it."""
        settings: dict[str, object] = {}
        for dimension in self.dimensions:
            if self.exists(dimension, settings, look):
                settings[dimension.key] = choose(dimension)
        return settings

    def settled(self, look: Look) -> "tuple[Space, list[str]]":
        """The space without conditions that nothing searched decides, and lines to print about it.

        raises  ConfigError where a condition can never hold, or a start lies outside of the space
        """
        from sweeper.space.settling import settle

        return settle(self, look)

    def candidates(self, look: Look) -> list[dict[str, object]]:
        """Settings that are to be checked before the first trial.

        The defaults ({}), every start, every choice and both ends of every interval with what they bring into
        being; where there is no interval and there are at most 256 combinations, all of them.
        """
        from sweeper.space.walking import candidates

        return candidates(self, look)

    def grid(self, look: Look) -> list[dict[str, object]]:
        """All combinations, once each, the last dimension changing first; ConfigError with an interval."""
        from sweeper.space.walking import combinations_of

        intervals = [dimension.key for dimension in self.dimensions if dimension.choices is None]
        if intervals:
            raise ConfigError(
                [
                    f"{key}: a grid has no intervals. Write choice(a, b), or take another sampler."
                    for key in intervals
                ]
            )
        found = combinations_of(self, look, most=MOST_SETTINGS)
        if found is None:
            raise ConfigError(
                f"sampler=grid: more than {MOST_SETTINGS:,} combinations. Search fewer choices."
            )
        return found

    def examples(self, count: int, seed: int, look: Look) -> list[dict[str, object]]:
        """Settings drawn at random, the same for the same seed; fewer where the space has fewer."""
        from sweeper.space.walking import drawn

        return drawn(self, count, seed, look)

    def size_line(self, look: Look | None = None) -> str:
        """`5 x 4 x 2 settings x 1 interval`; with conditions, and a `look` to count by, the exact number."""
        always = [dimension for dimension in self.dimensions if dimension.when is None]
        sizes = [len(dimension.choices) for dimension in always if dimension.choices is not None]
        intervals = len(always) - len(sizes)
        parts = [f"{' x '.join(map(str, sizes))} settings"] if sizes else []
        if intervals:
            parts.append(f"{intervals} interval{'s' * (intervals > 1)}")
        line = " x ".join(parts) or "nothing is searched"
        conditional = len(self.dimensions) - len(always)
        if conditional:
            line += f", {conditional} more where a condition holds"
        if len(self.dimensions) > 1 and all(dimension.choices is not None for dimension in self.dimensions):
            count = self._count(look)
            line += "" if count is None else f" = {count:,} combinations"
        return line

    def _count(self, look: Look | None) -> int | None:
        from sweeper.space.walking import combinations_of

        if all(dimension.when is None for dimension in self.dimensions):
            return math.prod(len(dimension.choices or ()) for dimension in self.dimensions)
        found = combinations_of(self, look, most=MOST_SETTINGS) if look else None
        return None if found is None else len(found)

    def facts(self) -> dict[str, object]:
        """The space as JSON, for study.json."""
        return space_facts(self.dimensions, self.fixed, self.start)
