"""The files of a folder and its sub-folders, in an order that does not depend on the file system."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Stamp = tuple[int, int, int, int]  # bytes, modified and changed (ns since 1970), inode

_OTHER_PICTURES = frozenset((".avif", ".gif", ".heic", ".jxl", ".psd", ".tif", ".tiff"))


@dataclass(kw_only=True, slots=True, frozen=True)
class FolderListing:
    """What a folder held at one moment. Names are paths within it, with / between their parts."""

    folder: Path
    taken_ns: int  # since 1970, before the first file was looked at
    stamps: dict[str, Stamp | None] = field(default_factory=dict)  # in order; None = no regular file
    closed: list[str] = field(default_factory=list)  # folders that cannot be opened


def folder_problem(folder: Path) -> str | None:
    """What is wrong with the path of a folder, or None."""
    if folder.is_dir():
        return None
    if folder.exists():
        return "this is a file. Give the folder that it lies in."
    if folder.is_absolute():
        return "there is no such folder. Check the path."
    return f"there is no such folder in {Path.cwd()}. Check the path."


def list_files(folder: Path) -> FolderListing:
    """Files in the folder and its sub-folders, hidden ones left out, sorted by the parts of their paths.

    Links are followed; a folder that was already walked is not walked again.
    """
    listing = FolderListing(folder=folder, taken_ns=time.time_ns())
    top = os.fspath(folder)
    _walk(listing, "", os.path.realpath(top), set())
    return listing


def no_pictures(num_files: int, endings: Iterable[str]) -> str:
    """What is wrong with a folder in which no file ends like a picture."""
    looked_for = ", ".join(ending.removeprefix(".") for ending in sorted(endings))
    if not num_files:
        return f"the folder is empty. Put pictures into it ({looked_for})."
    files = "1 file" if num_files == 1 else f"{num_files} files"
    return f"no picture among its {files}. Give a folder with pictures ({looked_for})."


def left_out(names: Iterable[str], endings: frozenset[str]) -> list[str]:
    """Notes on pictures of formats that are not read."""
    others = Counter(os.path.splitext(name)[1].lower() for name in names)  # noqa: PTH122  (of 20,000 names)
    others = Counter({end: count for end, count in others.items() if end in _OTHER_PICTURES - endings})
    return [
        f"left out, not a format that is read: {count} {ending}" for ending, count in sorted(others.items())
    ]


def _walk(listing: FolderListing, within: str, real: str, seen: set[str]) -> None:
    """Add what lies in one folder and below; names sorted at each level are sorted by their parts.

    within  the folder's name with a / behind it; "" for the top
    """
    if real in seen:  # a link back to a folder above it
        return
    seen.add(real)
    try:
        with os.scandir(os.path.join(listing.folder, within) if within else listing.folder) as entries:  # noqa: PTH118
            found = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
    except OSError:
        listing.closed.append(within.removesuffix("/") or ".")
        return
    for name in sorted(found):
        entry, stat, is_folder = found[name], None, False
        try:
            is_folder = entry.is_dir()
            stat = entry.stat() if not is_folder and entry.is_file() else None
        except OSError:  # a link that cannot be followed, a file that just went
            stat = None
        if is_folder:
            own = os.path.realpath(entry.path) if entry.is_symlink() else f"{real}/{name}"
            _walk(listing, f"{within}{name}/", own, seen)
        elif stat is None:
            listing.stamps[within + name] = None
        else:
            stamp = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
            listing.stamps[within + name] = stamp
