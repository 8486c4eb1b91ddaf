"""Where the noise of a score comes from, prompts or seeds, and how many pictures a difference needs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, isfinite, pi, sin, sqrt
from statistics import NormalDist

import numpy as np

from evaluation.statistics import Value

CONFIDENCE = 0.95  # of the two-sided interval that a difference must stand out of
POWER = 0.8  # probability that it does, if it is there
EXACT_DEGREES = 200  # of freedom: from here on a series gives Student's t to 11 digits


@dataclass(kw_only=True, slots=True, frozen=True)
class VarianceParts:
    """The variance of single values, split into that of the prompts and that of the seeds of a prompt."""

    between: float | None  # of the prompts' true means, >= 0; None: one prompt, or one seed a prompt
    within: float | None  # of the seeds of a prompt, >= 0; None: one seed a prompt
    total: float | None  # between + within, also where only the sum is known; None: one prompt
    num_prompts: int
    num_values: int


@dataclass(kw_only=True, slots=True, frozen=True)
class PicturesNeeded:
    """How many prompts, and pictures of the run (the base's come on top), tell a difference from noise."""

    num_prompts: int
    num_pictures: int  # prompts x seeds


def variance_parts(differences: Sequence[Value]) -> VarianceParts | None:
    """Between-prompts and within-prompts variance of paired differences; None for fewer than two values.

    differences  one a (prompt, seed); prompts may have different numbers of seeds
    With a prompts of n_i values, N in all, the mean squares MSA between and MSE within prompts:
        within = MSE,  between = (MSA - MSE) / n0, at least 0,  n0 = (N - sum n_i^2 / N) / (a - 1)
    With one seed everywhere MSA estimates between + within, which is then all that is known.
    Source: Searle, Casella and McCulloch 1992, "Variance Components", chapter 3 (the ANOVA estimator of
    the one-way random model, unbalanced data; its negative estimates set to 0).
    """
    groups: defaultdict[int, list[float]] = defaultdict(list)
    for difference in differences:
        groups[difference.prompt_index].append(difference.value)
    sizes = np.array([len(values) for values in groups.values()])
    num_prompts, num_values = len(groups), len(differences)
    if num_values < 2:
        return None
    means = np.array([np.mean(values) for values in groups.values()])
    within: float | None = None
    if num_values > num_prompts:
        squares = sum(float(np.sum((np.array(v) - np.mean(v)) ** 2)) for v in groups.values())
        within = squares / (num_values - num_prompts)
    between: float | None = None
    total: float | None = None
    if num_prompts > 1:
        grand_mean = float(np.sum(sizes * means)) / num_values
        between_square = float(np.sum(sizes * (means - grand_mean) ** 2)) / (num_prompts - 1)
        if within is None:
            total = between_square
        else:
            seeds = (num_values - float(np.sum(sizes**2)) / num_values) / (num_prompts - 1)
            between = max(0.0, (between_square - within) / seeds)
            total = between + within
    return VarianceParts(
        between=between, within=within, total=total, num_prompts=num_prompts, num_values=num_values
    )


def variance_of_prompt_mean(parts: VarianceParts, seeds_per_prompt: int) -> float | None:
    """The variance of a prompt's mean over so many seeds: between + within / seeds; None where unknown."""
    if seeds_per_prompt < 1:
        raise ValueError(f"seeds_per_prompt={seeds_per_prompt} must be 1 or more")
    if seeds_per_prompt == 1:
        return parts.total
    if parts.between is None or parts.within is None:
        return None
    return parts.between + parts.within / seeds_per_prompt


def pictures_needed(
    parts: VarianceParts,
    difference: float,
    *,
    seeds_per_prompt: int,
    confidence: float = CONFIDENCE,
    power: float = POWER,
) -> PicturesNeeded | None:
    """The fewest prompts whose mean tells a difference of this size from noise; None where it is unknown.

    difference  in the metric's unit, not 0; its sign does not matter
    returns     the smallest P >= 2 with P >= v (t(1 - (1 - confidence) / 2) + t(power))^2 / difference^2,
                v = between + within / seeds, t = Student's quantiles at P - 1 degrees of freedom
    P is on both sides: it is counted up from what the normal quantiles ask for, always too few or just right.
    Source: Cochran and Cox 1957, "Experimental Designs", section 2.21, the t quantiles taken at the answer.
    The variances are estimates themselves: from few prompts, read the answer as an order of size.
    """
    if not isfinite(difference) or difference == 0:
        raise ValueError(f"difference={difference}: no number of pictures tells it from noise")
    variance = variance_of_prompt_mean(parts, seeds_per_prompt)
    if variance is None:
        return None
    ratio = variance / difference**2
    normal = sum(NormalDist().inv_cdf(p) for p in _probabilities(confidence, power))
    prompts = max(2, ceil(ratio * normal**2))
    while prompts < ratio * _noise_multiple(prompts, confidence, power) ** 2:
        prompts += 1
    return PicturesNeeded(num_prompts=prompts, num_pictures=prompts * seeds_per_prompt)


def smallest_difference(
    parts: VarianceParts,
    num_prompts: int,
    *,
    seeds_per_prompt: int,
    confidence: float = CONFIDENCE,
    power: float = POWER,
) -> float | None:
    """The smallest difference that so many prompts and seeds tell from noise; None where it is unknown.

    returns  (t(1 - (1 - confidence) / 2) + t(power)) sqrt(v / prompts) as in pictures_needed, which is its
             inverse; None for a single prompt, which has no interval
    """
    variance = variance_of_prompt_mean(parts, seeds_per_prompt)
    if variance is None or num_prompts < 2:
        return None
    return _noise_multiple(num_prompts, confidence, power) * sqrt(variance / num_prompts)


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
    if degrees >= EXACT_DEGREES:
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


def _probabilities(confidence: float, power: float) -> tuple[float, float]:
    if not (0 < confidence < 1 and 0 < power < 1):
        raise ValueError(f"confidence={confidence} and power={power} must lie between 0 and 1")
    return (1 + confidence) / 2, power


def _noise_multiple(num_prompts: int, confidence: float, power: float) -> float:
    """How many standard errors of the mean over prompts a difference must have."""
    return sum(t_quantile(probability, num_prompts - 1) for probability in _probabilities(confidence, power))
