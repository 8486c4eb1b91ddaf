"""A picture file as the pixels that are trained on: decoded, turned, resized, cropped."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from engine.config import SubsetConfig
from engine.data.buckets import BucketChoice, Size
from engine.data.headers import READER_ERRORS, open_picture, orientation
from engine.data.interpolation import Pixels
from engine.data.resize import resize_pixels
from engine.data.scan import Picture

_TURNS = {  # what puts a picture of each EXIF orientation upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_RESIZED_PIXELS = 2**27  # 400 MB; only needles such as 1 x 10000 pass it


class DecodeError(Exception):
    """A picture whose pixels cannot be had; the message says why, in a few words."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Decoded:
    """A picture upright, at its own size."""

    pixels: Pixels  # uint8 [H, W, 3]
    opaque: Pixels | None  # uint8 [H, W], 255 = opaque; None: all of it is


def load_pixels(picture: Picture, choice: BucketChoice) -> Pixels:
    """The picture in its bucket: uint8 [H, W, 3].

    raises  DecodeError
    """
    config = picture.subset.config
    return fit_pixels(decode_for(read_file(picture.path), picture).pixels, choice, config)


def read_file(path: Path) -> bytes:
    """raises  DecodeError"""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DecodeError(error.strerror or "cannot be read") from error


def decode_for(content: bytes, picture: Picture) -> Decoded:
    """The bytes of a picture's file as its subset wants them: transparency kept beside, or laid on white.

    raises  DecodeError for damaged data, and for a picture that changed since
    """
    whole = decode(content, expected=(picture.width, picture.height))
    if picture.subset.config.alpha_mask:
        return whole
    return Decoded(pixels=flattened(whole), opaque=None)


def decode(content: bytes, *, expected: Size) -> Decoded:
    """A picture file's bytes, upright; of an animation its first frame; 16-bit grey keeps its upper 8 bits.

    expected  width and height that its header showed
    raises    DecodeError for damaged data, and for a picture that changed since
    """
    try:
        with open_picture(io.BytesIO(content)) as image:
            turn = _TURNS.get(orientation(image))
            pixels = _to_8_bits(image)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise DecodeError("not a picture any more") from None
    except READER_ERRORS as error:
        raise DecodeError(f"damaged: {error}") from error
    upright = pixels if turn is None else pixels.transpose(turn)
    if upright.size != expected:
        raise DecodeError("changed since the folder was read")
    array = np.asarray(upright)
    if array.shape[2] == 3:
        return Decoded(pixels=array, opaque=None)
    return Decoded(pixels=np.ascontiguousarray(array[..., :3]), opaque=np.ascontiguousarray(array[..., 3]))


def decode_mask(content: bytes, *, expected: Size) -> Pixels:
    """A picture file as a mask, uint8 [H, W]: its brightness, transparency laid on black.

    raises  DecodeError
    """
    found = decode(content, expected=expected)
    grey = np.asarray(Image.fromarray(found.pixels).convert("L"))
    return grey if found.opaque is None else _multiplied(grey, found.opaque)


def mask_pixels(picture: Picture, source: bytes) -> Pixels | None:
    """The mask of a picture, uint8 [H, W]; None: all of it counts.

    source  the bytes of its mask's file where it has one, else of its own
    raises  DecodeError
    """
    size = (picture.width, picture.height)
    if picture.mask is None:
        return decode(source, expected=size).opaque
    return decode_mask(source, expected=size)


def flattened(picture: Decoded) -> Pixels:
    """Laid on white: uint8 [H, W, 3]."""
    if picture.opaque is None:
        return picture.pixels
    beneath = np.bitwise_not(picture.opaque)[..., None]  # what white shows through
    return _multiplied(picture.pixels, picture.opaque[..., None]) + beneath


def fit_pixels(pixels: Pixels, choice: BucketChoice, config: SubsetConfig) -> Pixels:
    """Resize and crop a picture [H, W, 3] or a mask [H, W] to the bucket's size, uint8."""
    left, top, right, bottom = choice.crop
    if _is_needle(choice):
        across, down = pixels.shape[1] / choice.resized[0], pixels.shape[0] / choice.resized[1]
        box = (left * across, top * down, right * across, bottom * down)
        image = Image.fromarray(pixels).resize(choice.bucket, Image.Resampling.LANCZOS, box=box)
        return np.asarray(image)
    return np.ascontiguousarray(resized(pixels, choice.resized, config)[top:bottom, left:right])


def cover_pixels(pixels: Pixels, choice: BucketChoice, config: SubsetConfig) -> Pixels:
    """Resize to the size that covers the bucket, not yet cropped, uint8.

    raises  DecodeError for a needle that would fill the memory at that size
    """
    if _is_needle(choice):
        raise DecodeError("too thin to be cropped at random")
    return resized(pixels, choice.resized, config)


def resized(pixels: Pixels, size: Size, config: SubsetConfig) -> Pixels:
    """At another size, in the way that the subset asks for; uint8."""
    how = config.resize_interpolation
    return resize_pixels(pixels, size, None if how is None else how.name)


def to_tensor(pixels: Pixels) -> Tensor:
    """uint8 [H, W, 3] -> float32 [3, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).to(torch.float32) / 127.5 - 1


def to_levels(pixels: Pixels) -> Tensor:
    """uint8 [H, W, 3] -> uint8 [3, H, W]: a quarter of to_tensor's bytes, on the way from another process."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def from_levels(levels: Tensor) -> Tensor:
    """uint8 [..., H, W] -> float32 in [-1, 1], as to_tensor has it."""
    return levels.to(torch.float32) / 127.5 - 1


def mask_to_latents(mask: Pixels, factor: int) -> Tensor:
    """uint8 [H, W] -> float32 [H / factor, W / factor] in [0, 1]: the mean over what a latent stands for."""
    height, width = mask.shape[0] // factor, mask.shape[1] // factor
    blocks = mask[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return torch.from_numpy((blocks.mean(axis=(1, 3), dtype=np.float64) / 255).astype(np.float32))


def _is_needle(choice: BucketChoice) -> bool:
    return choice.resized[0] * choice.resized[1] > _MAX_RESIZED_PIXELS


def _multiplied(values: Pixels, shares: Pixels) -> Pixels:
    """values x shares / 255, rounded; uint8."""
    product: NDArray[np.uint16] = values.astype(np.uint16) * shares + 127
    return (product // 255).astype(np.uint8)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where the picture may be transparent."""
    if image.mode.startswith("I"):  # 16-bit grey: convert() would clip it at 255
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
