"""The values of one dimension: which lie inside, which stand at its ends."""

from sweeper.space.conditions import one_of
from sweeper.study.records import Dimension


def is_inside(dimension: Dimension, value: object) -> bool:
    """Whether the dimension can take a value; the text of a composed value counts as that value."""
    if dimension.choices is not None:
        return one_of(value, dimension.choices) is not None
    number = _number(value)
    if number is None or (dimension.integer and not number.is_integer()):
        return False
    assert dimension.low is not None and dimension.high is not None, "an interval has two ends"
    return dimension.low <= number <= dimension.high


def true_value(dimension: Dimension, value: object) -> object:
    """The dimension's own form of a value that lies inside: 4 for 4.0 or '4'."""
    if dimension.choices is not None:
        place = one_of(value, dimension.choices)
        assert place is not None, "the value lies inside"
        return dimension.choices[place]
    number = _number(value)
    assert number is not None, "the value lies inside"
    return int(number) if dimension.integer else number


def marks(dimension: Dimension) -> tuple[object, ...]:
    """All choices, or both ends of an interval."""
    if dimension.choices is not None:
        return dimension.choices
    assert dimension.low is not None and dimension.high is not None, "an interval has two ends"
    return (true_value(dimension, dimension.low), true_value(dimension, dimension.high))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
