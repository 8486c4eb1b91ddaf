"""external_scores=FILE: scores of pictures that another program gave, a column a metric."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.errors import ConfigError
from engine.data.sentences import pictures, printable
from evaluation.encoders.pictures import UNREADABLE, open_picture
from evaluation.reading.picture_folder import PictureNames
from evaluation.reading.text_file import Row, Table, first_few, parse_table, read_text_file
from evaluation.records import Direction

FORM = "path,score"
DEFAULT_NAME = "external"  # of a column that is called score
_DIRECTIONS = {"higher": Direction.higher, "lower": Direction.lower}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,63}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_NOT_A_NUMBER = re.compile(r"[+-]?nan", re.IGNORECASE)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_PLACES = frozenset(("set", "prompt_index", "prompt", "seed", "file", "fault", "kind", "tone", "type"))


@dataclass(kw_only=True, slots=True, frozen=True)
class ExternalScores:
    """One column: a metric that another program measured."""

    name: str  # as the outputs name it
    direction: Direction
    by_path: Mapping[Path, float]


@dataclass(kw_only=True, slots=True)
class _Column:
    """A column while it is read."""

    header: str
    name: str
    direction: Direction
    by_path: dict[Path, float] = field(default_factory=dict)


def read_external_scores(
    file: Path, names: PictureNames, *, scored: Sequence[Sequence[Path]], taken: Collection[str]
) -> dict[str, ExternalScores]:
    """The scores of pictures by the name of their metric.

    file    CSV: path,<name>[,<name>...]; "score" is shown as "external"; a name may end in ":lower" where
            less is better
    scored  sets of pictures: every one of the first must have its scores, the others all or none. A picture
            that cannot be opened needs none: nothing could have scored it
    taken   the names of our own metrics
    raises  ConfigError with all that is wrong with its lines
    """
    where = f"external_scores={printable(str(file))}"
    table = parse_table(read_text_file(file, where), where, first="path", form=FORM)
    columns = _columns(table, where, taken)
    problems: list[str] = []
    lines: dict[Path, int] = {}
    for row in table.rows:
        path = _picture(row, where, names, problems)
        if path is None:
            continue
        if path in lines:
            problems.append(
                f"{where}, line {row.line}: {printable(row.cells['path'])} has its scores in line "
                f"{lines[path]} already. Keep one line."
            )
        lines[path] = row.line
        for column in columns:
            number = _number(row, column.header, where, problems)
            if number is not None:
                column.by_path[path] = number
    if not problems:
        problems = _incomplete(where, lines, scored)
    if problems:
        raise ConfigError(first_few(problems))
    return {
        column.name: ExternalScores(name=column.name, direction=column.direction, by_path=column.by_path)
        for column in columns
    }


def _columns(table: Table, where: str, taken: Collection[str]) -> list[_Column]:
    headers = [name for name in table.columns if name != "path"]
    if not headers:
        raise ConfigError(f"{where}: holds no scores. Begin with {FORM}, or path and the names of metrics.")
    columns = [_column(header, where) for header in headers]
    ours = [column.name for column in columns if column.name in taken or column.name in _PLACES]
    if ours:
        kind = "a metric" if ours[0] in taken else "a column"
        raise ConfigError(
            f"{where}: {ours[0]} is the name of {kind} of our own. Give the column another name."
        )
    names = [column.name for column in columns]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{where}: its header names {doubled[0]} twice. Keep one column.")
    return columns


def _column(header: str, where: str) -> _Column:
    name, colon, direction = (part.strip() for part in header.partition(":"))
    if colon and direction not in _DIRECTIONS:
        raise ConfigError(f"{where}: {printable(header)} does not end in :higher or :lower.")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: {printable(name)[:60]} is no name for a metric. Use letters, digits and _ . + - "
            "beginning with a letter."
        )
    return _Column(
        header=header,
        name=DEFAULT_NAME if name == "score" else name,
        direction=_DIRECTIONS.get(direction, Direction.higher),
    )


def _picture(row: Row, where: str, names: PictureNames, problems: list[str]) -> Path | None:
    word = row.cells["path"].strip()
    match names.find(word) if word else []:
        case [path]:
            return path
        case []:
            what = f"{printable(word)} is no picture that is scored" if word else "names no picture"
            problems.append(
                f"{where}, line {row.line}: {what}. Write its path within {printable(str(names.folder))}."
            )
        case several:
            problems.append(
                f"{where}, line {row.line}: {printable(word)} fits {len(several)} pictures. "
                f"Write its path within {printable(str(names.folder))}."
            )
    return None


def _number(row: Row, header: str, where: str, problems: list[str]) -> float | None:
    word = row.cells[header].strip()
    number = float(word) if _NUMBER.fullmatch(word) else math.nan
    if math.isfinite(number):
        return number
    if not word:
        what = "is empty"
    elif _NOT_A_NUMBER.fullmatch(word):
        what = "is NaN, not a number"
    elif math.isinf(number) or _INFINITE.fullmatch(word):
        what = "is infinite"
    else:
        what = f"is no number ({printable(word)[:40]})"
    problems.append(
        f"{where}, line {row.line}: {header} {what}. Write a number, or take the picture out of the folder."
    )
    return None


def _incomplete(where: str, lines: Mapping[Path, int], scored: Sequence[Sequence[Path]]) -> list[str]:
    problems = []
    for place, paths in enumerate(scored):
        missing = [path for path in paths if path not in lines]
        if (place and len(missing) == len(paths)) or all(not _opens(path) for path in missing):
            continue
        first = next(path for path in missing if _opens(path))
        problems.append(
            f"{where}: {len(missing)} of {pictures(len(paths))} have no score, the first: "
            f"{printable(str(first))}. Score them too, or take them out."
        )
    return problems


def _opens(path: Path) -> bool:
    try:
        open_picture(path)
    except UNREADABLE:
        return False
    return True
