"""True pictures to compare with: a folder of them, or a manifest that says which belong to which prompt."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.config.errors import ConfigError
from engine.data.sentences import pictures, printable
from engine.sampling.prompt_file import Prompt, read_manifest_prompts
from evaluation.reading.picture_folder import PictureFolder, lies_within, read_picture_folder, same_folder

_TAIL = 4096  # bytes that are looked at before whole files are: of pictures of one size few end alike


@dataclass(kw_only=True, slots=True, frozen=True)
class References:
    """True pictures in one of two forms; the other is empty."""

    where: str  # how a sentence names them: "refs=photos"
    unpaired: tuple[Path, ...] = ()  # of no particular prompt
    by_prompt: dict[str, Prompt] = field(default_factory=dict)  # by text; with its references
    notices: tuple[str, ...] = ()

    @property
    def paths(self) -> list[Path]:
        """All of them, each once."""
        paired = (path for prompt in self.by_prompt.values() for path in prompt.references)
        return list(dict.fromkeys([*self.unpaired, *paired]))


def read_references(source: Path) -> References:
    """The true pictures of refs=DIR or refs=MANIFEST.

    raises  ConfigError for a folder or manifest that cannot be used, and for pictures that are not there
    """
    where = f"refs={printable(str(source))}"
    if source.suffix.lower() != ".json" or os.path.isdir(source):  # noqa: PTH112
        if os.path.isfile(source):  # noqa: PTH113
            raise ConfigError(f"{where}: neither a folder nor a manifest (.json). Give one of them.")
        folder = read_picture_folder(source, "refs")
        return References(where=where, unpaired=tuple(folder.paths), notices=folder.notices)
    if not os.path.isfile(source):  # noqa: PTH113
        raise ConfigError(f"{where}: no such file. Check the path.")
    return references_of(read_manifest_prompts(source), where)


def references_of(prompts: Iterable[Prompt], where: str) -> References:
    """The true pictures that prompts name. ConfigError: none at all, missing ones, a prompt twice."""
    by_prompt: dict[str, Prompt] = {}
    for prompt in (replace(prompt, text=prompt.text.strip()) for prompt in prompts):
        if prompt.text in by_prompt:
            raise ConfigError(
                f"{where}: holds {printable(prompt.text[:60])} twice. Put all its references in one row."
            )
        by_prompt[prompt.text] = prompt
    found = References(where=where, by_prompt=by_prompt)
    if not found.paths:
        raise ConfigError(f'{where}: names no references. Write {{"prompt": ..., "references": [files]}}.')
    missing = [path for path in found.paths if not os.path.isfile(path)]  # noqa: PTH113  (too long names too)
    if missing:
        raise ConfigError(
            f"{where}: names {pictures(len(missing))} that cannot be found, the first: "
            f"{printable(str(missing[0]))}. Paths are relative to the manifest."
        )
    return found


def refuse_overlap(images: PictureFolder, other: Path, option: str) -> None:
    """raises ConfigError where another folder is the scored one, or lies in it"""
    if not os.path.isdir(other):  # noqa: PTH112  (told by who reads it)
        return
    if same_folder(images.folder, other):
        what = {
            "refs": "the references are the pictures themselves: every likeness would be perfect",
            "base": "these are the pictures themselves: nothing would differ",
            "training": "the training pictures are the pictures themselves: each would be a copy",
        }[option]
        raise ConfigError(f"{option}={printable(str(other))}: {what}. Give another folder.")
    if lies_within(other, images.folder):
        raise ConfigError(
            f"{option}={printable(str(other))}: lies in {images.option}, so its pictures would be scored "
            "too. Put it beside that folder."
        )


def note_on_equal_bytes(scored: Sequence[Path], references: Sequence[Path], where: str) -> str | None:
    """What to know where references are copies of scored pictures; None where none is.

    raises  ConfigError where every scored picture is among the references
    """
    num = count_copies(scored, references)
    if num == 0:
        return None
    if num == len(scored):
        raise ConfigError(
            f"{where}: every picture that is scored is among them, byte for byte, so every likeness would be "
            "perfect. Give other references."
        )
    return f"{where}: {num} of {pictures(len(scored))} that are scored are among them, byte for byte"


def count_copies(scored: Sequence[Path], others: Sequence[Path]) -> int:
    """How many scored pictures have the bytes of some other; only files of one size and one end are read."""
    candidates, rest = list(scored), list(others)
    for key in (_size, _tail, _sha256):
        ours, theirs = _by_key(candidates, key), _by_key(rest, key)
        common = ours.keys() & theirs.keys()
        candidates = [path for each in common for path in ours[each]]
        rest = [path for each in common for path in theirs[each]]
        if not candidates:
            return 0
    return len(candidates)


def count_twins(paths: Sequence[Path]) -> int:
    """How many pictures have the bytes of an earlier one."""
    groups = [list(paths)]
    for key in (_size, _tail, _sha256):
        groups = [alike for group in groups for alike in _by_key(group, key).values() if len(alike) > 1]
    return sum(len(group) - 1 for group in groups)


def _by_key(paths: Iterable[Path], key: Callable[[Path], object]) -> Mapping[object, list[Path]]:
    groups: defaultdict[object, list[Path]] = defaultdict(list)
    for path in paths:
        try:
            value = key(path)
        except OSError:  # told by the metric that looks for faults
            continue
        groups[value].append(path)
    return groups


def _size(path: Path) -> int:
    return path.stat().st_size


def _tail(path: Path) -> tuple[int, bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        return size, hashlib.sha256(file.read()).digest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
