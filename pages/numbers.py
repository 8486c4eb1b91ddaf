"""Numbers as a page writes them: as many places as their size asks for, the same in one row."""

import math
from collections.abc import Iterable

from pages.gallery_data import Change, Number

NONE = '<span class="soft">–</span>'
MOST_PLACES = 8


def places_for(values: Iterable[float | None]) -> int:
    """Decimal places that show the largest of the values to three digits; 3 for what lies around 1."""
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    if largest == 0:
        return 3
    power = math.floor(math.log10(largest))
    return min(MOST_PLACES, max(0, 3 if power in (-1, 0) else 2 - power))


def plain_number(value: float, places: int, *, sign: bool = False) -> str:
    """The number with a true minus sign, and never a negative zero."""
    text = f"{value:{'+' if sign else ''}.{places}f}"
    if not math.isfinite(value):
        return text
    if float(text) == 0:
        return f"{0:.{places}f}"
    return text.replace("-", "−")


def number_markup(number: Number | None, places: int) -> str:
    """Value ± spread."""
    if number is None:
        return NONE
    spread = "" if number.spread is None else f' <span class="soft">± {number.spread:.{places}f}</span>'
    return plain_number(number.value, places) + spread


def change_markup(change: Change | None, places: int) -> str:
    """The difference, and its interval beneath."""
    if change is None:
        return NONE
    return plain_number(change.value, places, sign=True) + f"<small>{interval_text(change, places)}</small>"


def interval_text(change: Change, places: int) -> str:
    """The 95 % interval of a difference in words; "" if there is none."""
    if change.low is None or change.high is None:
        return ""
    ends = [change.low, change.high]
    while places < MOST_PLACES and any(end != 0 and round(end, places) == 0 for end in ends):
        places += 1  # whether 0 is inside must be seen
    low, high = (plain_number(end, places, sign=True) for end in ends)
    return f"{low} to {high}"
