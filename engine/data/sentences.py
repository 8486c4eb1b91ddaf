"""How sentences about many files stay short."""

import unicodedata
from collections.abc import Sequence

_NUM_NAMED = 5  # files that a sentence names before it only counts
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")  # line breaks, other controls, bytes that are no text


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _NUM_NAMED
    shown = ", ".join(printable(name) for name in names[:_NUM_NAMED])
    return shown + (f" and {more} more" if more > 0 else "")


def printable(name: str) -> str:
    """A file's name on one line, in characters that every encoding of Unicode has: others are escaped."""
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) in _UNSHOWN else one
        for one in name
    )


def pictures(count: int) -> str:
    """ "1 picture", "2 pictures"."""
    return "1 picture" if count == 1 else f"{count} pictures"
