"""prompts=FILE: a table, a JSON file or a list, as entries that name pictures or as numbered prompts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.config.errors import ConfigError
from engine.data.sentences import printable
from engine.sampling.prompt_file import KINDS, SCHEMA, TONES, Prompt
from evaluation.reading.text_file import Row, first_few, parse_json, parse_table, read_text_file

FORM = "path,prompt[,seed][,kind][,tone][,type]"
MOST_SEED = 2**64 - 1
_ROW_KEYS = ("prompt", "kind", "tone", "type", "references", "pictures")  # of a manifest
_COLUMNS = ("path", "prompt", "seed", "kind", "tone", "type")
_SEED = re.compile(r"[0-9]{1,20}")
_SEED_OPTION = re.compile(r"d ([0-9]{1,20})\s*")  # kohya's: "a dog --d 42"


@dataclass(kw_only=True, slots=True, frozen=True)
class Entry:
    """What a file says of one picture."""

    where: str  # "prompts=a.csv, line 3"
    picture: str  # as the file calls it
    prompt: Prompt
    seed: int | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class Numbered:
    """A prompt that names no pictures: which are its own is said by their names or their order."""

    where: str
    prompt: Prompt
    seed: int | None = None  # of all its pictures, where their names say none


@dataclass(kw_only=True, slots=True, frozen=True)
class PromptList:
    """A prompt file in one of its two forms; the other is empty."""

    where: str  # "prompts=a.csv"
    entries: list[Entry]
    numbered: list[Numbered]
    prompts: dict[str, Prompt]  # by text, in the order of the file


def read_prompt_list(path: Path) -> PromptList:
    """The prompts of a file and what it says of the pictures that they belong to.

    raises  ConfigError with all that is wrong with its lines
    """
    where = f"prompts={printable(str(path))}"
    text = read_text_file(path, where)
    entries: list[Entry] = []
    numbered: list[Numbered] = []
    match path.suffix.lower():
        case ".csv":
            entries = _from_table(text, where)
        case ".json":
            entries, numbered = _from_json(text, where, path.parent)
        case ".txt":
            numbered = _from_lines(text, where)
        case _:
            raise ConfigError(
                f"{where}: neither .csv, .json nor .txt. Give a table {FORM}, a manifest, "
                '{"file": "prompt"}, or a list with a prompt a line.'
            )
    return PromptList(where=where, entries=entries, numbered=numbered, prompts=_known(entries, numbered))


def read_seed(word: str) -> int | None:
    """A seed in digits; None for what is no seed, such as -1 (random) or a number beyond 64 bits."""
    return int(word) if _SEED.fullmatch(word) and int(word) <= MOST_SEED else None


def _from_table(text: str, where: str) -> list[Entry]:
    table = parse_table(text, where, first="path", form=FORM)
    if unknown := [name for name in table.columns if name not in _COLUMNS]:
        raise ConfigError(
            f"{where}: {printable(unknown[0])} is no column that is read. There are {', '.join(_COLUMNS)}."
        )
    if "prompt" not in table.columns:
        raise ConfigError(f"{where}: its header has no column prompt. Begin with {FORM}.")
    problems: list[str] = []
    entries = [_entry(row, f"{where}, line {row.line}", problems) for row in table.rows]
    if problems:
        raise ConfigError(first_few(problems))
    return entries


def _entry(row: Row, where: str, problems: list[str]) -> Entry:
    cells = {name: cell.strip() for name, cell in row.cells.items()}
    seed = cells.get("seed", "")
    if not cells["path"]:
        problems.append(f"{where}: names no picture. Write its path.")
    if not cells["prompt"]:
        problems.append(f"{where}: has no prompt. Write one, or take the picture out of the folder.")
    if seed and read_seed(seed) is None:
        problems.append(f"{where}: seed={printable(seed)} is no whole number from 0 to {MOST_SEED}.")
    kind, tone = cells.get("kind", ""), cells.get("tone", "")
    problems += _wrong_words(where, kind=kind, tone=tone)
    prompt = Prompt(
        text=cells["prompt"], kind=kind or "concept", tone=tone or None, type=cells.get("type") or None
    )
    return Entry(
        where=where,
        picture=cells["path"],
        prompt=prompt,
        seed=read_seed(seed),
    )


def _wrong_words(where: str, *, kind: str, tone: str) -> list[str]:
    return [
        f"{where}: {column}={printable(word)} is not known. Use {' or '.join(known)}."
        for column, word, known in (("kind", kind, KINDS), ("tone", tone, TONES))
        if word and word not in known
    ]


def _from_json(text: str, where: str, folder: Path) -> tuple[list[Entry], list[Numbered]]:
    content = parse_json(text, where)
    if not isinstance(content, dict) or not content:
        raise ConfigError(f'{where}: is no JSON object with entries. Write {{"a.png": "a prompt", ...}}.')
    if isinstance(content.get("prompts"), list):
        return _from_manifest(content, where, folder)
    wrong = [name for name, prompt in content.items() if not _is_text(prompt)]
    if wrong:
        raise ConfigError(
            f"{where}: what stands for {printable(wrong[0])} is no prompt. "
            'Write {"a.png": "a prompt", ...}, or a manifest {"schema": 1, "prompts": [...]}.'
        )
    return [
        Entry(where=f"{where}, {printable(name)}", picture=name, prompt=Prompt(text=str(prompt).strip()))
        for name, prompt in content.items()
    ], []


def _from_manifest(
    content: Mapping[str, object], where: str, folder: Path
) -> tuple[list[Entry], list[Numbered]]:
    """Entries where its rows name pictures, numbered prompts where none does."""
    if content.get("schema", SCHEMA) != SCHEMA:
        raise ConfigError(f"{where}: is no manifest of schema {SCHEMA}.")
    rows = content["prompts"]
    assert isinstance(rows, list), "looked at by the caller"
    problems: list[str] = []
    read = [_manifest_row(row, f"{where}, prompt {num}", folder, problems) for num, row in enumerate(rows, 1)]
    if not read:
        problems.append(f"{where}: holds no prompt.")
    if problems:
        raise ConfigError(first_few(problems))
    numbered = [one for one, _ in read]
    if not any(names for _, names in read):
        return [], numbered
    if bare := [one.where for one, names in read if not names]:
        raise ConfigError(
            f"{bare[0]}: names no pictures, and other prompts do ({len(bare)} of {len(read)} name none). "
            'Write its "pictures", or take it out.'
        )
    return [
        Entry(where=one.where, picture=name, prompt=one.prompt) for one, names in read for name in names
    ], []


def _manifest_row(row: object, where: str, folder: Path, problems: list[str]) -> tuple[Numbered, list[str]]:
    nothing = Numbered(where=where, prompt=Prompt(text="")), list[str]()
    if not isinstance(row, dict) or not _is_text(row.get("prompt")):
        problems.append(
            f'{where}: has no text under "prompt". Write {{"prompt": "a dog", "pictures": [files]}}.'
        )
        return nothing
    if unknown := [key for key in row if key not in _ROW_KEYS]:
        problems.append(f"{where}: {printable(unknown[0])} is unknown. There are {', '.join(_ROW_KEYS)}.")
        return nothing
    words = {name: row.get(name) or "" for name in ("kind", "tone", "type")}
    lists = {name: row.get(name) or [] for name in ("pictures", "references")}
    wrong = [name for name, word in words.items() if not isinstance(word, str)]
    wrong += [name for name, files in lists.items() if not _is_files(files)]
    if wrong:
        kind = "list of files" if wrong[0] in lists else "word"
        problems.append(f'{where}: what stands under "{wrong[0]}" is no {kind}.')
        return nothing
    problems += _wrong_words(where, kind=words["kind"], tone=words["tone"])
    prompt = Prompt(
        text=row["prompt"].strip(),
        kind=words["kind"] or "concept",
        tone=words["tone"] or None,
        type=words["type"] or None,
        references=tuple(folder / name for name in lists["references"]),
    )
    return Numbered(where=where, prompt=prompt), lists["pictures"]


def _is_text(value: object) -> bool:
    """Some words, without halves of characters, which no file could hold."""
    return isinstance(value, str) and bool(value.strip()) and not re.search("[\ud800-\udfff]", value)


def _is_files(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(name, str) and name and "\0" not in name for name in value
    )


def _from_lines(text: str, where: str) -> list[Numbered]:
    """A prompt a line; what kohya's trainer reads behind -- is about drawing, but for the seed.

    Source: kohya sd-scripts 0.10.1, train_util.line_to_prompt_dict and its way of numbering prompts.
    """
    found = []
    for num, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words, *options = f" {line.strip()}".split(" --")
        seeds = [match[1] for option in options if (match := _SEED_OPTION.fullmatch(option))]
        seed = read_seed(seeds[-1]) if seeds else None
        if not words.strip():
            raise ConfigError(f"{where}, line {num}: has options and no prompt. Write one.")
        found.append(Numbered(where=f"{where}, line {num}", prompt=Prompt(text=words.strip()), seed=seed))
    if not found:
        raise ConfigError(f"{where}: holds no prompt. Write one a line.")
    return found


def _known(entries: list[Entry], numbered: list[Numbered]) -> dict[str, Prompt]:
    """The prompts by their text. ConfigError: what is said of one differs from line to line."""
    found: dict[str, Prompt] = {}
    rows: list[Entry | Numbered] = [*entries, *numbered]
    for one in rows:
        text = one.prompt.text
        before = found.setdefault(text, one.prompt)
        if replace(before, references=()) != replace(one.prompt, references=()):
            raise ConfigError(
                f"{one.where}: another kind, tone or type than its prompt has further up "
                f"({printable(text[:60])}). Write the same on each of its lines."
            )
        more = [path for path in one.prompt.references if path not in found[text].references]
        if more:
            found[text] = replace(before, references=(*before.references, *more))
    return found
