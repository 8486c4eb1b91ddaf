"""The pictures of a folder by name and size; nothing is decoded, so that 10,000 are listed in a moment."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from engine.config.errors import ConfigError
from engine.data.folder import FolderListing, left_out, list_files, no_pictures
from engine.data.headers import HeaderError, read_size, readable_endings
from engine.data.read_files import read_headers
from engine.data.sentences import listed, pictures, printable

OUTPUT = "evaluation"  # where the outputs of a scoring lie within the scored folder
_SCORES = "scores.json"
_NUM_SIZES = 5  # that a notice names
_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_ANIMATED = 2  # the bit of VP8X that announces frames


@dataclass(kw_only=True, slots=True, frozen=True)
class PictureFolder:
    """What a folder holds. Names are paths within it, with / between their parts."""

    folder: Path
    option: str  # how a sentence names it: "images=photos"
    names: list[str]  # of the pictures, sorted by the parts of their paths
    listing: FolderListing  # of all its files
    notices: tuple[str, ...] = ()

    def path(self, name: str) -> Path:
        """Where a picture lies."""
        return self.folder / name

    @property
    def paths(self) -> list[Path]:
        """The pictures in order."""
        return [self.folder / name for name in self.names]


@dataclass(kw_only=True, slots=True, frozen=True)
class PictureNames:
    """Finds pictures by what a file calls them: their path within a folder, their full path, their name."""

    folder: Path
    by_name: Mapping[str, Path]
    _by_bare: dict[str, list[Path]] = field(init=False, default_factory=dict)
    _tops: set[str] = field(init=False, default_factory=set)  # the folder's full path, links followed or not

    def __post_init__(self) -> None:
        for path in dict.fromkeys(self.by_name.values()):
            self._by_bare.setdefault(shown_name(path.name), []).append(path)
        self._tops.update((os.path.abspath(self.folder), os.path.realpath(self.folder)))  # noqa: PTH100

    def find(self, word: str) -> list[Path]:
        """The pictures that a word may mean: none, one, or several of one bare name."""
        if "\0" in word:
            return []
        full = os.path.normpath(word)
        is_full = os.path.isabs(full)  # noqa: PTH117  (of 10,000 words)
        for name in (os.path.relpath(full, top) for top in self._tops) if is_full else (full,):
            if (path := self.by_name.get(name.replace(os.sep, "/"))) is not None:
                return [path]
        return [] if os.sep in full else self._by_bare.get(full, [])


def read_picture_folder(folder: Path, option: str) -> PictureFolder:
    """The pictures of a folder and its sub-folders, without hidden ones and what a scoring wrote there.

    option  how the folder was given: "images"
    raises  ConfigError when it is missing, cannot be opened, or holds no picture
    """
    where = f"{option}={printable(str(folder))}"
    if not os.path.isdir(folder):  # noqa: PTH112  (of a name that is too long Path raises)
        is_there = os.path.exists(folder)  # noqa: PTH110
        advice = "is a file. Give the folder that it lies in" if is_there else "no such folder"
        raise ConfigError(f"{where}: {advice}.")
    listing = list_files(folder)
    if listing.closed:
        closed = "it" if listing.closed == ["."] else listed(listing.closed)
        raise ConfigError(f"{where}: no permission to open {closed}. Allow it, or move it away.")
    endings = readable_endings()
    files = {name: stamp for name, stamp in listing.stamps.items() if not name.startswith(f"{OUTPUT}/")}
    found = [name for name in files if PurePosixPath(name).suffix.lower() in endings]
    names = [name for name in found if files[name] is not None]
    if not names:
        raise ConfigError(f"{where}: {no_pictures(len(files), endings)}")
    notices = [f"{where}: {note}" for note in left_out(files, endings)]
    if lost := [name for name in found if files[name] is None]:
        notices.append(f"{where}: left out, a link to nothing or no file: {listed(lost)}")
    if num_ours := _pictures_in_output(listing, endings):
        notices.append(
            f"{where}: {pictures(num_ours)} in {OUTPUT}/ left out: scores are written there. "
            "Rename that folder to score them."
        )
    return PictureFolder(folder=folder, option=where, names=names, listing=listing, notices=tuple(notices))


def names_within(folder: PictureFolder) -> PictureNames:
    """Its pictures by name; a name that is no text is also known by the form in which files show it."""
    by_name = {name: folder.path(name) for name in folder.names}
    shown = {shown_name(name): path for name, path in by_name.items()}
    return PictureNames(folder=folder.folder, by_name={**shown, **by_name})


def shown_name(name: str) -> str:
    """The name as outputs hold it: as it is, or, where its bytes are no text, with them escaped."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode()
    return name


def note_on_sizes(folder: PictureFolder) -> str | None:
    """What to know where pictures differ in size; None where they do not. Only headers are read."""
    top, limit = os.fspath(folder.folder), Image.MAX_IMAGE_PIXELS or float("inf")
    sizes = read_headers(top, folder.names, most_pixels=limit)
    counts: Counter[tuple[int, int]] = Counter()
    for name, size in zip(folder.names, sizes, strict=True):
        if size is None:
            try:
                size = read_size(folder.path(name))
            except HeaderError:  # told by the metric that looks for faults
                continue
        counts[size] += 1
    if len(counts) < 2:
        return None
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{width}x{height} ({num})" for (width, height), num in ordered[:_NUM_SIZES])
    more = len(ordered) - _NUM_SIZES
    return (
        f"{folder.option}: the pictures are of {len(ordered)} sizes: {named}"
        f"{f' and {more} more' if more > 0 else ''}. Encoders see each cut or squeezed to one size."
    )


def count_animated(folder: PictureFolder) -> int:
    """How many of its PNG and WebP files hold several frames, by what stands before their pixels."""
    return sum(_is_animated(path) for path in folder.paths if path.suffix.lower() in (".png", ".webp"))


def same_folder(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, links followed."""
    return os.path.realpath(one) == os.path.realpath(other)


def lies_within(inner: Path, outer: Path) -> bool:
    """Whether a folder is a true sub-folder of another, links followed."""
    inside, top = Path(os.path.realpath(inner)), Path(os.path.realpath(outer))
    return inside != top and inside.is_relative_to(top)


def by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by themselves without their ending."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[name[: name.rindex(".")]].append(name)
    return groups


def _is_animated(path: Path) -> bool:
    """Sources: the PNG specification (acTL, its number of frames, before IDAT); WebP's container (VP8X)."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_PNG))
            if start != _PNG:
                start += file.read(21 - len(_PNG))
                return start[8:16] == b"WEBPVP8X" and len(start) == 21 and bool(start[20] & _WEBP_ANIMATED)
            while len(chunk := file.read(8)) == 8 and chunk[4:] != b"IDAT":
                if chunk[4:] == b"acTL":
                    return int.from_bytes(file.read(4), "big") > 1
                file.seek(int.from_bytes(chunk[:4], "big") + 4, os.SEEK_CUR)
    except OSError:  # told by the metric that looks for faults
        return False
    return False


def _pictures_in_output(listing: FolderListing, endings: frozenset[str]) -> int:
    """Pictures in the folder of outputs, if no scoring wrote it."""
    if listing.stamps.get(f"{OUTPUT}/{_SCORES}") is not None:
        return 0
    inside = (name for name in listing.stamps if name.startswith(f"{OUTPUT}/"))
    return sum(PurePosixPath(name).suffix.lower() in endings for name in inside)
