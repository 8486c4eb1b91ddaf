"""Prompts from a file: one a line, or a manifest that says what is known of each; no torch."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config import ConfigError
from engine.sampling.prompt_lines import NO_SETTINGS, OwnSettings, read_line, read_table

CONCEPT, PLAIN = "concept", "plain"
KINDS = (CONCEPT, PLAIN)
DARK, BRIGHT = "dark", "bright"
TONES = (DARK, BRIGHT)
SCHEMA = 1  # of a manifest
_KEYS = ("prompt", "kind", "tone", "type", "references")  # of a prompt in a manifest
_TOP_KEYS = ("schema", "prompts", "concept", "trigger", "class_word")  # the last three are the demo's
_NUM_SHOWN = 5
_LONGEST_SHOWN = 60  # characters of a prompt in a sentence
_TABLES = (".csv", ".tsv", ".xlsx", ".parquet")
_NO_LISTS = (  # endings of files that surely hold no prompt a line
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jxl"),
    *(".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".zip", ".gz", ".tar"),
    *(".yaml", ".yml", ".jsonl", ".html"),
)
_WANTED = "Give a text file with one prompt a line, or a manifest (.json)"


@dataclass(kw_only=True, slots=True, frozen=True)
class Prompt:
    """What is drawn, and what is known about it."""

    text: str
    kind: str = CONCEPT  # "concept", or "plain": has nothing to do with what is learnt
    tone: str | None = None  # "dark" or "bright" where the prompt says so
    type: str | None = None  # of a protocol: scores are averaged by prompt, then by type
    references: tuple[Path, ...] = ()  # true pictures of this very prompt
    own: OwnSettings = NO_SETTINGS  # what it is drawn with in place of the run's options


def load_prompts(path: Path) -> list[Prompt]:
    """The prompts of a text file (one a line, `#` in the first column is a comment) or of a prompts.json.

    A line may end in kohya's options (--n --w --h --d --l --s); kohya's .toml and .json lists are read, too.
    raises  ConfigError when the file cannot be read, is a table or no text, holds no prompt or one twice, or
            options that are unknown
    """
    ending = path.suffix.lower()
    if ending in (".json", ".toml"):
        return _of_tree(path)
    if ending in _TABLES:
        raise ConfigError(_is_a_table(path))
    if ending in _NO_LISTS:
        raise ConfigError(f"{path}: a {ending} file is no list of prompts. {_WANTED}.")
    return _checked(_from_lines(_read_text(path), path), path)


def read_manifest_prompts(path: Path) -> list[Prompt]:
    """Prompts of a manifest: {"schema": 1, "prompts": [{"prompt", "kind", "tone", "type", "references"}]}.

    Only "prompt" has to be there; references are paths relative to the manifest and are not looked for.
    raises  ConfigError with a sentence for each prompt that cannot be used
    """
    text = _read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not JSON ({error}). Correct it.") from error
    rows = _rows(content, path)
    prompts = [_prompt(row, path.parent) for row in rows]
    problems = [
        f"{path}: prompt {number}{_shown(row)}: {found}"
        for number, (row, found) in enumerate(zip(rows, prompts, strict=True), 1)
        if isinstance(found, str)
    ]
    read = [found for found in prompts if isinstance(found, Prompt)]
    problems += _twice(read, path)
    if problems:
        raise ConfigError(_first_few(problems, path))
    return read


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a prompt file ({error}). Give a UTF-8 text.") from error


def _from_lines(text: str, path: Path) -> list[Prompt]:
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    if _is_header(next(filter(None, lines), "")):
        raise ConfigError(_is_a_table(path))
    numbered = enumerate(text.splitlines(), 1)
    return [
        _own(read_line(line.strip(), where=f"line {number}"), path, f"line {number}")
        for number, line in numbered
        if line.strip() and not line.startswith("#")
    ]


def _of_tree(path: Path) -> list[Prompt]:
    """The prompts of a .json or .toml file: ours, which is a mapping, or kohya's."""
    text = _read_text(path)
    try:
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = path.suffix[1:].upper()
        raise ConfigError(f"{path}: is not {kind} ({error}). Correct it.") from error
    if path.suffix.lower() == ".json" and not (isinstance(content, list) and content):
        return read_manifest_prompts(path)
    rows = content if isinstance(content, list) else _kohya_rows(content, path)
    found = []
    for number, row in enumerate(rows, 1):
        where = f"prompt {number}"
        if isinstance(row, str):
            found.append(_own(read_line(row.strip(), where=where), path, where))
        elif isinstance(row, Mapping):
            found.append(_own(read_table(row, where=where), path, where))
        else:
            raise ConfigError(
                f'{path}: {where}: is no entry. Write "a dog --w 512" or {{"prompt": "a dog"}}.'
            )
    return _checked(found, path)


def _kohya_rows(content: Mapping[str, object], path: Path) -> list[Mapping[str, object]]:
    """The entries of [[prompt.subset]], each with what [prompt] says of all."""
    shared = content.get("prompt")
    rows = shared.get("subset") if isinstance(shared, Mapping) else None
    if not isinstance(shared, Mapping) or not isinstance(rows, list) or len(content) > 1:
        raise ConfigError(f"{path}: is no list of prompts. Write [prompt], then [[prompt.subset]] for each.")
    of_all = {key: value for key, value in shared.items() if key != "subset"}
    return [{**of_all, **row} for row in rows]


def _own(found: tuple[str, OwnSettings] | str, path: Path, where: str) -> Prompt:
    if isinstance(found, str):
        raise ConfigError(f"{path}: {where}: {found}")
    return Prompt(text=found[0], own=found[1])


def _checked(prompts: Sequence[Prompt], path: Path) -> list[Prompt]:
    if not prompts:
        raise ConfigError(f"{path}: holds no prompt. Write one a line.")
    if problems := _twice(prompts, path):
        raise ConfigError(_first_few(problems, path))
    return list(prompts)


def _rows(content: object, path: Path) -> list[object]:
    """The entries of a manifest, as they stand."""
    rows = content.get("prompts") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(rows, list):
        raise ConfigError(
            f'{path}: is not a manifest. Write {{"schema": {SCHEMA}, "prompts": [{{"prompt": "a dog"}}]}}.'
        )
    if content.get("schema", SCHEMA) != SCHEMA:
        raise ConfigError(f"{path}: schema {content['schema']!r} is not known. Write {SCHEMA}.")
    if unknown := [key for key in content if key not in _TOP_KEYS]:
        raise ConfigError(f"{path}: {unknown[0]!r} is unknown. Beside the prompts there is only the schema.")
    if not rows:
        raise ConfigError(f"{path}: holds no prompt. Give one.")
    return rows


def _prompt(row: object, folder: Path) -> Prompt | str:
    """The prompt of an entry, or what is wrong with it and what to do."""
    if not isinstance(row, dict):
        return 'is no entry. Write {"prompt": "a dog"}.'
    if unknown := [key for key in row if key not in _KEYS]:
        return f"{unknown[0]!r} is unknown. There are {', '.join(_KEYS)}."
    text = row.get("prompt")
    if not isinstance(text, str) or not _is_text(text):
        return f'"prompt" is {json.dumps(text)}. Give the text that is drawn.'
    kind, tone, of_type = row.get("kind", CONCEPT), row.get("tone"), row.get("type")
    if kind not in KINDS:
        return f"kind={_plain(kind)} is unknown. Use {' or '.join(KINDS)}."
    if tone is not None and tone not in TONES:
        return f"tone={_plain(tone)} is unknown. Use {' or '.join(TONES)}, or null."
    if of_type is not None and not _is_text(of_type):
        return f"type={_plain(of_type)} is not a name. Give one, or null."
    references = row.get("references", [])
    if not isinstance(references, list) or not all(map(_is_text, references)):
        return '"references" is not a list of files. Write ["a.png", "b.png"].'
    return Prompt(
        text=text,
        kind=kind,
        tone=tone,
        type=of_type,
        references=tuple(folder / name for name in references),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(row: object) -> str:
    """How a sentence names an entry beside its number."""
    text = row.get("prompt") if isinstance(row, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        return ""
    return f" ({text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '...'})"


def _is_a_table(path: Path) -> str:
    return (
        f"{path}: is a table and no list of prompts. {_WANTED}; a table goes with the pictures that it names "
        f"(python -m evaluation images=DIR prompts={path})."
    )


def _is_header(line: str) -> bool:
    """Whether a first line is that of a table: path,prompt,seed."""
    cells = [cell.strip().strip("\"'").lower() for cell in re.split("[,;\t]", line)]
    return cells[0] == "path" and "prompt" in cells


def _twice(prompts: Sequence[Prompt], path: Path) -> list[str]:
    """A prompt that is listed twice would count as two, and make intervals narrower than they are."""
    counts = Counter(prompt.text for prompt in prompts)
    doubled = [text for text, count in counts.items() if count > 1]
    return [f"{path}: the prompt {text!r} stands twice. Give it once." for text in doubled]


def _first_few(problems: list[str], path: Path) -> list[str]:
    if len(problems) <= _NUM_SHOWN:
        return problems
    rest = f"{path}: {len(problems) - _NUM_SHOWN} more prompts cannot be used. Correct them too."
    return [*problems[:_NUM_SHOWN], rest]
