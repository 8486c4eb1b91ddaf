"""The command line taken apart: Hydra's flags, and overrides in the form in which Hydra takes them."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from engine.compose.foreign_flags import split_foreign

_FORM = re.compile(r"(?P<sign>\+\+|\+|~|)(?P<key>[\w./@:-]+)=(?P<value>.*)", re.DOTALL)


@dataclass(kw_only=True, slots=True)
class Arguments:
    """What was typed after `train.py`."""

    flags: argparse.Namespace  # Hydra's own: cfg, help, config_name, ...
    overrides: list[str]  # key=value, group=name
    problems: list[str] = field(default_factory=list)
    meant: set[str] = field(default_factory=set)  # options that the problems advise to give

    def argv(self, overrides: Sequence[str]) -> list[str]:
        """The command line for Hydra: the same flags, other overrides."""
        flags: list[str] = []
        for name, value in vars(self.flags).items():
            if name == "overrides" or value is None or value is False:
                continue
            flags.append(f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}"))
        return [*flags, *overrides]


def read_arguments(argv: Sequence[str]) -> Arguments:
    """Flags and overrides in any order; unknown flags become problems."""
    parser = get_args_parser()
    parser.error = _raise  # type: ignore[method-assign]
    foreign, own = split_foreign(argv, parser)
    try:
        flags, rest = parser.parse_known_args(own)
    except ValueError as error:
        empty = parser.parse_args([])
        return Arguments(flags=empty, overrides=[], problems=[f"{' '.join(argv)}: {error}. Try --help."])
    problems = [flag.problem for flag in foreign] + [
        f"{word}: unknown flag. Options are written without dashes, for example training.steps=300."
        for word in rest
        if word.startswith("-")
    ]
    overrides = [*flags.overrides, *(word for word in rest if not word.startswith("-"))]
    if flags.cfg == "job" or flags.help:
        flags.resolve = True  # values as the run would see them, not references to other options
    meant = {key for flag in foreign for key in flag.meant}
    return Arguments(flags=flags, overrides=overrides, problems=problems, meant=meant)


def split_override(text: str) -> tuple[str, str, str] | None:
    """(sign, key, value) of `+key=value`; None where the form is not met."""
    match = _FORM.fullmatch(text)
    return (match["sign"], match["key"], match["value"]) if match else None


def parse_override(
    text: str, *, takes_text: bool, takes_list: bool = False, sweeps: bool = False
) -> Override | str:
    """One override by Hydra's grammar, or the sentence that refuses it.

    takes_text  the option holds a text: what the grammar reads as a number, or not at all (accents,
                brackets, quotes), is taken as it was typed
    takes_list  for the advice on commas only
    sweeps      several values are allowed
    """
    if text.startswith("~"):
        key = text[1:].split("=")[0]
        return f"{text}: an option can't be removed. Leave it out, or give {key}=..."
    form = split_override(text)
    if form is None:
        return f"{text}: not an option. Options are written key=value, for example training.steps=300."
    sign, key, value = form
    quoted = f"{sign}{key}={QuotedString(text=value, quote=Quote.single).with_quotes()}"
    try:
        override = OverridesParser.create().parse_overrides([text])[0]
    except HydraException:
        if takes_text:
            return OverridesParser.create().parse_overrides([quoted])[0]
        if sweeps:
            return (
                f"{text}: the values can't be read. Write {key}=a,b or {key}=interval(low,high), and a text "
                f"in quotes: \"{key}='...'\"."
            )
        return f"{text}: the value can't be read. Put quotes around it: \"{key}='...'\"."
    if override.is_sweep_override():
        if sweeps:
            return override
        return f"{text}: {_sweep_advice(key, value, takes_text=takes_text, takes_list=takes_list)}"
    if takes_text and isinstance(override.value(), bool | int | float):
        return OverridesParser.create().parse_overrides([quoted])[0]
    return override


def with_sign(override: Override, sign: str) -> str:
    """The override's text with another sign in front of its key: '', '+' or '++'."""
    return sign + (override.input_line or "").lstrip("+")


def _sweep_advice(key: str, value: str, *, takes_text: bool, takes_list: bool) -> str:
    if takes_text:
        return f"a text with a comma needs quotes: \"{key}='{value}'\"."
    advice = f"A list is written {key}=[{value}]." if takes_list else "Give one value."
    return f"several values make a sweep: add --multirun. {advice}"


def _raise(message: str) -> NoReturn:
    raise ValueError(message)
