"""From values of pictures to a number that says how sure it is: intervals resample prompts, not pictures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np

from evaluation.maths.student import t_quantile
from evaluation.records import Difference, Direction, Measurement, Verdict

MIN_PROMPTS_FOR_BOOTSTRAP = 15
NUM_RESAMPLES = 4000
SEED = 20240607  # of the resamples: the same values give the same interval
PROBABILITY = 0.975  # that Student's t stays below what half of a 95 % interval reckons with
Types = Mapping[int, str]  # prompt index -> the type of the prompt; a prompt without one is of type ""


@dataclass(kw_only=True, slots=True, frozen=True)
class Value:
    """One value of a metric: a picture's, or with seed None a prompt's."""

    prompt_index: int
    seed: int | None
    value: float


@dataclass(kw_only=True, slots=True, frozen=True)
class Anchored:
    """A score between base and real pictures, or why there is none."""

    score: float | None = None
    spread: float | None = None  # half-width of its 95 % interval clustered by prompt
    reason: str | None = None


def summarise(
    values: Sequence[Value], *, types: Types | None = None, whole: float | None = None
) -> Measurement | None:
    """Picture -> prompt mean -> type mean -> mean of the types; None without values.

    types  where a protocol has several types of prompts, each weighs the same, however many prompts it has
    whole  the value itself where `values` are pseudo-values of it
    """
    if not values:
        return None
    means = prompt_means(values)
    groups = _by_type(means, types or {})
    value = float(np.mean([np.mean(group) for group in groups])) if whole is None else whole
    count = sum(index >= 0 for index in means)
    return Measurement(value=value, n=len(values), num_prompts=count, spread=_spread(groups))


def paired_difference(
    final: Sequence[Value],
    base: Sequence[Value],
    *,
    direction: Direction,
    types: Types | None = None,
    whole: float | None = None,
) -> Difference | None:
    """Final minus base over the (prompt, seed) pairs that both have; None if there is none.

    whole  the difference itself where the values are pseudo-values; not taken where one set has prompts that
           the other lacks
    """
    changes = paired_changes(final, base)
    are_matched = len(changes) == len(final) == len(base)
    summary = summarise(changes, types=types, whole=whole if are_matched else None)
    if summary is None:
        return None
    value, spread = summary.value, summary.spread
    return Difference(
        value=value,
        n=summary.n,
        num_prompts=summary.num_prompts,
        spread=spread,
        low=None if spread is None else value - spread,
        high=None if spread is None else value + spread,
        verdict=judge(value, spread, direction),
    )


def paired_changes(final: Sequence[Value], base: Sequence[Value]) -> list[Value]:
    """Final minus base for each (prompt, seed) that both have, in the order of final."""
    before = {(value.prompt_index, value.seed): value.value for value in base}
    return [
        Value(prompt_index=after.prompt_index, seed=after.seed, value=after.value - before[key])
        for after in final
        if (key := (after.prompt_index, after.seed)) in before
    ]


def judge(change: float, spread: float | None, direction: Direction) -> Verdict:
    """What a change says: it must be larger than half its 95 % interval to count."""
    if spread is None:
        return Verdict.one_prompt
    if change == 0 and spread == 0:
        return Verdict.unchanged
    if abs(change) <= spread:
        return Verdict.within_noise
    return Verdict.better if (change > 0) == (direction is Direction.higher) else Verdict.worse


def anchor(
    final: Sequence[Value], base: Sequence[Value], real: Sequence[Value], *, direction: Direction
) -> Anchored:
    """(final - base) / (real - base): 0 = base, 1 = real pictures.

    Over the prompts that all three have; where the true pictures belong to no prompt (negative indexes),
    their mean is every prompt's. Without a distance between base and real that stands out of the noise the
    quotient means nothing, so there is then no score but a reason. The spread is that of the quotient to
    first order (delta method): the interval of the mean of (gain - score x room) / mean room.
    """
    after, before, true = prompt_means(final), prompt_means(base), prompt_means(real)
    if true and max(true) < 0:
        true = dict.fromkeys(after, float(np.mean(list(true.values()))))
    common = sorted(after.keys() & before.keys() & true.keys())
    if not common:
        return Anchored(reason="not anchored: no prompt has base, final and true pictures")
    sign = 1.0 if direction is Direction.higher else -1.0
    room = sign * np.array([true[prompt] - before[prompt] for prompt in common])
    noise = half_width(room.tolist())
    if noise is None:
        return Anchored(reason="not anchored: with a single prompt, noise cannot be told from a difference")
    if room.mean() <= noise:
        return Anchored(
            reason="not anchored: true pictures score no better than the base's, within the noise"
        )
    gain = sign * np.array([after[prompt] - before[prompt] for prompt in common])
    score = float(gain.mean() / room.mean())
    return Anchored(score=score, spread=half_width(((gain - score * room) / room.mean()).tolist()))


def harmonic_mean(scores: Sequence[Anchored]) -> Anchored:
    """The harmonic mean of anchored scores, 0 where one is not above its base.

    Its spread is to first order that of independent scores: each weighs (mean / score)^2 / count.
    """
    known = [score.score for score in scores]
    if None in known or not known:
        return Anchored(reason="not all objectives are anchored")
    numbers = [number for number in known if number is not None]
    if min(numbers) <= 0:
        return Anchored(score=0.0, reason="an objective is no better than the base's")
    mean = len(numbers) / sum(1 / number for number in numbers)
    parts = [
        (mean / number) ** 2 / len(numbers) * score.spread
        for number, score in zip(numbers, scores, strict=True)
        if score.spread is not None
    ]
    return Anchored(score=mean, spread=hypot(*parts) if len(parts) == len(numbers) else None)


def prompt_means(values: Sequence[Value]) -> dict[int, float]:
    """The mean of each prompt's values, by prompt index in rising order."""
    groups: defaultdict[int, list[float]] = defaultdict(list)
    for value in values:
        groups[value.prompt_index].append(value.value)
    return {prompt: float(np.mean(groups[prompt])) for prompt in sorted(groups)}


def half_width(means: Sequence[float]) -> float | None:
    """Half the width of a 95 % interval for the mean over prompts.

    means    one number a prompt
    returns  below 15 prompts Student's t, from 15 on a bootstrap over prompts; None for a single prompt
    Why prompts: in simulations of 10 prompts x 4 seeds a nominal 95 % interval covered 64 % where pictures
    were resampled, 88 % where prompts were.
    """
    count = len(means)
    if count < 2:
        return None
    if count < MIN_PROMPTS_FOR_BOOTSTRAP:
        return float(t_quantile(PROBABILITY, count - 1) * np.std(means, ddof=1) / np.sqrt(count))
    picks = np.random.default_rng(SEED).integers(0, count, size=(NUM_RESAMPLES, count))
    low, high = np.percentile(np.asarray(means)[picks].mean(axis=1), [2.5, 97.5])
    return float(high - low) / 2


def pseudo_values(whole: float, without: Mapping[int, float]) -> list[Value]:
    """The jackknife's pseudo-value of each prompt: P x whole - (P - 1) x the value without that prompt.

    Source: Tukey 1958; Efron & Tibshirani, "An Introduction to the Bootstrap", chapter 11.
    """
    count = len(without)
    return [
        Value(prompt_index=prompt, seed=None, value=count * whole - (count - 1) * value)
        for prompt, value in sorted(without.items())
    ]


def values_by_picture(values: Sequence[Value]) -> Mapping[tuple[int, int | None], float]:
    """The values by (prompt index, seed)."""
    return {(value.prompt_index, value.seed): value.value for value in values}


def _by_type(means: Mapping[int, float], types: Types) -> list[list[float]]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for prompt, mean in means.items():
        groups[types.get(prompt, "")].append(mean)
    return [groups[name] for name in sorted(groups)]


def _spread(groups: Sequence[Sequence[float]]) -> float | None:
    """Of one type half_width; of several the t-interval with the variance within types, pooled.

    Pooled, since a protocol may have a type of a single prompt (its trigger words alone).
    """
    if len(groups) == 1:
        return half_width(groups[0])
    degrees = sum(len(group) - 1 for group in groups)
    if degrees == 0:
        return None
    squares = sum(float(np.var(group)) * len(group) for group in groups)
    share = sum(1 / len(group) for group in groups) / len(groups) ** 2
    return t_quantile(PROBABILITY, degrees) * sqrt(squares / degrees * share)
