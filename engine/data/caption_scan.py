"""The captions of many pictures: which file each has, and what is wrong with those that have none."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from engine.config import DatasetConfig, Layout
from engine.data.captions import read_captions
from engine.data.folder import FolderListing
from engine.data.scan_index import ScanIndex
from engine.data.sentences import listed, pictures

_CAPTION_LIKE = frozenset((".caption", ".text", ".txt"))
_OF_ITS_WORDS = frozenset(("empty", "not UTF-8"))  # what is wrong with a caption file that can be opened


class CaptionScan:
    """The captions of the pictures of a folder, as they are written; names are paths within it."""

    def __init__(
        self, config: DatasetConfig, listing: FolderListing, names: Sequence[str], index: ScanIndex
    ) -> None:
        self._config, self._listing, self._names = config, listing, names
        self._found = read_captions(
            listing, names, config.caption_extension, index, all_lines=config.enable_wildcard
        )
        found, folder = self._found, listing.folder
        self._without = [name for name in names if name not in found.files]
        self.texts: dict[str, tuple[str, Path | None]] = {
            name: (text, folder / found.files[name]) for name, text in found.texts.items()
        }
        if config.class_tokens is not None:
            self.texts |= dict.fromkeys(self._without, (config.class_tokens, None))

    def problems(self, options: str) -> list[str]:
        """Sentences; options is what stands before the name of an option."""
        problems = []
        if self._found.errors:
            wrong = [f"{name} ({why})" for name, why in sorted(self._found.errors.items())]
            files = "1 caption file" if len(wrong) == 1 else f"{len(wrong)} caption files"
            closed = set(self._found.errors.values()) - _OF_ITS_WORDS
            advice = "Write the caption into the first line, in UTF-8."
            if closed:
                advice = "Make sure that each can be opened and has the caption in its first line, in UTF-8."
            problems.append(f"{files} cannot be used: {listed(wrong)}. {advice}")
        if self._without and self._config.class_tokens is None:
            endings = self._config.caption_extension
            like_captions = _CAPTION_LIKE | set(endings)
            seen = Counter(PurePath(name).suffix for name in self._listing.stamps)
            counts = [
                f"{count} {ending}" for ending, count in sorted(seen.items()) if ending in like_captions
            ]
            problems.append(
                f"{len(self._without)} of {pictures(len(self._names))} without a caption: "
                f"{listed(self._without)}. Caption files in the folder: {', '.join(counts) or 'none'}; "
                f"read are {', '.join(endings)}. "
                f"Put a text file beside each picture, or {self._other_words(options)}."
            )
        return problems

    def _other_words(self, options: str) -> str:
        """Where the caption of pictures without a caption file can be said."""
        if self._config.layout is Layout.kohya:  # class_tokens is refused there
            return "name the folder <repeats>_<words>, as 10_shs dog"
        return f"set {options}class_tokens"

    def notes(self) -> list[str]:
        """What a user may not expect."""
        notes, found = [], self._found
        if found.num_others:
            order = ", ".join(self._config.caption_extension)
            several = pictures(len(found.num_others))
            notes.append(f"{several} with several caption files; the first of {order} is read")
        if self._without and self._config.class_tokens is not None:
            without = pictures(len(self._without))
            notes.append(f"{without} without a caption file; class_tokens is their caption")
        empty = sum(not text for text in found.texts.values())
        if empty:
            notes.append(f"{pictures(empty)} with an empty caption: the first line of the file is blank")
        shared = len(found.files) - len(set(found.files.values()))
        if shared:
            notes.append(f"{pictures(shared)} with a caption file that another picture uses too")
        return notes
