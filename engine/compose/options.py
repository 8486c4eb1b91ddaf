"""The options of a run as the dataclasses define them: found by name, checked by type, suggested."""

import difflib
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.compose.kohya_words import kohya_answer, kohya_keys
from engine.compose.show import show
from engine.config import NetworkConfig, RunConfig

FREE_FORM = "optimizer.args"  # the one mapping whose keys are not fields: arguments of the optimizer's class

_MOST_BEGUN = 3  # choices that begin with a word and are offered for it
_SWITCHES = ("true", "false", "yes", "no", "on", "off", "1", "0")


@dataclass(kw_only=True, slots=True, frozen=True)
class Option:
    """One field: where it is, which dataclass owns it, and its type."""

    path: str  # network.rank
    owner: type
    name: str
    hint: Any


def find_option(path: str, network: type[NetworkConfig], groups: Sequence[str] = ()) -> Option | str:
    """The option at a dotted path, or the sentence that says why there is none.

    network  the dataclass of the picked network, whose options differ by kind
    groups   names of groups that are no fields (experiment), for suggestions only
    """
    owner: type = RunConfig
    parts = path.split(".")
    for depth, name in enumerate(parts):
        own = [field.name for field in fields(owner)]
        if name not in own:
            if (answer := kohya_answer(path)) and (not depth or not _is_leaf(parts[-1], network)):
                return answer
            title = f"unknown option of {owner.__name__}" if depth else "unknown option"
            return f"{path}: {title}{_suggestion(parts[depth:], own + list(groups) * (not depth), network)}"
        here, hint = ".".join(parts[: depth + 1]), _concrete(get_type_hints(owner)[name], network)
        if here == FREE_FORM or depth == len(parts) - 1:
            return Option(path=here, owner=owner, name=name, hint=hint)
        if not is_dataclass(hint):
            return f"{path}: {here} takes {describe(hint)} and has no options of its own. Write {here}=..."
        owner = hint if isinstance(hint, type) else type(hint)
    raise AssertionError("a path has at least one part")


def meant_options(sentence: str) -> list[str]:
    """The full paths of the options that a find_option sentence suggests."""
    path, _, rest = sentence.partition(": ")
    if sentence == kohya_answer(path):
        return [key.partition("=")[0] for key in kohya_keys(path)]
    if "did you mean " not in rest:
        return []
    names = rest.split("did you mean ")[1].rstrip("?)").split(" or ")
    section = path.rpartition(".")[0]
    return [name if "." in name or not section else f"{section}.{name}" for name in names]


def all_options(network: type[NetworkConfig]) -> list[Option]:
    """Every option of a run, sections walked into."""
    return list(_walk(RunConfig, "", network))


def type_problem(option: Option, value: object) -> str | None:
    """The sentence that refuses `value` for the option's type, or None.

    Interpolations pass: they are checked when they are resolved.
    """
    if option.path == FREE_FORM or _has_interpolation(value):
        return None
    wrong = f"{option.path}={show(value)}: {_wrong_type(option.hint, value)}"
    if _base(option.hint)[0] is bool and value is not None and show(value).lower() not in _SWITCHES:
        return wrong  # OmegaConf would take any whole number
    try:
        OmegaConf.update(OmegaConf.structured(option.owner), option.name, value, merge=False)
    except OmegaConfBaseException:
        return wrong
    return None


def is_section(option: Option) -> bool:
    """Whether the option is a group of options (model, network, ...) and not a value."""
    return is_dataclass(option.hint)


def is_text(option: Option) -> bool:
    """Whether the option holds a text."""
    return _base(option.hint)[0] is str


def is_switch(option: Option) -> bool:
    """Whether the option is true or false."""
    return _base(option.hint)[0] is bool


def is_list(option: Option) -> bool:
    """Whether the option holds a list."""
    return get_origin(_base(option.hint)[0]) is list


def did_you_mean(word: str, choices: Sequence[str], label: str = "one of") -> str:
    """' (did you mean x?)', or the choices where none is near; capitals do not matter."""
    lowered = {choice.lower(): choice for choice in choices}
    begun = [choice for small, choice in lowered.items() if small.startswith(word.lower()) and word]
    near = [] if begun else difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    meant = begun if len(begun) <= _MOST_BEGUN else []
    meant = meant or [lowered[one] for one in near]
    return f" (did you mean {' or '.join(meant)}?)" if meant else f" ({label} {', '.join(choices)})"


def describe(hint: Any) -> str:
    """A type in plain words: 'a whole number or null'."""
    base, optional = _base(hint)
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Any: "anything"}
    if isinstance(base, type) and issubclass(base, Enum):
        words = "one of " + ", ".join(member.name for member in base)
    elif get_origin(base) is list:
        words = f"a list such as [{_example(get_args(base)[0])}]"
    elif get_origin(base) is dict:
        words = "a mapping such as {name: value}"
    else:
        words = names.get(base, "a group of options")
    return words + (" or null" if optional else "")


def _walk(owner: type, prefix: str, network: type[NetworkConfig]) -> Iterator[Option]:
    hints = get_type_hints(owner)
    for field in fields(owner):
        path, hint = prefix + field.name, _concrete(hints[field.name], network)
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _walk(hint, path + ".", network)
        else:
            yield Option(path=path, owner=owner, name=field.name, hint=hint)


def _suggestion(parts: Sequence[str], own: Sequence[str], network: type[NetworkConfig]) -> str:
    """The nearest name here; else the same or a similar name in another group; else all names here."""
    leaves: dict[str, list[str]] = {}
    for option in all_options(network):
        leaves.setdefault(option.name, []).append(option.path)
    near = difflib.get_close_matches(parts[0], own, n=1, cutoff=0.6)
    if parts[-1] in leaves and not (near and len(parts) > 1):
        return f" (did you mean {' or '.join(leaves[parts[-1]])}?)"
    if near:
        return f" (did you mean {'.'.join([near[0], *parts[1:]])}?)"
    far = difflib.get_close_matches(parts[-1], list(leaves), n=1, cutoff=0.7)
    if far:
        return f" (did you mean {' or '.join(leaves[far[0]])}?)"
    return f" (its options: {', '.join(dict.fromkeys(own))})"


def _is_leaf(name: str, network: type[NetworkConfig]) -> bool:
    return any(option.name == name for option in all_options(network))


def _concrete(hint: Any, network: type[NetworkConfig]) -> Any:
    return network if hint is NetworkConfig else hint


def _base(hint: Any) -> tuple[Any, bool]:
    """The type without Optional, and whether null is allowed."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return rest[0], True
    return hint, False


def _example(item: Any) -> str:
    if isinstance(item, type) and issubclass(item, Enum):
        return ", ".join(member.name for member in item)
    return {int: "1, 2", str: "a, b"}.get(item, "1.0, 2.0")


def _wrong_type(hint: Any, value: object) -> str:
    base, _ = _base(hint)
    if isinstance(base, type) and issubclass(base, Enum):
        return f"unknown choice{did_you_mean(show(value), [member.name for member in base])}"
    if get_origin(base) is list and isinstance(value, list):
        item = get_args(base)[0]
        if isinstance(item, type) and issubclass(item, Enum):
            names = [member.name for member in item]
            wrong = next((show(entry) for entry in value if show(entry) not in names), show(value))
            return f"unknown choice {wrong}{did_you_mean(wrong, names)}"
    return f"this option takes {describe(hint)}."


def _has_interpolation(value: object) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(_has_interpolation(entry) for entry in value.values())
    return isinstance(value, list | tuple) and any(_has_interpolation(entry) for entry in value)
