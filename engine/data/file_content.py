"""The text of a dataset file, TOML, JSON or YAML, as nested tables; nothing is known of their keys here."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped, unused-ignore]

from engine.config import ConfigError
from engine.data.file_keys import Dialect

_WINDOWS_PATH = re.compile(r'"[A-Za-z]:\\')


def read_content(path: Path, dialect: Dialect) -> Mapping[str, object]:
    """raises ConfigError for a file that cannot be opened or parsed"""
    ending = path.suffix.lower()
    if ending not in dialect.endings:
        neither = " nor ".join(dialect.endings)
        raise ConfigError(f"{path}: neither {neither}. Give {dialect.what}.")
    if not path.is_file():
        raise ConfigError(
            f"{path}: {'this is a folder' if path.is_dir() else 'no such file'}. Check the path."
        )
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = _PARSERS[ending](text)
        _check_words(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened ({error.strerror}). Allow it.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8. Save it in that encoding.") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply. Give {dialect.what}.") from None
    except (ValueError, TypeError, YAMLError, OmegaConfBaseException) as error:  # of the parsers
        hint = "Write paths with / or in single quotes." if _WINDOWS_PATH.search(text) else "Correct it."
        kind = ending[1:].upper().replace("YML", "YAML")
        raise ConfigError(f"{path}: not {kind}: {_words(error)}. {hint}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: no table at the top. Give {dialect.what}.")
    return content


def _words(error: Exception) -> str:
    """What a parser says, on one line, without its name for a text that is no file."""
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "in ")


def _read_yaml(text: str) -> object:
    """With OmegaConf's reading of numbers (1e-4 is one), which also refuses a key that stands twice."""
    try:
        return OmegaConf.to_container(OmegaConf.create(text)) if text.strip() else {}
    except AssertionError:  # OmegaConf's word for a file that is one number
        return None


def _check_words(content: object) -> None:
    """raises ValueError for keys and texts that a sentence about them could not show"""
    if isinstance(content, dict):
        for key, value in content.items():
            if not isinstance(key, str) or not key.isprintable():
                raise ValueError(f"a key is {key!a}, which is no word")
            _check_words(value)
    elif isinstance(content, list):
        for value in content:
            _check_words(value)
    elif isinstance(content, str):
        content.encode()  # half of a pair of characters raises UnicodeEncodeError, a ValueError


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """raises ValueError for a key that stands twice, of which JSON would keep the last"""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key} stands twice in one table")
        found[key] = value
    return found


_PARSERS: dict[str, Callable[[str], object]] = {
    ".toml": tomllib.loads,
    ".json": lambda text: json.loads(text, object_pairs_hook=once),
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}
