"""The caption of a picture: the first line of the text file beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class CaptionError(Exception):
    """A caption file that cannot be used; the message says why, in a few words."""


@dataclass(kw_only=True, slots=True, frozen=True)
class CaptionFile:
    """The file that a caption is read from, and how many others were passed over for it."""

    path: Path
    num_others: int


def find_caption(image: Path, extensions: Sequence[str]) -> CaptionFile | None:
    """The first of name.caption, name.txt, ... that is there.

    A picture whose name ends in four _ parts (cut-out faces are named so) may also use the caption of
    the name without them. Source: kohya sd-scripts, DreamBoothDataset.read_caption.
    """
    for stem in _stems(image):
        paths = [image.with_name(stem + extension) for extension in extensions]
        found = [path for path in paths if path.is_file()]
        if found:
            return CaptionFile(path=found[0], num_others=len(found) - 1)
    return None


def read_caption_file(path: Path, *, all_lines: bool = False) -> str:
    """The first line without the blanks around it; a blank first line is an empty caption.

    all_lines  every line that is not blank, for wildcards, which draw one of them
    raises  CaptionError for an empty file, for one that is not UTF-8 and for one that cannot be opened
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # a byte order mark is no part of the caption
    except UnicodeDecodeError:
        raise CaptionError("not UTF-8") from None
    except OSError as error:
        raise CaptionError(error.strerror or type(error).__name__) from error
    if not text:
        raise CaptionError("empty")
    if all_lines:
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return text.split("\n", 1)[0].strip()


def read_caption(image: Path, extensions: Sequence[str]) -> str | None:
    """The caption of a picture, or None when no file holds one.

    raises  CaptionError, as read_caption_file
    """
    found = find_caption(image, extensions)
    return None if found is None else read_caption_file(found.path)


def _stems(image: Path) -> list[str]:
    parts = image.stem.split("_")
    return [image.stem, "_".join(parts[:-4])] if len(parts) > 4 else [image.stem]
