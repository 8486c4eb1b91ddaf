"""Settings as Hydra's overrides: whatever a value holds, Hydra reads the same value back."""

import re
from collections.abc import Mapping, Sequence

from hydra.core.override_parser.types import Quote, QuotedString

from engine.compose.options import FREE_FORM

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")  # texts that Hydra's grammar reads as they stand
_WORDS = ("true", "false", "null", "nan", "inf")


def override_of(key: str, value: object) -> str:
    """`key=value` as the command line of train.py takes it, quoted where Hydra needs it."""
    return f"{key}={text_of(value)}"


def overrides_of(settings: Mapping[str, object]) -> list[str]:
    """One override a setting, in their order."""
    return [override_of(key, value) for key, value in settings.items()]


def for_hydra(overrides: Sequence[str]) -> list[str]:
    """The same overrides where Hydra composes them itself, without the guard of train.py.

    Arguments of the optimizer's class are no fields: Hydra takes them with plus signs only.
    """
    return [f"++{text}" if text.startswith(f"{FREE_FORM}.") else text for text in overrides]


def text_of(value: object) -> str:
    """A value in Hydra's grammar: null, true, 4, 1e-05, adamw, 'a, b', [1,2]."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(text_of(entry) for entry in value)}]"
    raise TypeError(f"{type(value).__name__} is no value of a setting")


def shown(value: object) -> str:
    """A value without quotes around it, to be read or compared with a composed one."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(entry) for entry in value)}]"
    return text_of(value)


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return QuotedString(text=text, quote=Quote.single).with_quotes()
