"""Where the noise of a metric comes from, and how many pictures a wanted difference needs."""

from collections import Counter
from collections.abc import Sequence
from statistics import median_high

from evaluation.maths.statistics import Value
from evaluation.maths.variance_parts import (
    PicturesNeeded,
    pictures_needed,
    smallest_difference,
    variance_parts,
)
from evaluation.records import Noise


def noise_of(differences: Sequence[Value]) -> Noise | None:
    """The parts of the variance of paired differences, what they hide, and what half of that would cost.

    None where there is nothing to tell: no pairs, a single prompt, or no noise at all.
    """
    parts = variance_parts(differences)
    if parts is None or not parts.total:
        return None
    seeds = _usual_seeds(differences)
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


def needed_for(differences: Sequence[Value], wanted: float) -> PicturesNeeded | None:
    """How many prompts and pictures tell a difference of this size from noise; None: nothing is known of it.

    With as many seeds a prompt as there are now.
    """
    parts = variance_parts(differences)
    if parts is None or not parts.total:
        return None
    return pictures_needed(parts, wanted, seeds_per_prompt=_usual_seeds(differences))


def _usual_seeds(differences: Sequence[Value]) -> int:
    return median_high(Counter(value.prompt_index for value in differences).values())
