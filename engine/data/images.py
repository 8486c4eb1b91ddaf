"""A picture file as the pixels that are trained on: decoded, turned, resized, cropped."""

import io

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from engine.data.buckets import BucketChoice
from engine.data.headers import open_picture, orientation
from engine.data.resize import Pixels, resize_pixels
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


def load_pixels(picture: Picture, choice: BucketChoice) -> Pixels:
    """The picture in its bucket: uint8 [H, W, 3].

    raises  DecodeError
    """
    return fit_pixels(_load(picture), choice)


def load_whole(picture: Picture, choice: BucketChoice) -> Pixels:
    """The picture at the size that covers its bucket, not yet cropped: uint8 [H, W, 3].

    raises  DecodeError, also for a needle that would fill the memory at that size
    """
    if choice.resized[0] * choice.resized[1] > _MAX_RESIZED_PIXELS:
        raise DecodeError("too thin to be cropped at random")
    return resize_pixels(_load(picture), choice.resized)


def decode_pixels(content: bytes, *, expected: tuple[int, int]) -> Pixels:
    """The bytes of a picture file as uint8 [H, W, 3], upright; of an animation its first frame.

    Transparency is dropped and the colours beneath it are kept, as the reference does; 16-bit grey keeps
    its upper 8 bits.

    expected  width and height that its header showed
    raises    DecodeError for damaged data, and for a picture that changed since
    """
    try:
        with open_picture(io.BytesIO(content)) as image:
            turn = _TURNS.get(orientation(image))
            pixels = _to_rgb(image)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise DecodeError("not a picture any more") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise
        raise DecodeError(f"damaged: {error}") from error
    upright = pixels if turn is None else pixels.transpose(turn)
    if upright.size != expected:
        raise DecodeError("changed since the folder was read")
    return np.asarray(upright)


def fit_pixels(pixels: Pixels, choice: BucketChoice) -> Pixels:
    """Resize and crop: uint8 [H, W, 3] of the bucket's size."""
    left, top, right, bottom = choice.crop
    if choice.resized[0] * choice.resized[1] > _MAX_RESIZED_PIXELS:
        across, down = pixels.shape[1] / choice.resized[0], pixels.shape[0] / choice.resized[1]
        box = (left * across, top * down, right * across, bottom * down)
        image = Image.fromarray(pixels).resize(choice.bucket, Image.Resampling.LANCZOS, box=box)
        return np.asarray(image)
    return np.ascontiguousarray(resize_pixels(pixels, choice.resized)[top:bottom, left:right])


def to_tensor(pixels: Pixels) -> Tensor:
    """uint8 [H, W, 3] -> float32 [3, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).to(torch.float32) / 127.5 - 1


def _load(picture: Picture) -> Pixels:
    try:
        content = picture.path.read_bytes()
    except OSError as error:
        raise DecodeError(error.strerror or "cannot be read") from error
    return decode_pixels(content, expected=(picture.width, picture.height))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: convert() would clip it at 255
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "P":  # by way of RGBA: Pillow warns of what is dropped otherwise
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")
