"""The captions of pictures: of each the first line of the text file beside it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.data.caption_text import CaptionError, read_text
from engine.data.folder import FolderListing
from engine.data.read_files import read_texts
from engine.data.scan_index import ScanIndex


@dataclass(kw_only=True, slots=True, frozen=True)
class Captions:
    """The captions of several pictures. Names are paths within the folder."""

    texts: dict[str, str] = field(default_factory=dict)  # picture -> caption
    files: dict[str, str] = field(default_factory=dict)  # picture -> the file that its caption is read from
    num_others: dict[str, int] = field(default_factory=dict)  # picture -> files passed over, where there are
    errors: dict[str, str] = field(default_factory=dict)  # caption file -> why it cannot be used


def read_captions(
    listing: FolderListing,
    names: Sequence[str],
    extensions: Sequence[str],
    index: ScanIndex,
    *,
    all_lines: bool = False,
) -> Captions:
    """The captions of pictures of a folder, from the index where their files have not changed.

    The first of name.caption, name.txt, ... that is there, and of it the first line. A picture whose name
    ends in four _ parts (cut-out faces are named so) may also use the caption of the name without them. A
    picture in neither texts nor files has no caption; one in files alone has one with an error.
    names      of the pictures, from the listing
    all_lines  every line that is not blank, for wildcards, which draw one of them
    Source: kohya sd-scripts 0.10.1, train_util.DreamBoothDataset.read_caption.
    """
    files, num_others = _caption_files(listing, names, extensions)
    wanted = list(dict.fromkeys(files.values()))
    texts = index.known_texts(listing, wanted)
    unread = [name for name in wanted if name not in texts]
    top = os.fspath(listing.folder)
    fresh, errors = {}, {}
    for name, text in zip(unread, read_texts(top, unread), strict=True):
        try:
            fresh[name] = read_text(f"{top}/{name}") if text is None else text
        except CaptionError as error:
            errors[name] = str(error)
    index.add_texts(listing, fresh)
    texts |= fresh
    captions = {
        picture: _caption(texts[name], all_lines=all_lines)
        for picture, name in files.items()
        if name in texts
    }
    return Captions(texts=captions, files=files, num_others=num_others, errors=errors)


def _other_stems(stem: str) -> list[str]:
    parts = stem.split("_")
    return ["_".join(parts[:-4])] if len(parts) > 4 else []


def _caption_files(
    listing: FolderListing, names: Sequence[str], extensions: Sequence[str]
) -> tuple[dict[str, str], dict[str, int]]:
    """The caption file of each picture that has one, and how many others it has, where it has any."""
    stamps = listing.stamps
    files, num_others = {}, {}
    for picture in names:
        base = picture[: picture.rindex(".")]
        found = [base + end for end in extensions if stamps.get(base + end) is not None]
        if not found and base.count("_") > 3:
            folder, slash, stem = base.rpartition("/")
            bases = [folder + slash + other for other in _other_stems(stem)]
            found = [base + end for base in bases for end in extensions if stamps.get(base + end) is not None]
        if found:
            files[picture] = found[0]
            if len(found) > 1:
                num_others[picture] = len(found) - 1
    return files, num_others


def _caption(text: str, *, all_lines: bool) -> str:
    if all_lines:
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return text.partition("\n")[0].strip()
