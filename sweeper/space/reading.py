"""The search space that a sweep's file and its command line state together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from engine.compose.arguments import split_override
from engine.config import ConfigError
from sweeper.config import SweeperConfig
from sweeper.space.conditions import Condition, read_condition
from sweeper.space.grammar import Single, read_value
from sweeper.space.keys import Groups, bare_key, condition_problem, is_whole, key_problem, value_problems
from sweeper.space.overrides import shown
from sweeper.space.space import Space
from sweeper.space.values import marks
from sweeper.study.records import Dimension


@dataclass(slots=True)
class _Reading:
    """What is known so far."""

    groups: Groups
    dimensions: list[Dimension] = field(default_factory=list)
    fixed: dict[str, object] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_space(config: SweeperConfig, overrides: Sequence[str], groups: Groups) -> Space:
    """What is searched; ConfigError with everything that is wrong with it.

    overrides  the command line's, plain ones too: they beat the file. `network.rank=4,8` replaces a dimension
               of the file; `network.rank=8` fixes it, stays an override of every trial, and a note says so
    groups     each config group and its choices
    """
    given = _given(overrides)
    state = _read_all(config, given, groups)
    start = _start(state, config.start, given)
    if state.problems:
        raise ConfigError(list(dict.fromkeys(state.problems)))
    return Space(
        dimensions=tuple(_in_order(state.dimensions)),
        fixed=state.fixed,
        start=start,
        groups=groups,
        notes=tuple(state.notes),
    )


def read_unconditional(config: SweeperConfig, overrides: Sequence[str], groups: Groups) -> Space:
    """What of a space that is refused can be looked at all the same: dimensions that need no condition."""
    state = _read_all(config, _given(overrides), groups)
    return Space(
        dimensions=tuple(one for one in state.dimensions if one.when is None),
        fixed=state.fixed,
        groups=groups,
    )


def _given(overrides: Sequence[str]) -> dict[str, str]:
    """Key -> value of the command line."""
    return dict(_split(text) for text in overrides if split_override(text))


def _read_all(config: SweeperConfig, given: Mapping[str, str], groups: Groups) -> _Reading:
    """Everything but the starts; its problems are in it."""
    state = _Reading(groups)
    for key, value in config.params.items():
        _add(state, str(key), value)
    for text, params in config.when.items():
        _add_conditional(state, str(text), params)
    for key, value in given.items():
        if _is_sweep(value):
            _replace(state, key, value)
        elif _is_of(state, key):
            _fix(state, key, value)
    return state


def _add(state: _Reading, key: str, value: object) -> None:
    found = _read(state, bare_key(key), value)
    if found is None:
        return
    if bare_key(key) in [one.key for one in state.dimensions] or bare_key(key) in state.fixed:
        state.problems.append(f"{bare_key(key)}: given twice in params. Give it once.")
    elif isinstance(found, Dimension):
        state.dimensions.append(found)
    else:
        state.fixed[bare_key(key)] = found.value


def _add_conditional(state: _Reading, text: str, params: object) -> None:
    try:
        condition = read_condition(text)
    except ConfigError as error:
        state.problems += error.problems
        return
    problem = condition_problem(condition, state.groups)
    if problem or not isinstance(params, Mapping):
        state.problems.append(problem or f"when '{text}': not a mapping. Write key: choice(a, b) below it.")
        return
    for key, value in params.items():
        found = _read(state, bare_key(str(key)), value)
        if isinstance(found, Single):  # one value that holds under the condition only
            found = Dimension(key=bare_key(str(key)), choices=(found.value,))
        if found is not None and not _clashes(state, found, condition):
            state.dimensions.append(replace(found, when=str(condition)))


def _clashes(state: _Reading, found: Dimension, condition: Condition) -> bool:
    """Whether the key is searched elsewhere in a way that could hold at the same time; told then."""
    others = [one for one in state.dimensions if one.key == found.key]
    if found.key in state.fixed or any(one.when is None for one in others):
        state.problems.append(f"{found.key}: both in params and under when '{condition}'. Keep one of them.")
        return True
    for other in others:
        assert other.when is not None, "those without a condition were told"
        if not condition.excludes(read_condition(other.when)):
            state.problems.append(
                f"{found.key}: under when '{other.when}' and when '{condition}', which can hold together. "
                "Give both the same key, with no value in both."
            )
            return True
    return False


def _read(state: _Reading, key: str, given: object) -> Dimension | Single | None:
    """What a key is searched over; None after its problems were told."""
    problem = key_problem(key, state.groups)
    if problem:
        state.problems.append(problem)
        return None
    try:
        found = read_value(key, given, state.groups.get(key))
    except ConfigError as error:
        state.problems += error.problems
        return None
    found = _whole(found, state.groups) if isinstance(found, Dimension) else found
    values = [found.value] if isinstance(found, Single) else marks(found)
    problems = list(dict.fromkeys(value_problems(key, values, state.groups)))
    if problems and isinstance(given, list):
        problems = [f"{problem} To search these values write choice(a, b)." for problem in problems]
    state.problems += problems
    return None if problems else found


def _whole(found: Dimension, groups: Groups) -> Dimension:
    """An interval of an option that takes whole numbers holds whole numbers only."""
    if found.low is None or found.high is None or found.integer or not is_whole(found.key, groups):
        return found
    if not (found.low.is_integer() and found.high.is_integer()):
        return found  # its type says what is wrong
    return replace(found, low=int(found.low), high=int(found.high), integer=True)


def _split(text: str) -> tuple[str, str]:
    form = split_override(text)
    assert form is not None, "the caller asked"
    return form[1], form[2]


def _is_sweep(value: str) -> bool:
    try:
        return OverridesParser.create().parse_override(f"key={value}").is_sweep_override()
    except HydraException:
        return False  # a text that needs quotes: the guard of train.py puts them there


def _is_of(state: _Reading, key: str) -> bool:
    return key in state.fixed or any(one.key == key for one in state.dimensions)


def _fix(state: _Reading, key: str, value: str) -> None:
    if key not in state.fixed:
        state.notes.append(f"{key}: {value} as the command line says, not searched")
    state.fixed.pop(key, None)
    state.dimensions = [one for one in state.dimensions if one.key != key]


def _replace(state: _Reading, key: str, value: str) -> None:
    found = _read(state, key, value)
    if found is None:
        return
    own = [place for place, one in enumerate(state.dimensions) if one.key == key]
    if any(state.dimensions[place].when for place in own):
        state.notes.append(f"{key}: {value} under every condition, as the command line says")
    place = own[0] if own else len(state.dimensions)
    state.dimensions = [one for one in state.dimensions if one.key != key]
    state.fixed.pop(key, None)
    if isinstance(found, Dimension):
        state.dimensions.insert(place, found)
    else:
        state.fixed[key] = found.value


def _start(
    state: _Reading, entries: Sequence[object], given: Mapping[str, str]
) -> tuple[Mapping[str, object], ...]:
    """The settings to begin with, without keys that the command line fixes."""
    found = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            state.problems.append(f"start: {shown(entry)} is not a mapping. Write {{key: value}}, or {{}}.")
            continue
        settings = {bare_key(str(key)): value for key, value in entry.items()}
        for key, value in settings.items():
            problem = key_problem(key, state.groups)
            wrong = [problem] if problem else list(value_problems(key, [value], state.groups))
            state.problems += [f"start: {text}" for text in wrong]
        plain = [key for key in settings if key in given and not _is_sweep(given[key])]
        found.append({key: value for key, value in settings.items() if key not in plain})
    return tuple(found)


def _in_order(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """Conditional dimensions behind those that decide about them; ConfigError where they go in a circle."""
    placed = [one for one in dimensions if one.when is None]
    waiting = [one for one in dimensions if one.when is not None]
    while waiting:
        blocked = {one.key for one in waiting}
        ready = [one for one in waiting if not (_needed(one) & blocked)]
        if not ready:
            circle = ", ".join(f"{one.key} when {one.when}" for one in waiting)
            raise ConfigError(f"when: these conditions wait for each other: {circle}. Take one of them away.")
        placed += ready
        waiting = [one for one in waiting if one not in ready]
    return placed


def _needed(dimension: Dimension) -> set[str]:
    """Keys that a condition looks at: the option itself, and the group that its section is picked from."""
    assert dimension.when is not None, "only conditions need anything"
    key = read_condition(dimension.when).key
    return {key, key.split(".")[0], "experiment"}
