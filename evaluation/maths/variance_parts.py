"""Where the noise of a score comes from, prompts or seeds, and how many pictures a difference needs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from statistics import NormalDist

import numpy as np

from evaluation.maths.statistics import Value
from evaluation.maths.student import t_quantile

CONFIDENCE = 0.95  # of the two-sided interval that a difference must stand out of
POWER = 0.8  # probability that it does, if it is there


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


def _probabilities(confidence: float, power: float) -> tuple[float, float]:
    if not (0 < confidence < 1 and 0 < power < 1):
        raise ValueError(f"confidence={confidence} and power={power} must lie between 0 and 1")
    return (1 + confidence) / 2, power


def _noise_multiple(num_prompts: int, confidence: float, power: float) -> float:
    """How many standard errors of the mean over prompts a difference must have."""
    return sum(t_quantile(probability, num_prompts - 1) for probability in _probabilities(confidence, power))
