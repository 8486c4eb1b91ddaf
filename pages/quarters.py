"""Metrics that are parts of another one (val_loss_q1 to val_loss_q4 of val_loss): each goes below its stem."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")
_QUARTER = re.compile(r"(.+)_q[1-4]")


def below_their_stems(rows: Sequence[Row], name_of: Callable[[Row], str]) -> list[tuple[Row, Row | None]]:
    """Every row once, with the row of its stem; None: it is no quarter, or its stem is not among the rows.

    The order stays, but that quarters follow their stem, from the first to the last.
    """
    by_name = {name_of(row): row for row in rows}
    stems = {name: stem for name in by_name if (stem := stem_name(name)) in by_name}
    ordered: list[tuple[Row, Row | None]] = []
    for name, row in by_name.items():
        if name in stems:
            continue
        ordered.append((row, None))
        ordered += [(by_name[part], row) for part in sorted(stems) if stems[part] == name]
    return ordered


def stem_name(name: str) -> str | None:
    """val_loss of val_loss_q3; None of what is no quarter."""
    found = _QUARTER.fullmatch(name)
    return found[1] if found else None


def quarter_title(title: str, stem_title: str) -> str:
    """The title without what the row above says already."""
    rest = title.removeprefix(stem_title).lstrip(" ,:;")
    return rest if rest and rest != title else title
