"""Prompts from a file: one a line, or the demo's manifest; no torch."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from engine.config import ConfigError

_LINE_OPTION = re.compile(r"(?:^|\s)(--[a-z]+)\b")  # kohya's: "a dog --w 512 --n blurry"


@dataclass(kw_only=True, slots=True, frozen=True)
class Prompt:
    """What is drawn, and what is known about it."""

    text: str
    kind: str = "concept"  # "concept", or "plain": has nothing to do with what is learnt
    tone: str | None = None  # "dark" or "bright" where the prompt says so
    references: tuple[Path, ...] = ()  # true pictures of this very prompt


def load_prompts(path: Path) -> list[Prompt]:
    """The prompts of a text file (one a line, `#` in the first column is a comment) or of a prompts.json.

    raises  ConfigError when the file cannot be read, holds no prompt, or options within a line
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        prompts = _from_manifest(text, path.parent) if path.suffix == ".json" else _from_lines(text, path)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read as a prompt file ({error}). Give a UTF-8 text.") from error
    if not prompts:
        raise ConfigError(f"{path}: holds no prompt. Write one a line.")
    return prompts


def _from_lines(text: str, path: Path) -> list[Prompt]:
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    for line in lines:
        if option := _LINE_OPTION.search(line):
            raise ConfigError(
                f"{path}: options within a line, such as {option[1]} in {line!r}, are not taken. Leave them "
                "out: sampling.negative_prompt, width, height, steps and seeds hold for all prompts."
            )
    return [Prompt(text=line) for line in lines if line]


def _from_manifest(text: str, folder: Path) -> list[Prompt]:
    return [
        Prompt(
            text=_as_text(row["prompt"]),
            kind=row.get("kind", "concept"),
            tone=row.get("tone"),
            references=tuple(folder / name for name in row.get("references", ())),
        )
        for row in json.loads(text)["prompts"]
    ]


def _as_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"a prompt is {value!r}")
    return value
