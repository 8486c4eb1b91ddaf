"""The pictures of a run folder as material: what base and result drew, true pictures, training pictures."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from engine.compose.record import RunRecord, read_run_yaml, run_from_record
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from engine.data.layouts import scan_dataset
from engine.sampling.prompt_file import Prompt, read_manifest_prompts
from evaluation.material import BASE, FINAL, REAL, Material, ScoredPicture
from evaluation.reading.folder import add_external_scores
from evaluation.reading.losses_file import read_losses
from evaluation.reading.picture_folder import read_picture_folder
from evaluation.reading.reference_folder import read_references

_SCHEMAS = (1, 2)  # of samples.json; in 1 prompts are texts alone


@dataclass(kw_only=True, slots=True, frozen=True)
class Given:
    """What is given beside a run, in place of what it knows itself."""

    refs: Path | None = None  # true pictures: a folder, or a manifest that names them by prompt
    training: Path | None = None  # the pictures that were trained on
    external_scores: Path | None = None  # a table of what other programs gave

    def problems(self) -> list[str]:
        """What is wrong with the folders, one sentence each; no picture is read."""
        found: list[str] = []
        if self.refs is not None:
            found += _problems_of(partial(read_references, self.refs))
        if self.training is not None:
            found += _problems_of(partial(read_picture_folder, self.training, "training"))
        return found


def _problems_of(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except ConfigError as error:
        return list(error.problems)
    return []


def read_run_material(
    folder: Path, sources: Sources, *, drawn: Path | None = None, given: Given | None = None
) -> Material:
    """The base and final pictures of a run, true pictures of the same prompts, and what it was trained on.

    drawn   a folder with samples/ in place of the run's own: the same run, drawn for another preset
    raises  ConfigError for no samples.json, a picture or reference that it names and that is missing, a
            broken manifest
    """
    drawn, given = drawn or folder, given or Given()
    sets, told = _read_samples(drawn)
    if not sets[FINAL]:
        raise ConfigError(
            f"run={folder}: has no final pictures to score. Let the run end, with sampling.num_prompts > 0."
        )
    is_folder = sources.manifest is not None and sources.manifest.is_dir()
    source = given.refs or (sources.manifest if is_folder else None)
    refs = None if source is None else read_references(source)
    manifest = read_manifest(sources.manifest) if refs is None else refs.by_prompt
    real = _true_pictures(sets[FINAL], manifest, drawn)
    if refs is not None and refs.by_prompt and not real:
        raise ConfigError(
            f"{refs.where}: none of its {len(refs.by_prompt)} prompts is a prompt of the pictures. Correct "
            "the prompts, or give refs=DIR, pictures of no particular prompt."
        )
    _refuse_missing([picture.path for of_set in (*sets.values(), real) for picture in of_set])
    learnt, held_out, notices = _learnt_pictures(folder)
    if given.training is not None:
        learnt, held_out, notices = read_picture_folder(given.training, "training").paths, [], ()
    true = learnt if refs is None else list(refs.unpaired)
    material = Material(
        pictures={**sets, REAL: real},
        prompts={**told, **manifest},
        references=true,
        held_out=held_out if refs is None else [],
        training=learnt,
        losses=read_losses(folder),
        trigger=sources.trigger,
        class_word=sources.class_word,
        notices=notices,
    )
    if given.external_scores is None:
        return material
    return add_external_scores(material, given.external_scores, folder=drawn)


def read_manifest(path: Path | None) -> dict[str, Prompt]:
    """The prompts of a manifest (prompts.json) by their text; none without one.

    raises  ConfigError: not a manifest, a prompt twice
    """
    if path is None:
        return {}
    return {prompt.text: prompt for prompt in read_manifest_prompts(path)}


def _read_samples(folder: Path) -> tuple[dict[str, list[ScoredPicture]], dict[str, Prompt]]:
    path = folder / "samples" / "samples.json"
    if not path.is_file():
        raise ConfigError(
            f"run={folder}: holds no samples/samples.json. Give the folder of a run that drew pictures."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] not in _SCHEMAS:
            raise ConfigError(
                f"{path}: is of schema {content['schema']}, not {_SCHEMAS[-1]}. Draw them again."
            )
        sets = {name: _set_pictures(folder, name, content["sets"].get(name, [])) for name in (BASE, FINAL)}
        return sets, _known_prompts(content["prompts"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({type(error).__name__}: {error}). Remove it, and type the run's "
            "command again: that draws the pictures anew."
        ) from error


def _known_prompts(rows: Sequence[object]) -> dict[str, Prompt]:
    """What samples.json tells of the prompts; nothing where they are texts alone."""
    known = [
        Prompt(
            text=str(row["prompt"]),
            kind=str(row["kind"]),
            tone=cast("str | None", row["tone"]),
            type=cast("str | None", row["type"]),
        )
        for row in rows
        if isinstance(row, Mapping)
    ]
    return {prompt.text: prompt for prompt in known}


def _set_pictures(folder: Path, name: str, rows: Sequence[Mapping[str, object]]) -> list[ScoredPicture]:
    pictures = [
        ScoredPicture(
            set_name=name,
            prompt_index=cast(int, row["prompt_index"]),
            prompt=str(row["prompt"]),
            seed=cast(int, row["seed"]),
            path=folder / "samples" / str(row["file"]),
            file=f"samples/{row['file']}",
        )
        for row in rows
    ]
    return sorted(pictures, key=lambda picture: (picture.prompt_index, picture.seed))


def _true_pictures(
    drawn: Sequence[ScoredPicture], manifest: Mapping[str, Prompt], folder: Path
) -> list[ScoredPicture]:
    prompts = {picture.prompt_index: picture.prompt for picture in drawn}
    return [
        ScoredPicture(
            set_name=REAL,
            prompt_index=index,
            prompt=prompt,
            seed=place,
            path=path,
            file=Path(os.path.relpath(path, folder)).as_posix(),
        )
        for index, prompt in sorted(prompts.items())
        if prompt in manifest
        for place, path in enumerate(manifest[prompt].references)
    ]


def _learnt_pictures(folder: Path) -> tuple[list[Path], list[Path], tuple[str, ...]]:
    """What the run was trained on and what it held out, as its record says; what is gone by now is said."""
    record = _record(folder)
    if record is None:
        return [], [], ("there is no run.yaml, so the pictures that were trained on are not known",)
    try:
        scan = scan_dataset(run_from_record(record).dataset, record.sources.pictures)
    except ConfigError as error:
        return [], [], (f"the pictures that were trained on cannot be read: {error.problems[0]}",)
    if scan.problems:
        return [], [], (f"the pictures that were trained on cannot be read: {scan.problems[0]}",)
    own = [picture for picture in scan.pictures if not picture.is_reg]
    learnt = [picture.path for picture in own if not picture.held_out]
    return learnt, [picture.path for picture in own if picture.held_out], ()


def _record(folder: Path) -> RunRecord | None:
    return read_run_yaml(folder) if (folder / "run.yaml").is_file() else None


def _refuse_missing(paths: Sequence[Path]) -> None:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        names = ", ".join(str(path) for path in missing[:3])
        raise ConfigError(
            f"pictures to score are missing ({len(missing)}): {names}. Draw or copy them again."
        )
