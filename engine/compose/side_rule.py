"""Sides of pictures that a transformer can cut into its tokens."""

from engine.config import Family, RunConfig
from engine.config.dataset import is_dataset_file
from engine.models.facts import FAMILIES

_OF_RANGE = 8  # pixels; sides that are no multiple of these are told of by their range
_OF_TOKEN = 16  # pixels: a token of SD3, FLUX and Anima is 2 x 2 latents of 8 x 8 pixels


def side_step(family: Family) -> int:
    """Pixels that the sides of a family's pictures are multiples of."""
    return _OF_TOKEN if FAMILIES[family].denoiser == "transformer" else _OF_RANGE


def side_rule(run: RunConfig) -> list[str]:
    """Sides are multiples of a token's where the denoiser is a transformer."""
    facts = FAMILIES[run.model.family]
    if facts.denoiser != "transformer":
        return []
    return [
        f"{option}={side}: {facts.title} reads pictures in squares of {_OF_TOKEN} pixels. "
        f"Give a multiple of {_OF_TOKEN}, such as {side + _OF_RANGE}."
        for option, side in _sides(run).items()
        if side is not None and side > 0 and side % _OF_RANGE == 0 and side % _OF_TOKEN
    ]


def _sides(run: RunConfig) -> dict[str, int | None]:
    """The options that the sides of pictures follow from; a dataset file has its own."""
    sides = {"sampling.width": run.sampling.width, "sampling.height": run.sampling.height}
    dataset = run.dataset
    if is_dataset_file(dataset):
        return sides
    sides |= {
        "dataset.resolution": dataset.resolution,
        "dataset.resolution_height": dataset.resolution_height,
    }
    if dataset.enable_bucket:
        sides |= {"dataset.bucket_reso_steps": dataset.bucket_reso_steps}
    return sides
