"""Options typed with dashes, as other trainers write them: told how they are written here."""

import re
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass

from engine.compose.kohya_words import kohya_answer, kohya_keys, remark
from engine.compose.options import (
    FREE_FORM,
    all_options,
    find_option,
    is_list,
    is_section,
    is_switch,
    type_problem,
)
from engine.config import LoRAConfig

_NUMBER = re.compile(r"-[\d.]")  # a negative one is a value and no flag
_PLAIN = re.compile(r"[\w./:@%~-][\w./:@%+~-]*")  # needs no quotes in a shell, nor in Hydra's grammar
_PAIRS = "_args"  # options of kohya's that take name=value, several of them


@dataclass(kw_only=True, slots=True, frozen=True)
class ForeignFlag:
    """A flag that is none of Hydra's."""

    problem: str  # the sentence that refuses it
    meant: tuple[str, ...] = ()  # paths of our options that it advises


def split_foreign(argv: Sequence[str], parser: ArgumentParser) -> tuple[list[ForeignFlag], list[str]]:
    """The flags that Hydra does not know, each with its values, and the other words."""
    known = parser._option_string_actions
    foreign, own, words = [], [], list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name or any(flag.startswith(f"--{name}") for flag in known):
            own.append(word)
            continue
        values = [value] if equals else []
        while words and not equals and _is_value(words[0], name):
            values.append(words.pop(0))
        foreign.append(_foreign(word, name.replace("-", "_"), values))
    return foreign, own


def _is_value(word: str, name: str) -> bool:
    """Whether a word behind a flag belongs to it, and is no option of ours."""
    if word.startswith("-"):
        return _NUMBER.match(word) is not None
    key, equals, _ = word.partition("=")
    return not equals or (name.endswith(_PAIRS) and isinstance(find_option(key, LoRAConfig), str))


def _foreign(word: str, name: str, values: Sequence[str]) -> ForeignFlag:
    typed = word if "=" in word else " ".join([word, *values])
    keys = _keys(name)
    if keys:
        written = " or ".join(_written(key, values) for key in keys)
        said = f"{typed}: here options are written key=value: {written}.{remark(name)}"
        return ForeignFlag(problem=said, meant=tuple(key.partition("=")[0] for key in keys))
    if answer := kohya_answer(name):
        return ForeignFlag(problem=typed + answer.removeprefix(name))
    found = find_option(name, LoRAConfig) if "." in name else None
    if isinstance(found, str):
        return ForeignFlag(problem=typed + found.removeprefix(name))
    said = f"{word}: unknown flag. Options are written without dashes, for example training.steps=300."
    return ForeignFlag(problem=said)


def _keys(name: str) -> tuple[str, ...]:
    """Our keys for a name: its own path, kohya's name, or an option of this name in whatever group."""
    if not isinstance(find_option(name, LoRAConfig), str):
        return (name,)
    return kohya_keys(name) or tuple(one.path for one in all_options(LoRAConfig) if one.name == name)


def _written(key: str, values: Sequence[str]) -> str:
    """key=value as it is to be typed; key=VALUE where what was typed can't be taken as it is."""
    if "=" in key:
        return key
    option = find_option(key, LoRAConfig)
    assert not isinstance(option, str), "keys of a table that is tested"
    if not values:
        return f"{key}=true" if is_switch(option) else f"{key}=VALUE"
    if option.path == FREE_FORM or not all(_PLAIN.fullmatch(value) for value in values):
        return f"{key}=VALUE"
    if is_list(option):
        wrong = type_problem(option, list(values))
        return f"{key}=VALUE" if wrong else f"{key}=[{','.join(values)}]"
    if len(values) > 1 or (not is_section(option) and type_problem(option, values[0])):
        return f"{key}=VALUE"
    return f"{key}={values[0]}"
