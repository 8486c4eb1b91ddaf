"""A picture as one step sees it: cut, mirrored, in other colours, with its mask."""

import random
from dataclasses import dataclass

from torch import Tensor

from engine.data.augment import change_colours, crop_at_random, is_flipped
from engine.data.buckets import BucketChoice
from engine.data.face_crop import cut_around_face, face_of
from engine.data.images import (
    cover_pixels,
    decode_for,
    fit_pixels,
    mask_pixels,
    mask_to_latents,
    read_file,
    resized,
    to_levels,
)
from engine.data.interpolation import Pixels
from engine.data.scan import Picture


@dataclass(kw_only=True, slots=True, frozen=True)
class View:
    """One picture at one step."""

    levels: Tensor  # uint8 [3, H, W]
    mask: Tensor | None  # [h, w] in [0, 1], of the latents; None: all of it counts


def see_picture(picture: Picture, choice: BucketChoice, draws: random.Random, *, factor: int) -> View:
    """The picture as its subset says; the mask goes every way with it.

    factor  pixels that a latent stands for
    raises  DecodeError
    """
    config = picture.subset.config
    flipped = is_flipped(config, draws)
    content = read_file(picture.path)
    layers = [decode_for(content, picture).pixels]
    if config.alpha_mask or picture.mask is not None:
        mask = mask_pixels(picture, content if picture.mask is None else read_file(picture.mask))
        layers += [] if mask is None else [mask]
    seen = _cut(layers, picture, choice, draws)
    colours = change_colours(seen[0], draws) if config.color_aug else seen[0]
    levels = to_levels(colours)
    mask_seen = mask_to_latents(seen[1], factor) if len(seen) > 1 else None
    if not flipped:
        return View(levels=levels, mask=mask_seen)
    return View(levels=levels.flip(-1), mask=None if mask_seen is None else mask_seen.flip(-1))


def settled_view(picture: Picture, choice: BucketChoice) -> Tensor:
    """uint8 [3, H, W]: the picture as it is, in its bucket."""
    content = read_file(picture.path)
    return to_levels(fit_pixels(decode_for(content, picture).pixels, choice, picture.subset.config))


def _cut(layers: list[Pixels], picture: Picture, choice: BucketChoice, draws: random.Random) -> list[Pixels]:
    """Picture and mask in the bucket's size, the same part of both."""
    config, face = picture.subset.config, face_of(picture.path)
    if config.face_crop_aug_range is not None and face is not None:
        low, high = config.face_crop_aug_range
        cut = cut_around_face(
            (picture.width, picture.height),
            face,
            choice.bucket,
            sides=(low, high),
            random_crop=config.random_crop,
            draws=draws,
        )
        left, top, right, bottom = cut.crop
        return [resized(layer, cut.resized, config)[top:bottom, left:right] for layer in layers]
    if config.random_crop:
        left, top, right, bottom = crop_at_random(choice, draws)
        return [cover_pixels(layer, choice, config)[top:bottom, left:right] for layer in layers]
    return [fit_pixels(layer, choice, config) for layer in layers]
