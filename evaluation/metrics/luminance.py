"""How light the pictures are: what noise offset is for, and what no embedding sees."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.material import BASE, FINAL, REAL, Material
from evaluation.maths.statistics import Value, prompt_means, pseudo_values
from evaluation.metrics.by_prompt import by_prompt
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.records import Direction, Scope
from evaluation.tools import Tools

DARK, BRIGHT = "dark", "bright"


Shares = NDArray[np.float64]  # [256], of the pixels at each level


def wasserstein(first: Shares, second: Shares) -> float:
    """The first Wasserstein distance of two distributions over levels 0 .. 255; each sums to 1.

    On a line it is the area between the two cumulative distributions.
    """
    return float(np.abs(np.cumsum(first) - np.cumsum(second)).sum())


def measure_luminance(material: Material, set_name: str, tools: Tools) -> Measured:
    """The distance of each picture's luminance distribution to that of the true pictures, 0 to 255.

    True pictures of the same prompt where a manifest names them, else all references.
    """
    paired = by_prompt(material.taught(REAL))
    references = material.sound(material.references)
    shares = {path: _shares(path, tools) for path in references} if not paired else {}
    values = []
    for prompt_index, pictures in by_prompt(material.taught(set_name)).items():
        if paired:
            true = [picture.path for picture in paired.get(prompt_index, [])]
            shares = {path: _shares(path, tools) for path in true}
        total = np.sum(list(shares.values()), axis=0)
        for picture in pictures:
            own = _shares(picture.path, tools)
            others = len(shares) - (picture.path in shares)
            if others:
                rest = total - own if picture.path in shares else total
                distance = wasserstein(own, rest / others)
                values.append(Value(prompt_index=prompt_index, seed=picture.seed, value=distance))
    return Measured(values=values)


def measure_luminance_range(material: Material, set_name: str, tools: Tools) -> Measured:
    """The mean luminance of bright prompts minus that of dark ones, -255 to 255."""
    pictures = [picture for picture in material.healthy(set_name) if material.tone(picture.prompt)]
    tones = {picture.prompt_index: material.tone(picture.prompt) for picture in pictures}
    means = prompt_means(
        [
            Value(prompt_index=picture.prompt_index, seed=picture.seed, value=_mean(picture.path, tools))
            for picture in pictures
        ]
    )

    def span(left_out: int | None) -> float | None:
        parts = [
            [mean for prompt, mean in means.items() if tones[prompt] == tone and prompt != left_out]
            for tone in (BRIGHT, DARK)
        ]
        return float(np.mean(parts[0]) - np.mean(parts[1])) if all(parts) else None

    whole = span(None)
    if whole is None:
        return Measured()
    without = {prompt: value for prompt in means if (value := span(prompt)) is not None}
    complete = len(without) == len(means)  # else a tone has one prompt, and nothing is known of its noise
    return Measured(
        values=pseudo_values(whole, without) if complete else [], whole=whole, count=len(pictures)
    )


def measure_luminance_drift(material: Material, set_name: str, tools: Tools) -> Measured:
    """How far each picture of a plain prompt is from the base's in mean luminance, 0 to 255."""
    before = {(picture.prompt_index, picture.seed): picture for picture in material.healthy(BASE)}
    return Measured(
        values=[
            Value(
                prompt_index=picture.prompt_index,
                seed=picture.seed,
                value=abs(_mean(picture.path, tools) - _mean(before[key].path, tools)),
            )
            for picture in material.healthy(set_name)
            if material.is_plain(picture.prompt) and (key := (picture.prompt_index, picture.seed)) in before
        ]
    )


def _mean(path: Path, tools: Tools) -> float:
    return tools.facts(path).luminance_mean


def _shares(path: Path, tools: Tools) -> Shares:
    """Of pictures together each weighs the same, whatever its size."""
    counts = tools.facts(path).luminance_counts
    return counts / counts.sum()


LUMINANCES = (
    Metric(
        name="luminance",
        title="Luminance unlike the true pictures'",
        direction=Direction.lower,
        scope=Scope.image,
        scale="distance of the luminance distributions (W1), 0 to 255 levels",
        needs=(Need.references,),
        role=None,
        measure=measure_luminance,
    ),
    Metric(
        name="luminance_range",
        title="Range of luminance",
        direction=Direction.higher,
        scope=Scope.set,
        scale="mean luminance of bright prompts minus that of dark ones, -255 to 255 levels",
        needs=(Need.tones,),
        role=None,
        measure=measure_luminance_range,
    ),
    Metric(
        name="luminance_drift",
        title="Drift of luminance",
        direction=Direction.lower,
        scope=Scope.image,
        scale="change of mean luminance from the base's picture of the same plain prompt, 0 to 255 levels",
        needs=(Need.base, Need.plain),
        role=None,
        measure=measure_luminance_drift,
        sets=(FINAL,),
    ),
)
