"""A word that is not known, and the one that may have been meant."""

import difflib
from collections.abc import Sequence


def unknown_name(name: str, known: Sequence[str], kind: str) -> str:
    """The sentence about an unknown name.

    kind  what it should name: "option", "metric"
    """
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{name}: unknown {kind} ({hint})"
