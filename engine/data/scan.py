"""A folder of pictures with their captions, as the file system and the file headers show it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import DatasetConfig, SubsetConfig
from engine.data.caption_changes import settled_caption, varies
from engine.data.captions import CaptionError, CaptionFile, find_caption, read_caption_file
from engine.data.folder import files_below, folder_problem, left_out, no_pictures
from engine.data.headers import HeaderError, read_size, readable_endings

_NUM_NAMED = 5  # files that a sentence names before it only counts
_CAPTION_LIKE = frozenset((".caption", ".txt"))


@dataclass(kw_only=True, slots=True, frozen=True)
class Picture:
    """One picture to learn from."""

    path: Path
    width: int  # pixels, as the picture is shown
    height: int
    caption: str  # as the text encoder gets it; as in its file where captions vary
    repeats: int  # times in an epoch
    treated: SubsetConfig | None = None  # as its own subset says; None = as the whole data set
    is_reg: bool = False  # regularisation: of the class, not of what is learnt


@dataclass(kw_only=True, slots=True)
class Scan:
    """What a folder holds, and what is wrong with it."""

    folder: Path
    source: str  # how a sentence names it: "dataset.path=photos"
    pictures: list[Picture] = field(default_factory=list)  # sorted by their path within the folder
    problems: list[str] = field(default_factory=list)  # sentences for ConfigError
    notes: list[str] = field(default_factory=list)  # sentences for the plan
    other_folders: list[Path] = field(default_factory=list)  # where further pictures lie
    captions_by_ending: dict[str, int] = field(
        default_factory=dict
    )  # pictures whose caption is read from one

    def name(self, picture: Picture) -> str:
        """A picture's path within its folder, the same on every system."""
        folders = [one for one in (self.folder, *self.other_folders) if picture.path.is_relative_to(one)]
        return picture.path.relative_to(folders[0]).as_posix()


def scan_folder(config: DatasetConfig, folder: Path) -> Scan:
    """Find the pictures of a folder and its sub-folders, their sizes and their captions.

    folder   what config.path means, or the folder that stands in for it
    returns  a Scan whose problems hold everything that keeps a run from starting
    """
    shown = f"dataset.path={config.path or folder}"
    scan = Scan(folder=folder, source=shown)
    missing = folder_problem(folder)
    if missing:
        scan.problems.append(f"{shown}: {missing}")
        return scan
    files, closed = files_below(folder)
    if closed:
        scan.problems.append(f"{shown}: no permission to open {_listed(closed)}. Allow it, or move it away.")
    endings = readable_endings()
    paths = [file for file in files if file.suffix.lower() in endings]
    if not paths and not closed:
        scan.problems.append(f"{shown}: {no_pictures(len(files), endings)}")
        return scan
    headers = _Headers(paths, folder)
    captions = _Captions(config, paths, folder)
    scan.problems += [f"{shown}: {problem}" for problem in (*headers.problems(), *captions.problems(files))]
    scan.problems += captions.unused_options()
    scan.notes = captions.notes() + left_out(files, endings)
    scan.captions_by_ending = captions.by_ending()
    scan.pictures = [
        Picture(
            path=path,
            width=headers.sizes[path][0],
            height=headers.sizes[path][1],
            caption=captions.texts[path],
            repeats=config.num_repeats,
        )
        for path in paths
        if path in headers.sizes and path in captions.texts
    ]
    return scan


def dataset_fingerprint(scan: Scan) -> str:
    """sha256 over names, bytes, captions and repeats of the pictures, in hexadecimal; reads every file."""
    digest = hashlib.sha256()
    for picture in scan.pictures:
        with picture.path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        row = (scan.name(picture), content, picture.caption, picture.repeats)
        marks = [mark for mark in ("reg" if picture.is_reg else None, picture.treated) if mark is not None]
        digest.update(repr((*row, *marks)).encode())
    return digest.hexdigest()


class _Headers:
    """The sizes of the pictures, and which have none."""

    def __init__(self, paths: Sequence[Path], folder: Path) -> None:
        self.sizes: dict[Path, tuple[int, int]] = {}
        self._num_paths = len(paths)
        self._unreadable: list[str] = []
        for path in paths:
            try:
                self.sizes[path] = read_size(path)
            except HeaderError as error:
                self._unreadable.append(f"{path.relative_to(folder).as_posix()} ({error})")

    def problems(self) -> list[str]:
        if not self._unreadable:
            return []
        count = f"{len(self._unreadable)} of {_pictures(self._num_paths)} cannot be read"
        return [f"{count}: {_listed(self._unreadable)}. Repair or remove them."]


class _Captions:
    """The captions of the pictures, and which have none."""

    def __init__(self, config: DatasetConfig, paths: Sequence[Path], folder: Path) -> None:
        self._config = config
        self._num_paths = len(paths)
        self._files: dict[Path, CaptionFile] = {}
        self._wrong: list[str] = []
        self._without: list[str] = []
        self.texts: dict[Path, str] = {}
        for path in paths:
            self._read(path, folder)

    def _read(self, path: Path, folder: Path) -> None:
        found = find_caption(path, self._config.caption_extension)
        if found is None:
            if self._config.class_tokens is not None:
                self.texts[path] = self._fixed(self._config.class_tokens)
            else:
                self._without.append(path.relative_to(folder).as_posix())
            return
        self._files[path] = found
        try:
            text = read_caption_file(found.path, all_lines=self._config.enable_wildcard)
            self.texts[path] = self._fixed(text)
        except CaptionError as error:
            self._wrong.append(f"{found.path.relative_to(folder).as_posix()} ({error})")

    def _fixed(self, text: str) -> str:
        """As the text encoder gets it, unless that is another caption at each step."""
        return text if varies(self._config) else settled_caption(text, self._config)

    def problems(self, files: Sequence[Path]) -> list[str]:
        problems = []
        if self._wrong:
            problems.append(
                f"{len(self._wrong)} caption files cannot be used: {_listed(self._wrong)}. "
                "Write the caption into the first line, in UTF-8."
            )
        if self._without:
            seen = Counter(
                file.suffix for file in files if file.suffix in _CAPTION_LIKE | set(self._endings())
            )
            listed = ", ".join(f"{count} {ending}" for ending, count in sorted(seen.items())) or "none"
            problems.append(
                f"{len(self._without)} of {_pictures(self._num_paths)} have no caption: "
                f"{_listed(self._without)}. Caption files in the folder: {listed}; "
                f"read are {', '.join(self._endings())}. "
                "Put a text file beside each picture, or set dataset.class_tokens."
            )
        return problems

    def unused_options(self) -> list[str]:
        tokens = self._config.class_tokens
        if tokens is None or len(self._files) < self._num_paths:
            return []
        return [f"dataset.class_tokens={tokens}: every picture has a caption of its own. Leave it out."]

    def notes(self) -> list[str]:
        notes = []
        several = sum(found.num_others > 0 for found in self._files.values())
        if several:
            order = ", ".join(self._endings())
            notes.append(f"{_pictures(several)} with several caption files; the first of {order} is read")
        without = self._num_paths - len(self._files) - len(self._without)
        if without:
            notes.append(f"{_pictures(without)} without a caption file; class_tokens is their caption")
        empty = sum(not self.texts.get(path, "-") for path in self._files)
        if empty:
            notes.append(f"{_pictures(empty)} with an empty caption: the first line of the file is blank")
        shared = len(self._files) - len({found.path for found in self._files.values()})
        if shared:
            notes.append(f"{_pictures(shared)} with a caption file that another picture uses too")
        return notes

    def by_ending(self) -> dict[str, int]:
        return dict(sorted(Counter(found.path.suffix for found in self._files.values()).items()))

    def _endings(self) -> list[str]:
        return self._config.caption_extension


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {more} more" if more > 0 else "")


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"
