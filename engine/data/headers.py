"""What the header of a picture file says: how large it is and which way up; no pixel is decoded."""

import contextlib
import importlib
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_ENDINGS_OF_PLUGINS = (".avif", ".jxl")  # read where this Pillow can
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


class HeaderError(Exception):
    """A file that is no readable picture; the message says why, in a few words."""


def readable_endings() -> frozenset[str]:
    """The file endings that are taken for pictures here, with their dot, in lower case."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_jxl")  # teaches Pillow JPEG XL when it is installed
    return frozenset((*ENDINGS, *(Image.registered_extensions().keys() & set(_ENDINGS_OF_PLUGINS))))


def read_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, as the picture is shown.

    raises  HeaderError when the header cannot be read, and for a picture too large to be a true one
    """
    if not path.is_file():
        raise HeaderError("a link to nothing" if path.is_symlink() else "not a file")
    try:
        with open_picture(path) as image:
            width, height = image.size
            return (height, width) if orientation(image) in _SIDEWAYS else (width, height)
    except Image.DecompressionBombError:
        raise HeaderError("too large: a decompression bomb?") from None
    except UnidentifiedImageError:
        raise HeaderError("empty" if path.stat().st_size == 0 else "not a picture") from None
    except PermissionError:
        raise HeaderError("no permission to read it") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise
        raise HeaderError(f"damaged: {error}") from error


def open_picture(source: Path | BinaryIO) -> Image.Image:
    """Pillow's picture, undecoded. Its warning about large pictures is dropped; its error is not.

    raises  what Pillow raises
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or a wrong one.

    Asked of the base class: that of PNG decodes all pixels to look for EXIF data behind them.
    """
    try:
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, OSError):  # damaged EXIF data in a good picture
        return 1
    return value if value in range(1, 9) else 1
