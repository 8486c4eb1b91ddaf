"""Metrics that are parts of another one, as val_loss_q1 to _q4 of val_loss: each goes below its stem."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")
_QUARTER = re.compile(r"(.+)_q[1-4]")


def below_their_stems(rows: Sequence[Row], name_of: Callable[[Row], str]) -> list[tuple[Row, Row | None]]:
    """Every row once, with the row of its stem; None: it is no quarter, or its stem is not among the rows.

    The order stays, but that quarters follow their stem, from the first to the last.
    """
    names = {name_of(row) for row in rows}
    quarters = [row for row in rows if stem_name(name_of(row)) in names]
    quarters.sort(key=name_of)
    ordered: list[tuple[Row, Row | None]] = []
    done: set[str] = set()
    for row in rows:
        name = name_of(row)
        if stem_name(name) in names:
            continue
        ordered.append((row, None))
        if name not in done:  # of two rows of one name the first has the quarters
            ordered += [(part, row) for part in quarters if stem_name(name_of(part)) == name]
            done.add(name)
    return ordered


def stem_name(name: str) -> str | None:
    """val_loss of val_loss_q3; None of what is no quarter."""
    found = _QUARTER.fullmatch(name)
    return found[1] if found else None


def quarter_title(title: str, stem_title: str) -> str:
    """The title without what the row above says already."""
    rest = title.removeprefix(stem_title).lstrip(" ,:;")
    return rest if rest and rest != title else title
