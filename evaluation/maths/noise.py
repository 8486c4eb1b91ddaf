"""Where the noise of a metric comes from, and how many pictures a wanted difference needs."""

from collections import Counter
from collections.abc import Sequence
from statistics import median_high

from evaluation.maths.statistics import Value
from evaluation.maths.variance_parts import pictures_needed, smallest_difference, variance_parts
from evaluation.records import Noise


def noise_of(differences: Sequence[Value]) -> Noise | None:
    """The parts of the variance of paired differences, what they hide, and what half of that would cost.

    None where there is nothing to tell: no pairs, a single prompt, or no noise at all.
    """
    parts = variance_parts(differences)
    if parts is None or not parts.total:
        return None
    seeds = median_high(Counter(value.prompt_index for value in differences).values())
    smallest = smallest_difference(parts, parts.num_prompts, seeds_per_prompt=seeds)
    if smallest is None:
        return None
    half = pictures_needed(parts, smallest / 2, seeds_per_prompt=seeds)
    return Noise(
        between_prompts=parts.between,
        within_prompts=parts.within,
        smallest_difference=smallest,
        prompts_for_half=None if half is None else half.num_prompts,
    )
