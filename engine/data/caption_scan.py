"""The captions of many pictures: which file each has, and what is wrong with those that have none."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.config import SubsetConfig
from engine.data.captions import CaptionError, CaptionFile, find_caption, read_caption_file
from engine.data.sentences import listed, pictures

_CAPTION_LIKE = frozenset((".caption", ".txt"))


class CaptionScan:
    """The captions of the pictures of a folder, as they are written."""

    def __init__(self, config: SubsetConfig, paths: Sequence[Path], folder: Path) -> None:
        self._config = config
        self._num_paths = len(paths)
        self._files: dict[Path, CaptionFile] = {}
        self._wrong: list[str] = []
        self._without: list[str] = []
        self.texts: dict[Path, str] = {}
        for path in paths:
            self._read(path, folder)

    def file_of(self, path: Path) -> Path | None:
        """The file that a picture's caption is from; None: the class tokens."""
        return self._files[path].path if path in self._files else None

    def problems(self, files: Sequence[Path], options: str) -> list[str]:
        """Sentences; options is what stands before the name of an option."""
        problems = []
        if self._wrong:
            problems.append(
                f"{len(self._wrong)} caption files cannot be used: {listed(self._wrong)}. "
                "Write the caption into the first line, in UTF-8."
            )
        if self._without:
            endings = self._config.caption_extension
            seen = Counter(file.suffix for file in files if file.suffix in _CAPTION_LIKE | set(endings))
            counts = ", ".join(f"{count} {ending}" for ending, count in sorted(seen.items())) or "none"
            problems.append(
                f"{len(self._without)} of {pictures(self._num_paths)} have no caption: "
                f"{listed(self._without)}. Caption files in the folder: {counts}; "
                f"read are {', '.join(endings)}. "
                f"Put a text file beside each picture, or set {options}class_tokens."
            )
        return problems

    def notes(self) -> list[str]:
        """What a user may not expect."""
        notes = []
        several = sum(found.num_others > 0 for found in self._files.values())
        if several:
            order = ", ".join(self._config.caption_extension)
            notes.append(f"{pictures(several)} with several caption files; the first of {order} is read")
        without = self._num_paths - len(self._files) - len(self._without)
        if without:
            notes.append(f"{pictures(without)} without a caption file; class_tokens is their caption")
        empty = sum(not self.texts.get(path, "-") for path in self._files)
        if empty:
            notes.append(f"{pictures(empty)} with an empty caption: the first line of the file is blank")
        shared = len(self._files) - len({found.path for found in self._files.values()})
        if shared:
            notes.append(f"{pictures(shared)} with a caption file that another picture uses too")
        return notes

    def _read(self, path: Path, folder: Path) -> None:
        found = find_caption(path, self._config.caption_extension)
        if found is None:
            if self._config.class_tokens is not None:
                self.texts[path] = self._config.class_tokens
            else:
                self._without.append(path.relative_to(folder).as_posix())
            return
        self._files[path] = found
        try:
            self.texts[path] = read_caption_file(found.path, all_lines=self._config.enable_wildcard)
        except CaptionError as error:
            self._wrong.append(f"{found.path.relative_to(folder).as_posix()} ({error})")
