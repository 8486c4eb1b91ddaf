"""How sentences about many files stay short."""

from collections.abc import Sequence

_NUM_NAMED = 5  # files that a sentence names before it only counts


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {more} more" if more > 0 else "")


def pictures(count: int) -> str:
    """ "1 picture", "2 pictures"."""
    return "1 picture" if count == 1 else f"{count} pictures"
