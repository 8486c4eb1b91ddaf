"""Student's t: what an interval from few numbers reckons with."""

from functools import cache
from math import cos, pi, sin, sqrt
from statistics import NormalDist

_EXACT_DEGREES = 200  # of freedom: from here on a series gives Student's t to 11 digits


@cache
def t_quantile(probability: float, degrees: int) -> float:
    """Student's t that is not exceeded with this probability (0 to 1, both excluded).

    degrees  of freedom, 1 and up
    Below 200 the closed form of the distribution is inverted by halving, from there on the expansion around
    the normal quantile is taken; both to 1e-10 relative.
    Source: Abramowitz and Stegun, 26.7.3, 26.7.4 and 26.7.5.
    """
    if not 0 < probability < 1 or degrees < 1:
        raise ValueError(f"no quantile of t at probability {probability} and {degrees} degrees of freedom")
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    if degrees >= _EXACT_DEGREES:
        return _t_quantile_by_series(NormalDist().inv_cdf(probability), degrees)
    low, high = 0.0, pi / 2  # the angle whose tangent is t / sqrt(degrees)
    for _ in range(80):
        middle = (low + high) / 2
        if _t_within(middle, degrees) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return sqrt(degrees) * sin(low) / cos(low)


def _t_within(angle: float, degrees: int) -> float:
    """The probability of |t| <= sqrt(degrees) tan(angle), by 26.7.3 (odd) and 26.7.4 (even)."""
    odd = degrees % 2
    term = cos(angle) if odd else 1.0
    series = 0.0 if degrees == 1 else term
    for step in range(2 + odd, degrees - 1, 2):
        term *= cos(angle) ** 2 * (step - 1) / step
        series += term
    return 2 / pi * (angle + sin(angle) * series) if odd else sin(angle) * series


def _t_quantile_by_series(z: float, degrees: int) -> float:
    """Abramowitz and Stegun 26.7.5: the first five terms in 1 / degrees."""
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / float(degrees) ** power for power, term in enumerate(terms))
