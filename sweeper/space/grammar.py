"""One value of `params` in Hydra's override grammar, read with Hydra's own parser."""

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import combinations, pairwise
from typing import Any

from hydra._internal.grammar.grammar_functions import choice
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from engine.compose.options import did_you_mean
from engine.config import ConfigError
from sweeper.space.overrides import shown, text_of
from sweeper.study.records import Dimension

MOST_CHOICES = 1000  # more places than that are an interval

_TAGS = ("log", "nominal", "ordered")


@dataclass(kw_only=True, slots=True, frozen=True)
class Single:
    """One value: nothing to search."""

    value: object


def read_value(key: str, given: object, names: Sequence[str] | None) -> Dimension | Single:
    """What `key` is searched over; ConfigError with everything that is wrong with it.

    given  the grammar as text, or a plain YAML value
    names  the choices of the config group that the key is; None for an option
    """
    value = _parsed(key, given) if isinstance(given, str) else given
    if isinstance(value, Glob):
        return _choices(key, given, _globbed(key, given, value, names), set())
    if isinstance(value, IntervalSweep):
        return _interval(key, given, value)
    if isinstance(value, Sweep):
        return _choices(key, given, _listed(key, given, value), _tags(key, given, value))
    plain = _plain(value)
    problems = _value_problems(key, given, [plain])
    if problems:
        raise ConfigError(problems)
    return Single(value=plain)


def grammar_of(dimension: Dimension) -> str:
    """The grammar that makes the same dimension again: choice(4, 8), tag(log, interval(1e-05, 0.002))."""
    if dimension.choices is None:
        text = f"interval({_end(dimension, dimension.low)}, {_end(dimension, dimension.high)})"
        text = f"int({text})" if dimension.integer else text
        return f"tag(log, {text})" if dimension.log else text
    text = f"choice({', '.join(text_of(value) for value in dimension.choices)})"
    if dimension.ordered == _is_sorted(dimension.choices):
        return text
    return f"tag({'ordered' if dimension.ordered else 'nominal'}, {text})"


def _end(dimension: Dimension, end: float | None) -> str:
    assert end is not None, "an interval has two ends"
    return text_of(int(end) if dimension.integer else end)


def _parsed(key: str, given: str) -> object:
    functions = create_functions()
    functions.functions["choice"] = _choice
    functions.definitions["choice"] = signature(_choice)
    try:
        value = OverridesParser(functions).parse_override(f"key={given.strip()}")._value
    except HydraException as error:
        raise ConfigError(_unread(key, given, str(error))) from None
    if isinstance(value, list) and re.search(r"\bshuffle\s*\(", given):
        raise ConfigError(f"{key}={given}: a list in another order at each start. Write the list itself.")
    return value


def _choice(*args: Any) -> ChoiceSweep:
    """Hydra's choice, and null among its values: Hydra takes that in a list with commas only."""
    return ChoiceSweep(list=list(args)) if None in args else choice(*args)


def _unread(key: str, given: str, reason: str) -> str:
    if "empty choice" in reason:
        return f"{key}={given}: no value to choose from. Write choice(a, b)."
    if "nesting choices" in reason:
        return f"{key}={given}: a choice inside a choice. Write all values in one."
    if unknown := re.search(r"Unknown function '(\w+)'", reason):
        name = unknown[1]
        known = [
            "choice",
            "range",
            "interval",
            "tag",
            "int",
            "float",
            "str",
            "bool",
            "glob",
            "sort",
            "shuffle",
        ]
        return f"{key}={given}: unknown function {name}{did_you_mean(name, known)}"
    if "while evaluating" in reason:
        forms = "choice(a, b), range(a, b, step) or interval(a, b)"
        return f"{key}={given}: Hydra can't read these arguments. Write {forms}."
    return f"{key}={given}: the value can't be read. Put quotes around texts: choice('a, b', 'c')."


def _interval(key: str, given: object, sweep: IntervalSweep) -> Dimension:
    tags, low, high = _tags(key, given, sweep), sweep.start, sweep.end
    assert low is not None and high is not None, "Hydra's interval has two ends"
    title = f"{key}={given}"
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{title}: an end is not a finite number. Give two finite ends.")
    if low >= high:
        raise ConfigError(f"{title}: the first end is not below the second. Write interval(low, high).")
    if tags - {"log"}:
        raise ConfigError(f"{title}: only choices are ordered or nominal. Leave the tag out.")
    if "log" in tags and low <= 0:
        raise ConfigError(f"{title}: a logarithm needs ends above 0. Raise the first one, or leave log out.")
    integer = isinstance(low, int) and isinstance(high, int)
    return Dimension(key=key, low=low, high=high, log="log" in tags, integer=integer)


def _listed(key: str, given: object, sweep: Sweep) -> list[object]:
    """The values of a choice, a comma list or a range, in their order."""
    if isinstance(sweep, ChoiceSweep):
        values = [_plain(value) for value in sweep.list]
    else:
        assert isinstance(sweep, RangeSweep), "Hydra has no other sweeps"
        values = _ranged(key, given, sweep)
    if sweep.shuffle:
        random.Random(key).shuffle(values)  # the same order at every start: a sweep that goes on needs that
    return values


def _ranged(key: str, given: object, sweep: RangeSweep) -> list[object]:
    ends = (sweep.start, sweep.stop, sweep.step)
    if not all(end is not None and math.isfinite(end) for end in ends):
        raise ConfigError(f"{key}={given}: an end is not a finite number. Give finite ones.")
    if sweep.step == 0:
        raise ConfigError(f"{key}={given}: a step of 0. Write range(low, high, step).")
    values: list[object] = []
    for value in sweep.range():
        values.append(value)
        if len(values) > MOST_CHOICES:
            raise ConfigError(f"{key}={given}: more than {MOST_CHOICES} values. Write interval(low, high).")
    return values


def _globbed(key: str, given: object, glob: Glob, names: Sequence[str] | None) -> list[object]:
    if names is None:
        raise ConfigError(f"{key}={given}: only config groups have names to look up. List the values.")
    found: list[object] = [*glob.filter(list(names))]
    if not found:
        raise ConfigError(f"{key}={given}: no choice fits. There are {', '.join(names)}.")
    return found


def _choices(key: str, given: object, values: list[object], tags: set[str]) -> Dimension | Single:
    title = f"{key}={given}"
    if not values:
        raise ConfigError(f"{title}: no value to choose from. Write choice(a, b).")
    problems = _value_problems(key, given, values) or _doubles(title, values)
    if "log" in tags:
        problems.append(
            f"{title}: log is for intervals. Write tag(log, interval(low, high)), or leave it out."
        )
    if {"ordered", "nominal"} <= tags:
        problems.append(f"{title}: ordered and nominal contradict each other. Give one of them.")
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    if len(values) == 1:
        return Single(value=values[0])
    ordered = "ordered" in tags or ("nominal" not in tags and _is_sorted(values))
    return Dimension(key=key, choices=tuple(values), ordered=ordered)


def _tags(key: str, given: object, sweep: Sweep) -> set[str]:
    strange = sorted(sweep.tags - set(_TAGS))
    if strange:
        raise ConfigError(f"{key}={given}: unknown tag {strange[0]}{did_you_mean(strange[0], _TAGS)}")
    return set(sweep.tags)


def _is_sorted(values: Sequence[object]) -> bool:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < max(len(values), 2):
        return False
    pairs = list(pairwise(numbers))
    return all(low < high for low, high in pairs) or all(low > high for low, high in pairs)


def _doubles(title: str, values: Sequence[object]) -> list[str]:
    found = []
    for first, second in combinations(values, 2):
        one, other = shown(first), shown(second)
        if _doubled(first, second):
            which = f"{one} is given twice" if one == other else f"{one} and {other} are one value"
            found.append(f"{title}: {which}. Give it once.")
    return found


def _doubled(first: object, second: object) -> bool:
    """Whether two choices make one run, or are one to Optuna, which can't tell 1 from true."""
    if first == second:
        return True
    words = (isinstance(value, bool) or value is None for value in (first, second))
    return shown(first) == shown(second) and not any(words)


def _plain(value: object) -> object:
    if isinstance(value, QuotedString):
        return value.text
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _value_problems(key: str, given: object, values: Sequence[object]) -> list[str]:
    problems = []
    for value in values:
        if isinstance(value, list):
            problems += _value_problems(key, given, value)
        elif isinstance(value, dict):
            problems.append(f"{key}={given}: a mapping is no value. Search the options inside it one by one.")
        elif isinstance(value, float) and not math.isfinite(value):
            problems.append(f"{key}={given}: {value} is not a finite number. Leave it out.")
    return problems
