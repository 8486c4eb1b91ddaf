"""Text files that a user gives, and tables in them: read whole, or refused in a sentence."""

import codecs
import csv
import io
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.config.errors import ConfigError
from engine.data.file_content import once
from engine.data.sentences import printable

_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(kw_only=True, slots=True, frozen=True)
class Row:
    """A line of a table; a quoted cell may go over several lines: the first one counts."""

    line: int
    cells: dict[str, str]  # column -> text


@dataclass(kw_only=True, slots=True, frozen=True)
class Table:
    """A CSV file with a header."""

    columns: tuple[str, ...]
    rows: list[Row]


def read_text_file(path: Path, where: str) -> str:
    """All of a UTF-8 file, without its byte order mark.

    where   how sentences name the file: "prompts=a.csv"
    raises  ConfigError for no file, one that cannot be opened, of another encoding, binary or empty
    """
    if not os.path.isfile(path):  # noqa: PTH113  (of a name that is too long Path raises)
        is_folder = os.path.isdir(path)  # noqa: PTH112
        raise ConfigError(
            f"{where}: {'a folder. Give a file' if is_folder else 'no such file. Check the path'}."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be opened ({error.strerror}). Allow it.") from error
    for mark, encoding in _OTHER_ENCODINGS:
        if content.startswith(mark):
            raise ConfigError(f"{where}: is {encoding}. Save it as UTF-8.")
    if b"\0" in content:
        raise ConfigError(f"{where}: is no text file (it holds zero bytes). Give a UTF-8 text.")
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: is not UTF-8. Save it as UTF-8.") from None
    if not text.strip():
        raise ConfigError(f"{where}: is empty.")
    return text


def parse_json(text: str, where: str) -> object:
    """The content. ConfigError: not JSON, nested too deeply, a key twice."""
    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ConfigError(f"{where}: is nested too deeply. Give a plain JSON file.") from None
    except ValueError as error:
        raise ConfigError(f"{where}: is not JSON ({_one_line(error)}). Correct it.") from error


def parse_table(text: str, where: str, *, first: str, form: str) -> Table:
    """The rows of a CSV file with commas, blank lines left out.

    first   a column that the header must have
    form    what the header looks like, for sentences: "path,prompt"
    raises  ConfigError with every row that has another number of cells than the header
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((before + 1, cells))
            before = reader.line_num
    except csv.Error as error:
        raise ConfigError(
            f"{where}, line {before + 1}: is not CSV ({_one_line(error)}). Correct it."
        ) from error
    if not lines:
        raise ConfigError(f"{where}: is empty.")
    columns = tuple(cell.strip() for cell in lines[0][1])
    _check_header(columns, where, first=first, form=form)
    if len(lines) == 1:
        raise ConfigError(f"{where}: holds a header and no rows. Write a line for each picture.")
    wrong = [
        f"{where}, line {line}: holds {len(cells)} cells; the header has {len(columns)}. Put a text with "
        'commas into double quotes, and write numbers with a point: "a dog, running",0.5.'
        for line, cells in lines[1:]
        if len(cells) != len(columns)
    ]
    if wrong:
        raise ConfigError(first_few(wrong))
    rows = [Row(line=line, cells=dict(zip(columns, cells, strict=True))) for line, cells in lines[1:]]
    return Table(columns=columns, rows=rows)


def first_few(problems: Collection[str], most: int = 5) -> list[str]:
    """The first problems, and how many more there are: a broken file must not fill the screen."""
    shown = list(problems)[:most]
    more = len(problems) - len(shown)
    return [*shown, f"and {more} more problems of this kind."] if more > 0 else shown


def _check_header(columns: tuple[str, ...], where: str, *, first: str, form: str) -> None:
    if first not in columns:
        head = columns[0]
        separator = next((mark for mark in _SEPARATORS if head.split(mark)[0].strip() == first), None)
        if separator is not None:
            raise ConfigError(
                f"{where}: its columns are separated by {_SEPARATORS[separator]}. Use commas: {form}."
            )
        shown = printable(",".join(columns)[:60])
        raise ConfigError(f"{where}: its first line is no header ({shown}). Begin with {form}.")
    if "" in columns:
        raise ConfigError(f"{where}: column {columns.index('') + 1} of its header has no name. Write {form}.")
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise ConfigError(f"{where}: its header names {printable(doubled[0])} twice. Keep one column.")


def _one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()))
