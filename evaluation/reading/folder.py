"""images=DIR: any folder of pictures as material, with what was given beside it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from engine.config.errors import ConfigError
from engine.data.sentences import pictures, printable
from engine.sampling.prompt_file import Prompt
from evaluation.material import BASE, FINAL, REAL, SETS, Material, ScoredPicture
from evaluation.reading.base_folder import BasePictures, pair_base
from evaluation.reading.external_scores import ExternalScores, read_external_scores
from evaluation.reading.picture_folder import (
    PictureFolder,
    PictureNames,
    count_animated,
    note_on_sizes,
    read_picture_folder,
    shown_name,
)
from evaluation.reading.picture_prompts import PicturePrompts, assign_prompts
from evaluation.reading.prompt_list import PromptList, read_prompt_list
from evaluation.reading.reference_folder import (
    References,
    count_twins,
    note_on_equal_bytes,
    read_references,
    references_of,
    refuse_overlap,
)

_T = TypeVar("_T")


@dataclass(kw_only=True, slots=True, frozen=True)
class FolderRequest:
    """What the command line gives beside a folder of pictures."""

    images: Path  # the folder that is scored
    refs: Path | None = None  # true pictures: a folder, or a manifest that names them by prompt
    prompts: Path | None = None  # a table, a JSON file or a list; None: beside or inside the pictures
    base: Path | None = None  # the same prompts and seeds drawn without the adapter
    training: Path | None = None  # what was trained on; None: the references
    external_scores: Path | None = None  # a table of what other programs gave
    trigger: str | None = None  # words that mean nothing to an encoder
    class_word: str | None = None  # what stands for them


def read_folder_material(request: FolderRequest) -> Material:
    """The pictures, their prompts, partners and references; no picture is decoded.

    raises  ConfigError with what is wrong with any of the folders and files
    """
    problems = _idle_words(request)
    images = _tried(problems, lambda: read_picture_folder(request.images, "images"))
    given = _tried(problems, lambda: _given_prompts(request.prompts))
    references = _tried(problems, lambda: _references(request.refs, images))
    training = _tried(problems, lambda: _other_folder(request.training, "training", images))
    base = _tried(problems, lambda: _other_folder(request.base, "base", images))
    if problems or images is None:
        raise ConfigError(problems)
    drawn = assign_prompts(images, given)
    paired = None if base is None else pair_base(base, images, drawn.places, given)
    true = references or _named_by(given)
    material = _material(images, drawn, paired, true)
    material = replace(
        material,
        training=list(training.paths if training else true.paths if true else ()),
        trigger=request.trigger,
        class_word=request.class_word,
        notices=(
            *material.notices,
            *_notes_on_pictures(images, material),
            *_notes_on_words(request, material),
            *_notes_on_others(material, true, training),
        ),
    )
    return (
        material
        if request.external_scores is None
        else add_external_scores(material, request.external_scores, folder=request.images)
    )


def add_external_scores(material: Material, file: Path, *, folder: Path) -> Material:
    """The material with the scores that another program gave; its faulty pictures need none.

    folder  what the paths of the file are relative to: a folder of pictures, or a run's
    raises  ConfigError
    """
    from evaluation.metrics.table import METRICS

    by_name = {
        name: picture.path
        for set_name in (REAL, BASE, FINAL)
        for picture in material.pictures.get(set_name, [])
        for name in dict.fromkeys((picture.file, picture.file.removeprefix("samples/")))
    }
    scores: Mapping[str, ExternalScores] = read_external_scores(
        file,
        PictureNames(folder=folder, by_name=by_name),
        scored=[[picture.path for picture in material.healthy(name)] for name in (FINAL, BASE, REAL)],
        taken=METRICS,
    )
    return replace(material, external=scores)


def _idle_words(request: FolderRequest) -> list[str]:
    if request.class_word is None or request.trigger is not None:
        return []
    return [
        f"class_word={request.class_word}: stands for trigger words, and none are given. Give trigger too."
    ]


def _tried(problems: list[str], read: Callable[[], _T]) -> _T | None:
    """What is read, or None and its problems: all that is wrong is said at once."""
    try:
        return read()
    except ConfigError as error:
        problems += error.problems
        return None


def _given_prompts(path: Path | None) -> PromptList | None:
    return None if path is None else read_prompt_list(path)


def _references(source: Path | None, images: PictureFolder | None) -> References | None:
    if source is None:
        return None
    if images is not None:
        refuse_overlap(images, source, "refs")
    return read_references(source)


def _other_folder(folder: Path | None, option: str, images: PictureFolder | None) -> PictureFolder | None:
    if folder is None:
        return None
    if images is not None:
        refuse_overlap(images, folder, option)
    return read_picture_folder(folder, option)


def _named_by(given: PromptList | None) -> References | None:
    """The references of a manifest that was given for its prompts."""
    if given is None or not any(prompt.references for prompt in given.prompts.values()):
        return None
    return references_of(given.prompts.values(), given.where)


def _material(
    images: PictureFolder, drawn: PicturePrompts, base: BasePictures | None, true: References | None
) -> Material:
    final = sorted(
        (
            ScoredPicture(
                set_name=FINAL,
                prompt_index=place.prompt_index,
                prompt=place.prompt,
                seed=place.seed,
                path=images.path(name),
                file=shown_name(name),
            )
            for name, place in drawn.places.items()
        ),
        key=lambda picture: (picture.prompt_index, picture.seed),
    )
    sets = {FINAL: final, BASE: [], REAL: []}
    if base is not None:
        by_file = {shown_name(name): path for name, path in base.paths.items()}
        sets[BASE] = [_beside(one, BASE, by_file[one.file], images) for one in final]
    paired = true.by_prompt if true is not None else {}
    sets[REAL] = _true_pictures(final, paired, images)
    if paired and not sets[REAL]:
        assert true is not None, "it is what is paired"
        raise ConfigError(
            f"{true.where}: none of its {len(paired)} prompts is a prompt of the pictures. Correct the "
            "prompts, or give refs=DIR, pictures of no particular prompt."
        )
    prompts = {text: _known(prompt, paired) for text, prompt in drawn.prompts.items()}
    return Material(
        pictures={name: sets[name] for name in SETS},
        prompts=prompts,
        references=() if true is None else true.unpaired,
        notices=(*images.notices, *drawn.notices, *(base.notices if base else ())),
    )


def _known(prompt: Prompt, paired: Mapping[str, Prompt]) -> Prompt:
    """What its own file says; of a prompt that was only found, what the manifest of references says."""
    return paired.get(prompt.text, prompt) if prompt == Prompt(text=prompt.text) else prompt


def _beside(picture: ScoredPicture, set_name: str, path: Path, images: PictureFolder) -> ScoredPicture:
    return replace(picture, set_name=set_name, path=path, file=_seen_from(path, images))


def _true_pictures(
    final: Sequence[ScoredPicture], paired: Mapping[str, Prompt], images: PictureFolder
) -> list[ScoredPicture]:
    first = {picture.prompt_index: picture for picture in reversed(final)}
    return [
        replace(_beside(picture, REAL, path, images), seed=place)
        for _, picture in sorted(first.items())
        if picture.prompt in paired
        for place, path in enumerate(paired[picture.prompt].references)
    ]


def _seen_from(path: Path, images: PictureFolder) -> str:
    return shown_name(Path(os.path.relpath(path, images.folder)).as_posix())


def _notes_on_pictures(images: PictureFolder, material: Material) -> list[str]:
    final = material.pictures[FINAL]
    notices = []
    if (bare := sum(not picture.prompt for picture in final)) and len(final) > 1:
        notices.append(
            f"{images.option}: {pictures(bare)} without a prompt: each counts as a prompt of its own; if "
            "several were drawn from one, the intervals are too narrow"
        )
    if note := note_on_sizes(images):
        notices.append(note)
    if num := count_animated(images):
        notices.append(
            f"{images.option}: {num} of {pictures(len(final))} are animated: the first frame is scored"
        )
    if len(final) == 1:
        notices.append(f"{images.option}: holds 1 picture: its scores have no interval")
    elif len({picture.prompt_index for picture in final}) == 1:
        notices.append(
            f"{images.option}: all {pictures(len(final))} are of one prompt: scores have no interval"
        )
    if num := count_twins(images.paths):
        notices.append(
            f"{images.option}: {num} of {pictures(len(final))} have the bytes of another one, and count "
            "beside it"
        )
    return notices


def _notes_on_words(request: FolderRequest, material: Material) -> list[str]:
    phrases = [phrase.strip().lower() for phrase in (request.trigger or "").split(",") if phrase.strip()]
    if not phrases or any(phrase in prompt.lower() for phrase in phrases for prompt in material.prompts):
        return []
    return [f"trigger={printable(str(request.trigger))}: no prompt of the pictures holds it"]


def _notes_on_others(
    material: Material, true: References | None, training: PictureFolder | None
) -> list[str]:
    """raises ConfigError where the references are the pictures"""
    notices: list[str] = []
    final = material.pictures[FINAL]
    if true is not None:
        notices += true.notices
        if note := note_on_equal_bytes([picture.path for picture in final], true.paths, true.where):
            notices.append(note)
        if training is None:
            notices.append(f"training is not given: copies are looked for among {true.where}")
        unused = true.by_prompt.keys() - {picture.prompt for picture in final}
        if unused:
            notices.append(
                f"{true.where}: {len(unused)} of its {len(true.by_prompt)} prompts are not of the pictures"
            )
    if training is not None:
        notices += training.notices
    return notices
