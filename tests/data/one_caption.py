"""The caption of one picture, found as plainly as can be: what the scan of a folder is held against."""

from collections.abc import Sequence
from pathlib import Path

from engine.data.captions import read_captions
from engine.data.folder import list_files
from engine.data.scan_index import ScanIndex


def read_caption(image: Path, extensions: Sequence[str], *, all_lines: bool = False) -> str | None:
    """By way of the folder's listing; an error of its file is raised."""
    found = read_captions(
        list_files(image.parent), [image.name], extensions, ScanIndex(), all_lines=all_lines
    )
    if found.errors:
        raise ValueError(*found.errors.values())
    return found.texts.get(image.name)


def find_caption(image: Path, extensions: Sequence[str]) -> tuple[Path, int] | None:
    """The first of name.caption, name.txt, ... that is there, and how many others are; asked file by file."""
    parts = image.stem.split("_")
    stems = [image.stem, "_".join(parts[:-4])] if len(parts) > 4 else [image.stem]
    for stem in stems:
        paths = [image.with_name(stem + extension) for extension in extensions]
        found = [path for path in paths if path.is_file()]
        if found:
            return found[0], len(found) - 1
    return None
