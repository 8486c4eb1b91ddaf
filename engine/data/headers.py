"""What the header of a picture file says: how large it is and which way up; no pixel is decoded."""

import contextlib
import functools
import importlib
import math
import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import PIL
from PIL import ExifTags, Image, UnidentifiedImageError

from engine.data.folder import FolderListing
from engine.data.read_files import read_headers
from engine.data.scan_index import ScanIndex, Size

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_ENDINGS_OF_PLUGINS = (".avif", ".jxl")  # read where this Pillow can
READER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, RuntimeError)  # Pillow's, plugins'
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


class HeaderError(Exception):
    """A file that is no readable picture; the message says why, in a few words."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Headers:
    """What the headers of several pictures say."""

    sizes: dict[str, Size] = field(default_factory=dict)  # by name within the folder
    errors: dict[str, str] = field(default_factory=dict)  # why a picture has no size, in a few words


def header_reader() -> str:
    """What reads headers here: sizes read by another version, or another limit, are to be read again."""
    return f"Pillow {PIL.__version__}, at most {Image.MAX_IMAGE_PIXELS} pixels"


def readable_endings() -> frozenset[str]:
    """The file endings that are taken for pictures here, with their dot, in lower case."""
    _load_plugins()
    return frozenset((*ENDINGS, *(Image.registered_extensions().keys() & set(_ENDINGS_OF_PLUGINS))))


def read_sizes(listing: FolderListing, names: Sequence[str], index: ScanIndex) -> Headers:
    """The sizes of pictures of a folder, from the index where they have not changed; read ones are added.

    names    of the pictures, from the listing
    returns  sizes in the order of the names
    """
    sizes = index.known_sizes(listing, names)
    most_pixels = Image.MAX_IMAGE_PIXELS or math.inf
    unread = [name for name in names if name not in sizes and listing.stamps[name] is not None]
    ordinary = read_headers(os.fspath(listing.folder), unread, most_pixels=most_pixels)
    fresh = {name: size for name, size in zip(unread, ordinary, strict=True) if size is not None}
    errors = {}
    for name in names:
        if name not in sizes and name not in fresh:
            try:
                fresh[name] = read_size(listing.folder / name)
            except HeaderError as error:
                errors[name] = str(error)
    index.add_sizes(listing, fresh)
    sizes |= fresh
    return Headers(sizes={name: sizes[name] for name in names if name in sizes}, errors=errors)


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
    except READER_ERRORS as error:
        raise HeaderError(f"damaged: {error}") from error


def open_picture(source: Path | BinaryIO) -> Image.Image:
    """Pillow's picture, undecoded. Its warning about large pictures is dropped; its error is not.

    raises  what Pillow raises
    """
    _load_plugins()  # here too: a process that only decodes has not asked for the endings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or a wrong one.

    Asked of the base class: that of PNG decodes all pixels to look for EXIF data behind them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "Corrupt EXIF data", of no file that it names
            value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except READER_ERRORS:  # damaged EXIF data in a good picture
        return 1
    return value if value in range(1, 9) else 1


@functools.cache
def _load_plugins() -> None:
    """Teach Pillow JPEG XL where its plugin is installed."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_jxl")
