"""What earlier scans of a folder read from its files, on disk, so that unchanged files are not opened."""

import contextlib
import hashlib
import os
import secrets
import struct
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from engine.data.folder import FolderListing, Stamp

Size = tuple[int, int]  # width and height in pixels, as the picture is shown

_FORMAT = b"pictures, captions and contents 3\n"
_YOUNG_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT) ticks every 2 seconds
_LONGEST_TEXT = 1 << 16  # characters; longer files are no captions, and are read each time
_LENGTHS = "9Q"  # of the parts that a file holds
_INODES = (1 << 64) - 1
_NUL = "\0"
_Value = TypeVar("_Value")


@dataclass(kw_only=True, slots=True)
class ScanIndex:
    """Sizes of pictures, texts of caption files, contents of both, each with the stamp that its file had.

    A file whose stamp is another one is as good as unknown: it was edited, replaced or touched.
    """

    sizes: dict[str, tuple[Stamp, Size]] = field(default_factory=dict)  # by name within the folder
    texts: dict[str, tuple[Stamp, str]] = field(default_factory=dict)
    contents: dict[str, tuple[Stamp, str]] = field(default_factory=dict)  # sha256 in hexadecimal
    is_changed: bool = False  # since it was loaded

    def known_sizes(self, listing: FolderListing, names: Iterable[str]) -> dict[str, Size]:
        """Of those pictures that have not changed."""
        return _unchanged(self.sizes, listing, names)

    def known_texts(self, listing: FolderListing, names: Iterable[str]) -> dict[str, str]:
        """Of those caption files that have not changed."""
        return _unchanged(self.texts, listing, names)

    def known_content(self, listing: FolderListing, name: str) -> str | None:
        """Of a file that has not changed."""
        return _unchanged(self.contents, listing, [name]).get(name)

    def add_sizes(self, listing: FolderListing, sizes: Mapping[str, Size]) -> None:
        """Keep what was read after the listing was taken."""
        self.is_changed |= _add(self.sizes, listing, sizes)

    def add_texts(self, listing: FolderListing, texts: Mapping[str, str]) -> None:
        """Keep what was read after the listing was taken."""
        kept = {name: text for name, text in texts.items() if len(text) <= _LONGEST_TEXT and _NUL not in text}
        self.is_changed |= _add(self.texts, listing, kept)

    def add_content(self, listing: FolderListing, name: str, sha256: str) -> None:
        """Keep what was read after the listing was taken."""
        self.is_changed |= _add(self.contents, listing, {name: sha256})


def index_file(cache_dir: Path, folder: Path) -> Path:
    """Where the index of a folder lies, whatever way leads to the folder."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()
    return cache_dir / "scan" / f"{digest[:32]}.index"


def load_index(file: Path, *, reader: str) -> ScanIndex:
    """The index as it was saved; an empty one where there is none, a damaged one or one of another reader.

    reader  what reads the files, with its version: another one may read them differently
    """
    try:
        content = memoryview(file.read_bytes())
    except OSError:
        return ScanIndex()
    head = _head(reader)
    body = content[len(head) + 32 :]
    if content[: len(head)] != head or content[len(head) : len(head) + 32] != hashlib.sha256(body).digest():
        return ScanIndex()
    with contextlib.suppress(OSError):  # of a cache that may only be read
        os.utime(file)  # when it was last used, for who prunes the cache
    parts = _split(body)
    sides = parts[2].cast("I").tolist()
    return ScanIndex(
        sizes=_entries(parts[0], parts[1], zip(sides[0::2], sides[1::2], strict=True)),
        texts=_entries(parts[3], parts[4], _strings(parts[5])),
        contents=_entries(parts[6], parts[7], _hashes(parts[8])),
    )


def save_index(index: ScanIndex, file: Path, listing: FolderListing, *, reader: str) -> None:
    """Write what is still true of the listed files, whole or not at all; nothing where nothing is new.

    A cache that cannot be written is no error: the next scan reads the files again.
    """
    if not index.is_changed:
        return
    sizes, texts = _still_true(index.sizes, listing), _still_true(index.texts, listing)
    contents = _still_true(index.contents, listing)
    body = _joined(
        [
            _packed_strings(sizes),
            _packed_stamps([index.sizes[name][0] for name in sizes]),
            array("I", [side for name in sizes for side in index.sizes[name][1]]).tobytes(),
            _packed_strings(texts),
            _packed_stamps([index.texts[name][0] for name in texts]),
            _packed_strings([index.texts[name][1] for name in texts]),
            _packed_strings(contents),
            _packed_stamps([index.contents[name][0] for name in contents]),
            bytes.fromhex("".join(index.contents[name][1] for name in contents)),
        ]
    )
    half_written = file.with_name(f".{file.stem}.{os.getpid()}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            half_written.write_bytes(_head(reader) + hashlib.sha256(body).digest() + body)
            half_written.replace(file)
            index.is_changed = False
        finally:
            half_written.unlink(missing_ok=True)


def _unchanged(
    entries: Mapping[str, tuple[Stamp, _Value]], listing: FolderListing, names: Iterable[str]
) -> dict[str, _Value]:
    stamps = listing.stamps
    known = {}
    for name in names:
        entry = entries.get(name)
        if entry is not None and entry[0] == stamps[name]:
            known[name] = entry[1]
    return known


def _still_true(entries: Mapping[str, tuple[Stamp, _Value]], listing: FolderListing) -> list[str]:
    stamps = listing.stamps
    return [name for name, entry in entries.items() if stamps.get(name) == entry[0]]


def _add(
    entries: dict[str, tuple[Stamp, _Value]], listing: FolderListing, values: Mapping[str, _Value]
) -> bool:
    """Whether any was added: not of files so young that an edit could still leave them the same stamp."""
    limit = listing.taken_ns - _YOUNG_NS
    added = False
    for name, value in values.items():
        stamp = listing.stamps[name]
        if stamp is not None and stamp[1] < limit and stamp[2] < limit:
            entries[name] = stamp, value
            added = True
    return added


def _head(reader: str) -> bytes:
    return _FORMAT + f"{reader} {sys.byteorder}\n".encode()


def _joined(parts: Sequence[bytes]) -> bytes:
    return struct.pack(_LENGTHS, *map(len, parts)) + b"".join(parts)


def _split(body: memoryview) -> list[memoryview]:
    start, parts = struct.calcsize(_LENGTHS), []
    for length in struct.unpack_from(_LENGTHS, body):
        parts.append(body[start : start + length])
        start += length
    return parts


def _packed_strings(strings: Sequence[str]) -> bytes:
    return "".join([f"{string}{_NUL}" for string in strings]).encode("utf-8", "surrogatepass")


def _strings(part: memoryview) -> list[str]:
    return str(part, "utf-8", "surrogatepass").split(_NUL)[:-1]


def _hashes(part: memoryview) -> list[str]:
    text = part.hex()
    return [text[start : start + 64] for start in range(0, len(text), 64)]


def _packed_stamps(stamps: Sequence[Stamp]) -> bytes:
    """Column by column."""
    columns = list(zip(*stamps, strict=True)) or [(), (), (), ()]
    inodes = array("Q", [inode & _INODES for inode in columns[3]])
    return b"".join(array("q", column).tobytes() for column in columns[:3]) + inodes.tobytes()


def _stamps(part: memoryview) -> Iterable[Stamp]:
    length = len(part) // 4
    times = [part[start : start + length].cast("q").tolist() for start in (0, length, 2 * length)]
    return zip(*times, part[3 * length :].cast("Q").tolist(), strict=True)


def _entries(
    names: memoryview, stamps: memoryview, values: Iterable[_Value]
) -> dict[str, tuple[Stamp, _Value]]:
    return dict(zip(_strings(names), zip(_stamps(stamps), values, strict=True), strict=True))
