"""Prompts from a file: one a line, or the demo's manifest; no torch."""

import json
from dataclasses import dataclass
from pathlib import Path

from engine.config import ConfigError


@dataclass(kw_only=True, slots=True, frozen=True)
class Prompt:
    """What is drawn, and what is known about it."""

    text: str
    kind: str = "concept"  # "concept", or "plain": has nothing to do with what is learnt
    tone: str | None = None  # "dark" or "bright" where the prompt says so
    references: tuple[Path, ...] = ()  # true pictures of this very prompt


def load_prompts(path: Path) -> list[Prompt]:
    """The prompts of a text file (one a line, `#` in the first column is a comment) or of a prompts.json.

    raises  ConfigError when the file cannot be read or holds no prompt
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        prompts = _from_manifest(text, path.parent) if path.suffix == ".json" else _from_lines(text)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read as a prompt file ({error}). Give a UTF-8 text.") from error
    if not prompts:
        raise ConfigError(f"{path}: holds no prompt. Write one a line.")
    return prompts


def _from_lines(text: str) -> list[Prompt]:
    lines = (line.strip() for line in text.splitlines() if not line.startswith("#"))
    return [Prompt(text=line) for line in lines if line]


def _from_manifest(text: str, folder: Path) -> list[Prompt]:
    return [
        Prompt(
            text=row["prompt"],
            kind=row.get("kind", "concept"),
            tone=row.get("tone"),
            references=tuple(folder / name for name in row.get("references", ())),
        )
        for row in json.loads(text)["prompts"]
    ]
