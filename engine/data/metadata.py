"""Captions and tags of many pictures in one JSON file, as kohya's fine-tuning tools write it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import DatasetConfig, SubsetConfig
from engine.data.file_content import once
from engine.data.folder import FolderListing, folder_problem, list_files
from engine.data.headers import HeaderError, Headers, read_size, read_sizes, readable_endings
from engine.data.indexes import Indexes
from engine.data.scan import Scan, Subset, add_pictures
from engine.data.sentences import listed

_KNOWN = frozenset(("caption", "tags", "train_resolution", "image_size"))


@dataclass(kw_only=True, slots=True)
class _Found:
    """Captions by picture, and the entries that lead to none."""

    texts: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wordless: list[str] = field(default_factory=list)


def scan_metadata(subset: Subset, config: DatasetConfig, image_dir: Path | None, indexes: Indexes) -> Scan:
    """The pictures that subset.config.metadata_file names; config is the whole run's.

    image_dir  where names without a folder lie, with or without their ending; None: every name is a full path
    Source: kohya sd-scripts 0.10.1, train_util.FineTuningDataset. Unlike there an entry without a picture,
    one that leads out of image_dir and one that fits two pictures are errors.
    """
    assert subset.config.metadata_file is not None, "the subset has a metadata file"
    file = Path(subset.config.metadata_file)
    scan = Scan(folder=subset.folder, source=subset.source, config=config, subsets=[subset], indexes=indexes)
    said = f"{subset.source}: {subset.options}metadata_file={file}"
    entries = _read_entries(file)
    if isinstance(entries, str):
        scan.problems.append(f"{said}: {entries}")
        return scan
    if image_dir is not None and (missing := folder_problem(image_dir)):
        where = "" if subset.options else f" image_dir={image_dir}:"  # the command line's source names it
        scan.problems.append(f"{subset.source}:{where} {missing}")
        return scan
    listing = None if image_dir is None else list_files(image_dir)
    by_name = {} if listing is None else _by_name(listing)
    found = _find(entries, by_name, image_dir, subset.config)
    scan.problems += [
        f"{said}: {problem}" for problem in _problems(found, image_dir, subset, total=len(entries))
    ]
    scan.notes += _notes(entries)
    unused = {name for names in by_name.values() for name in names} - found.texts.keys()
    if unused and not found.missing:
        scan.notes.append(f"pictures of the folder that the metadata does not name: {len(unused)}")
    names = sorted(found.texts)
    headers = _full_paths(names) if listing is None else read_sizes(listing, names, indexes.of(listing))
    add_pictures(scan, subset, headers, {name: (text, file) for name, text in found.texts.items()})
    return scan


def entry_caption(entry: Mapping[str, object], *, separator: str, all_lines: bool) -> str | None:
    """An entry's caption with its tags behind it; None where it has neither.

    all_lines  every line of the caption is kept, each with the tags, for wildcards; else the first
    Source: kohya sd-scripts 0.10.1, train_util.FineTuningDataset, which without wildcards puts the tags
    behind the last line and then reads the first alone.
    """
    caption, tags = entry.get("caption"), entry.get("tags")
    if caption is None:
        caption, tags = tags, None
    if caption is None:
        return None
    lines = [line.strip() for line in str(caption).splitlines() if line.strip()] or [""]
    if not all_lines:
        lines = lines[:1]
    if not tags:
        return "\n".join(lines)
    words = str(tags).strip().replace("\n", separator)
    return "\n".join(f"{line}{separator} {words}" if line else words for line in lines)


def _read_entries(file: Path) -> dict[str, dict[str, object]] | str:
    """The entries by name, or what is wrong with the file."""
    if not file.is_file():
        return "this is a folder. Give the file." if file.is_dir() else "no such file. Check the path."
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except OSError as error:
        return f"cannot be opened ({error.strerror}). Allow it."
    except UnicodeDecodeError:
        return "not UTF-8. Save it in that encoding."
    except (ValueError, RecursionError) as error:
        return f"not JSON ({' '.join(str(error).split())}). Correct it."
    if not isinstance(content, dict) or not content:
        return 'no entries. Write {"a.png": {"caption": "..."}, ...}.'
    wrong = [
        name
        for name, entry in content.items()
        if not isinstance(entry, dict)
        or not all(isinstance(entry.get(key), str | None) for key in ("caption", "tags"))
    ]
    if wrong:
        return f'entries that are no {{"caption": "...", "tags": "..."}}: {listed(wrong)}. Correct them.'
    return content


def _find(
    entries: Mapping[str, Mapping[str, object]],
    by_name: Mapping[str, list[str]],
    image_dir: Path | None,
    config: SubsetConfig,
) -> _Found:
    found = _Found()
    for name, entry in entries.items():
        text = entry_caption(entry, separator=config.caption_separator, all_lines=config.enable_wildcard)
        pictures = _pictures_of(name, image_dir, by_name)
        if pictures is None:
            found.outside.append(name)
        elif not pictures:
            found.missing.append(name)
        elif len(pictures) > 1:
            found.ambiguous.append(f"{name} ({' and '.join(pictures)})")
        elif pictures[0] in found.texts:
            found.twice.append(name)
        elif text is None:
            found.wordless.append(name)
        else:
            found.texts[pictures[0]] = text
    return found


def _by_name(listing: FolderListing) -> dict[str, list[str]]:
    """The pictures of a folder by their name in it, with and without the ending."""
    by_name: dict[str, list[str]] = {}
    endings = readable_endings()
    for name in listing.stamps:
        base, dot, ending = name.rpartition(".")
        if dot + ending.lower() in endings:
            by_name.setdefault(name, []).append(name)
            by_name.setdefault(base, []).append(name)
    return by_name


def _pictures_of(name: str, image_dir: Path | None, by_name: Mapping[str, list[str]]) -> list[str] | None:
    """The pictures that a name may mean; None where it leads out of the folder."""
    path = Path(name)
    if image_dir is None:
        return [name] if path.is_absolute() and path.is_file() else []
    whole, folder = Path(_normal(image_dir / path)), Path(_normal(image_dir))
    if not whole.is_relative_to(folder):
        return None
    return by_name.get(whole.relative_to(folder).as_posix(), [])


def _full_paths(names: Sequence[str]) -> Headers:
    """Pictures that lie in no common folder are read one by one."""
    headers = Headers()
    for name in names:
        try:
            headers.sizes[name] = read_size(Path(name))
        except HeaderError as error:
            headers.errors[name] = str(error)
    return headers


def _normal(path: Path) -> str:
    """Without . and .., links left as they are."""
    return os.path.normpath(path.absolute())


def _problems(found: _Found, image_dir: Path | None, subset: Subset, *, total: int) -> list[str]:
    folder = "dataset.path" if subset.options else "image_dir"
    where = f"Give {folder}, or full paths" if image_dir is None else f"Correct {folder} or the file"
    rows: Sequence[tuple[list[str], str, str]] = (
        (found.missing, "without a picture", f"{where}."),
        (found.outside, f"that lead out of {image_dir}", "Give the folder that holds all of them."),
        (found.ambiguous, "that fit several pictures", "Write the name with its ending."),
        (found.twice, "that name a picture that another entry names", "Keep one."),
        (found.wordless, "with neither caption nor tags", "Write one."),
    )
    return [
        f"{len(names)} of {total} entries {what}: {listed(names)}. {advice}"
        for names, what, advice in rows
        if names
    ]


def _notes(entries: Mapping[str, Mapping[str, object]]) -> list[str]:
    notes = []
    others = sorted({key for entry in entries.values() for key in entry} - _KNOWN)
    if others:
        notes.append(f"the metadata also holds what is not used: {listed(others)}")
    if any("train_resolution" in entry for entry in entries.values()):
        notes.append("sizes that the metadata holds are not taken: the pictures' own are")
    return notes
