"""base=DIR: the same prompts and seeds drawn without the adapter, paired with the scored pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.config.errors import ConfigError
from engine.data.sentences import pictures, printable
from evaluation.reading.picture_folder import PictureFolder, by_stem
from evaluation.reading.picture_prompts import PromptPlace, assign_prompts
from evaluation.reading.prompt_list import PromptList
from evaluation.reading.reference_folder import count_copies

Key = tuple[str, int]  # prompt and seed


@dataclass(kw_only=True, slots=True, frozen=True)
class BasePictures:
    """The picture without the adapter for each scored one."""

    paths: dict[str, Path]  # by the name of the scored picture
    notices: tuple[str, ...] = ()


def pair_base(
    base: PictureFolder, images: PictureFolder, places: Mapping[str, PromptPlace], given: PromptList | None
) -> BasePictures:
    """By their names without endings where all of these are the same, else by prompt and seed.

    raises  ConfigError for pictures on either side that pair with none
    """
    paths = _by_name(base, images)
    if paths is None:
        numbered = given if given is not None and given.numbered else None
        paths = _by_prompt_and_seed(base, images, places, numbered)
    same = sum(count_copies([images.path(name)], [path]) for name, path in paths.items())
    note = f"{base.option}: {same} of {pictures(len(paths))} are the scored ones, byte for byte"
    return BasePictures(paths=paths, notices=(*base.notices, *((note,) if same else ())))


def _by_name(base: PictureFolder, images: PictureFolder) -> dict[str, Path] | None:
    """None where a name has no partner, or several."""
    theirs, ours = by_stem(base.names), by_stem(images.names)
    if theirs.keys() != ours.keys() or any(len(names) > 1 for names in (*theirs.values(), *ours.values())):
        return None
    return {names[0]: base.path(theirs[stem][0]) for stem, names in ours.items()}


def _by_prompt_and_seed(
    base: PictureFolder,
    images: PictureFolder,
    places: Mapping[str, PromptPlace],
    given: PromptList | None,
) -> dict[str, Path]:
    drawn = assign_prompts(base, given).places
    theirs: dict[Key, str] = {(one.prompt, one.seed): name for name, one in drawn.items() if one.prompt}
    ours: dict[str, Key] = {name: (one.prompt, one.seed) for name, one in places.items()}
    alone = [name for name, key in ours.items() if key not in theirs]
    used = {theirs[key] for key in ours.values() if key in theirs}
    idle = [name for name in base.names if name not in used]
    problems = [
        f"{base.option}: {len(names)} of {pictures(len(all_of_them))} of {where} have no partner of the same "
        f"name or of the same prompt and seed {in_}, the first: {printable(names[0])}."
        for names, all_of_them, where, in_ in (
            (alone, images.names, images.option, "in it"),
            (idle, base.names, "its own", f"in {images.option}"),
        )
        if names
    ]
    if problems:
        raise ConfigError(problems)
    return {name: base.path(theirs[key]) for name, key in ours.items()}
