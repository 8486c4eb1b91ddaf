"""A search space: its dimensions in the order in which they are decided, and what is tried first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sweeper.space.conditions import read_condition
from sweeper.space.facts import space_facts
from sweeper.space.keys import Groups
from sweeper.space.names import parameter_names
from sweeper.space.overrides import overrides_of
from sweeper.study.records import Dimension

# The value, as text, that a config key or a group has when these settings are composed onto the base config.
# KeyError: there is no such key with these settings. An answer should be remembered: it is asked for often.
Look = Callable[[str, Mapping[str, object]], str]


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

    def facts(self) -> dict[str, object]:
        """The space as JSON, for study.json."""
        return space_facts(self.dimensions, self.fixed, self.start)
