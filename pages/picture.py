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


@dataclass(kw_only=True, slots=True, frozen=True)
class EmbeddedPicture:
    """What an <img> needs."""

    uri: str
    width: int  # pixels of the file
    height: int

    @property
    def is_small(self) -> bool:
        """Whether its pixels are worth seeing."""
        return max(self.width, self.height) < SMALL_SIDE


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


def _shrink(picture: Image.Image) -> bytes:
    smaller = ImageOps.exif_transpose(picture).convert("RGB")
    smaller.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    smaller.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
