"""Which prompt and which seed each picture of a folder belongs to, whoever made it."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from engine.config.errors import ConfigError
from engine.data.read_files import read_texts
from engine.data.sentences import listed, pictures, printable
from engine.sampling.prompt_file import Prompt
from evaluation.reading.picture_folder import PictureFolder, names_within
from evaluation.reading.picture_text import (
    CAPTION_ENDINGS,
    NamedPlace,
    PictureText,
    parse_name,
    text_in_caption,
    text_in_picture,
)
from evaluation.reading.prompt_list import FORM, Entry, Numbered, PromptList
from evaluation.reading.sample_set import LISTING, read_sample_set


@dataclass(kw_only=True, slots=True, frozen=True)
class PromptPlace:
    """Where one picture belongs."""

    prompt_index: int  # one for each different prompt, then one for each picture without any
    prompt: str  # "" = none known
    seed: int  # its own; else its place among the pictures of its prompt


@dataclass(kw_only=True, slots=True, frozen=True)
class PicturePrompts:
    """Where the pictures of a folder belong."""

    places: dict[str, PromptPlace]  # by the picture's name within the folder
    prompts: dict[str, Prompt]  # what is known of each prompt, by its text
    notices: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Found:
    """What a source says of pictures."""

    texts: dict[str, PictureText]
    prompts: dict[str, Prompt] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    source: str | None = None  # the file that the user gave: two pictures of one prompt and seed are an error


def assign_prompts(folder: PictureFolder, given: PromptList | None) -> PicturePrompts:
    """The prompts as a file says; without one as text files beside the pictures or the pictures do.

    raises  ConfigError where the file and the folder do not fit, and for the samples folder of a whole run
    """
    _refuse_run_folder(folder)
    if given is None:
        found = _look_around(folder)
    elif given.entries:
        found = _by_entries(folder, given)
    else:
        found = _by_number(folder, given)
    places = _place(folder, found)
    return PicturePrompts(places=places, prompts=found.prompts, notices=tuple(found.notices))


def _refuse_run_folder(folder: PictureFolder) -> None:
    own, above = (printable(str(path)) for path in (folder.folder, folder.folder.absolute().parent))
    if f"samples/{LISTING}" in folder.listing.stamps:
        raise ConfigError(f"{folder.option}: this is the folder of a run. Use run={own}.")
    if LISTING in folder.listing.stamps:
        raise ConfigError(
            f"{folder.option}: these are all samples of a run. Use run={above}, or give one set of them, "
            f"such as {own}/final."
        )


def _look_around(folder: PictureFolder) -> _Found:
    """What stands beside the pictures or in them; a picture may have nothing."""
    drawn = read_sample_set(folder.folder)
    beside, unread = _texts_beside(folder)
    texts = {}
    for name in folder.names:
        text = drawn.texts.get(name) or beside.get(name) or text_in_picture(folder.path(name))
        named = parse_name(PurePosixPath(name).stem)
        if text.seed is None and named is not None:
            text = replace(text, seed=named.seed)
        texts[name] = text
    found = _Found(texts=texts)
    words = [text.prompt for text in texts.values() if text.prompt]
    found.prompts = {text: drawn.prompts.get(text, Prompt(text=text)) for text in words}
    if unread:
        found.notices.append(f"{folder.option}: text files that are empty or not UTF-8: {listed(unread)}")
    bare = [name for name, text in texts.items() if not text.prompt]
    if len(bare) == len(texts):
        found.notices.append(
            f"{folder.option}: no picture has a prompt beside or inside it. Name them with prompts=FILE "
            f"({FORM})."
        )
    elif bare:
        found.notices.append(
            f"{folder.option}: {len(bare)} of {pictures(len(texts))} have no prompt beside or inside them, "
            f"the first: {printable(bare[0])}"
        )
    return found


def _texts_beside(folder: PictureFolder) -> tuple[dict[str, PictureText], list[str]]:
    """What the text files of the same stem say, and those that cannot be read."""
    stamps = folder.listing.stamps
    files = {}
    for name in folder.names:
        stem = name[: name.rindex(".")]
        found = (stem + ending for ending in CAPTION_ENDINGS if stamps.get(stem + ending) is not None)
        if (file := next(found, None)) is not None:
            files[name] = file
    wanted = list(dict.fromkeys(files.values()))
    texts = dict(zip(wanted, read_texts(os.fspath(folder.folder), wanted), strict=True))
    unread = [file for file, text in texts.items() if text is None]
    read = {name: text_in_caption(text) for name, file in files.items() if (text := texts[file]) is not None}
    return {name: text for name, text in read.items() if text.prompt}, unread


def _by_entries(folder: PictureFolder, given: PromptList) -> _Found:
    """raises ConfigError for entries without a picture, pictures without an entry, and two entries of one"""
    names = names_within(folder)
    back = {path: name for name, path in names.by_name.items()} | {folder.path(n): n for n in folder.names}
    chosen: dict[str, Entry] = {}
    lost: list[Entry] = []
    problems: list[str] = []
    for entry in given.entries:
        match names.find(entry.picture):
            case []:
                lost.append(entry)
            case [path]:
                name = back[path]
                if name in chosen:
                    problems.append(
                        f"{entry.where}: names {printable(name)} again. Keep one line for each picture."
                    )
                chosen[name] = entry
            case several:
                problems.append(
                    f"{entry.where}: {printable(entry.picture)} fits {len(several)} pictures. "
                    f"Write its path within {folder.option}."
                )
    problems += _unmatched(
        folder, given, lost=lost, bare=[name for name in folder.names if name not in chosen]
    )
    if problems:
        raise ConfigError(problems)
    return _Found(
        texts={
            name: PictureText(prompt=one.prompt.text, seed=_seed(one.seed, name))
            for name, one in chosen.items()
        },
        prompts=given.prompts,
        source=given.where,
    )


def _unmatched(
    folder: PictureFolder, given: PromptList, *, lost: Sequence[Entry], bare: Sequence[str]
) -> list[str]:
    problems = []
    if lost:
        problems.append(
            f"{given.where}: {len(lost)} of {len(given.entries)} prompts name no picture of {folder.option}, "
            f"the first: {printable(lost[0].picture)}. Correct the paths, or take those lines out."
        )
    if bare:
        problems.append(
            f"{given.where}: {len(bare)} of {pictures(len(folder.names))} have no prompt in it, the first: "
            f"{printable(bare[0])}. Add them, or take them out of the folder."
        )
    return problems


def _by_number(folder: PictureFolder, given: PromptList) -> _Found:
    """By the names of the pictures, or in order where there are as many prompts as pictures."""
    named = {name: parse_name(PurePosixPath(name).stem) for name in folder.names}
    places = {name: place for name, place in named.items() if place is not None}
    notices = []
    if not places and len(folder.names) == len(given.numbered):
        places = {name: NamedPlace(prompt_index=at, seed=None) for at, name in enumerate(folder.names)}
        notices.append(
            f"{given.where}: the names of the pictures do not say which prompt is theirs; they were taken "
            f"in order, {printable(folder.names[0])} for the first"
        )
    _refuse_bad_places(folder, given, places)
    texts = {}
    for name, place in places.items():
        one = given.numbered[place.prompt_index]
        texts[name] = PictureText(prompt=one.prompt.text, seed=one.seed if place.seed is None else place.seed)
    return _Found(texts=texts, prompts=given.prompts, notices=notices, source=given.where)


def _refuse_bad_places(folder: PictureFolder, given: PromptList, places: Mapping[str, NamedPlace]) -> None:
    nameless = [name for name in folder.names if name not in places]
    if nameless:
        raise ConfigError(
            f"{given.where}: it is not known which of its {len(given.numbered)} prompts belongs to "
            f"{len(nameless)} of {pictures(len(folder.names))}, the first: {printable(nameless[0])}. "
            f"Name pictures p00_s1.png (prompt 0, seed 1), or give a table {FORM}."
        )
    steps = sorted({place.step for place in places.values() if place.step is not None})
    if len(steps) > 1:
        raise ConfigError(
            f"{folder.option}: holds pictures of {len(steps)} training steps ({listed(steps)}). "
            "Put those of one step into a folder of their own: one model is scored at a time."
        )
    beyond = [name for name, place in places.items() if place.prompt_index >= len(given.numbered)]
    if beyond:
        raise ConfigError(
            f"{given.where}: holds {len(given.numbered)} prompts, counted from 0, and {len(beyond)} of "
            f"{pictures(len(folder.names))} belong to a later one by their names, the first: "
            f"{printable(beyond[0])}. Give the list that they were drawn from."
        )
    used = {place.prompt_index for place in places.values()}
    unused: list[Numbered] = [one for at, one in enumerate(given.numbered) if at not in used]
    if unused:
        raise ConfigError(
            f"{given.where}: {len(unused)} of {len(given.numbered)} prompts have no picture in "
            f"{folder.option}, the first: {printable(unused[0].prompt.text[:60])}. Draw them, or give a "
            f"table {FORM} of what there is."
        )


def _seed(seed: int | None, name: str) -> int | None:
    """As given, else as the name says."""
    named = parse_name(PurePosixPath(name).stem)
    return named.seed if seed is None and named is not None else seed


def _place(folder: PictureFolder, found: _Found) -> dict[str, PromptPlace]:
    by_prompt: defaultdict[str, list[str]] = defaultdict(list)
    for name in folder.names:
        by_prompt[found.texts[name].prompt].append(name)
    places: dict[str, PromptPlace] = {}
    indexes = {text: at for at, text in enumerate(found.prompts)}
    num_renumbered = 0
    for text, index in indexes.items():
        known = {name: found.texts[name].seed for name in by_prompt[text]}
        if twice := _doubled(known):
            if found.source is not None:
                raise ConfigError(_same_seed(found.source, twice, known[twice[0]], text))
            num_renumbered += len(known)
            known = dict.fromkeys(known)
        for name, seed in _fill(known).items():
            places[name] = PromptPlace(prompt_index=index, prompt=text, seed=seed)
    for at, name in enumerate(by_prompt[""], len(indexes)):
        places[name] = PromptPlace(prompt_index=at, prompt="", seed=found.texts[name].seed or 0)
    if num_renumbered:
        found.notices.append(
            f"{folder.option}: {pictures(num_renumbered)} of prompts that have several pictures of one seed: "
            "they are numbered by their place, and cannot be paired by seed"
        )
    return {name: places[name] for name in folder.names}


def _doubled(seeds: Mapping[str, int | None]) -> tuple[str, str] | None:
    """The first two pictures of one seed."""
    seen: dict[int, str] = {}
    for name, seed in seeds.items():
        if seed is not None and seen.setdefault(seed, name) != name:
            return seen[seed], name
    return None


def _same_seed(source: str, names: tuple[str, str], seed: int | None, text: str) -> str:
    one, other = (printable(name) for name in names)
    return (
        f"{source}: {one} and {other} are of one prompt ({printable(text[:60])}) and one seed ({seed}). "
        "Score the pictures of one model at a time, each prompt and seed once."
    )


def _fill(seeds: Mapping[str, int | None]) -> dict[str, int]:
    """With the smallest free numbers where a picture has no seed."""
    taken = {seed for seed in seeds.values() if seed is not None}
    free = (number for number in range(len(seeds) + len(taken)) if number not in taken)
    return {name: next(free) if seed is None else seed for name, seed in seeds.items()}
