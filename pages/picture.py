"""A picture file as a data URI, so that a page is one file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

MAX_SIDE = 640  # pixels; a larger picture is made smaller for the page
KEEP_BYTES = 96 * 1024  # a file up to this size goes into the page as it is
SMALL_SIDE = 256  # pixels; a smaller picture is shown enlarged with hard pixels
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
JPEG_QUALITY = 88
THUMBNAIL_SIDE = 256  # pixels of a picture in a gallery
THUMBNAIL_QUALITY = 82


@dataclass(kw_only=True, slots=True, frozen=True)
class EmbeddedPicture:
    """What an <img> needs."""

    uri: str
    width: int  # pixels of the file
    height: int
    is_scaled: bool = False  # made smaller: its pixels are not those of the file

    @property
    def is_small(self) -> bool:
        """Whether its pixels are worth seeing."""
        return not self.is_scaled and max(self.width, self.height) < SMALL_SIDE


def embed_picture(path: Path) -> EmbeddedPicture | None:
    """The picture as a data URI; None if it is missing or cannot be read."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            kind = picture.format or ""
            width, height = picture.size
            if len(content) > KEEP_BYTES or kind not in _TYPES:
                content, kind = _shrink(picture), "JPEG"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    data = base64.b64encode(content).decode("ascii")
    return EmbeddedPicture(uri=f"data:{_TYPES[kind]};base64,{data}", width=width, height=height)


@dataclass(kw_only=True, slots=True, frozen=True)
class Thumbnail:
    """A picture in a gallery, and what a click on it shows."""

    picture: EmbeddedPicture  # at most THUMBNAIL_SIDE
    larger: (
        str | None
    )  # data URI, at most MAX_SIDE; None: the thumbnail is the whole picture, or not asked for
    width: int  # pixels of the file
    height: int


def embed_thumbnail(path: Path, *, with_larger: bool = True) -> Thumbnail | None:
    """The picture small and, if asked for, larger; None if it is missing or cannot be read.

    A picture that is small by itself keeps its pixels; only one file is unpacked at a time.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if max(width, height) <= THUMBNAIL_SIDE:
                embedded = embed_picture(path)
                if embedded is None:
                    return None
                return Thumbnail(picture=embedded, larger=None, width=width, height=height)
            picture.draft(
                "RGB", (2 * MAX_SIDE, 2 * MAX_SIDE)
            )  # a large JPEG is unpacked at a part of its size
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    larger = _uri(_jpeg(upright, JPEG_QUALITY)) if with_larger else None
    upright.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    small = EmbeddedPicture(
        uri=_uri(_jpeg(upright, THUMBNAIL_QUALITY)),
        width=upright.width,
        height=upright.height,
        is_scaled=True,
    )
    return Thumbnail(picture=small, larger=larger, width=width, height=height)


def _shrink(picture: Image.Image) -> bytes:
    smaller = ImageOps.exif_transpose(picture).convert("RGB")
    smaller.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return _jpeg(smaller, JPEG_QUALITY)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
