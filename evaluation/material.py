"""What is scored: the sets of pictures, their prompts, and the true pictures that a manifest names."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from engine.config.errors import ConfigError
from engine.config.sources import Sources
from engine.sampling.prompt_file import Prompt
from evaluation.prompts import strip_trigger

BASE = "base"
FINAL = "final"
REAL = "real"
SETS = (BASE, FINAL, REAL)
PLAIN = "plain"
SCHEMA = 1  # of samples.json and of a manifest


@dataclass(kw_only=True, slots=True, frozen=True)
class ScoredPicture:
    """One picture and where it belongs."""

    set_name: str
    prompt_index: int
    prompt: str
    seed: int  # of a true picture: its place among its prompt's references
    path: Path
    file: str  # as seen from the run folder: how the outputs name it


@dataclass(kw_only=True, slots=True, frozen=True)
class Material:
    """Everything that a metric may read."""

    pictures: Mapping[str, list[ScoredPicture]]  # set -> pictures by (prompt, seed), the faulty ones too
    manifest: Mapping[str, Prompt] = field(default_factory=dict)  # prompt -> what is known about it
    faults: Mapping[Path, str] = field(default_factory=dict)  # faulty pictures and why
    trigger: str | None = None
    class_word: str | None = None

    def healthy(self, set_name: str) -> list[ScoredPicture]:
        """The pictures of a set that metrics look at."""
        return [picture for picture in self.pictures.get(set_name, []) if picture.path not in self.faults]

    def text(self, prompt: str) -> str:
        """What an encoder is asked about a prompt: without trigger words."""
        return strip_trigger(prompt, self.trigger, self.class_word)

    def is_plain(self, prompt: str) -> bool:
        """Whether the manifest says that a prompt has nothing to do with what was taught."""
        return prompt in self.manifest and self.manifest[prompt].kind == PLAIN


def read_run_material(folder: Path, sources: Sources) -> Material:
    """The base and final pictures of a run folder and the true pictures of the same prompts.

    ConfigError: no samples.json, a picture or reference that it names is missing, a broken manifest.
    """
    sets = _read_samples(folder)
    manifest = {} if sources.manifest is None else read_manifest(sources.manifest)
    if not sets[FINAL]:
        raise ConfigError(
            f"run={folder}: has no final pictures to score. Let the run end, with sampling.num_prompts > 0."
        )
    pictures = {**sets, REAL: _true_pictures(sets[FINAL], manifest, folder)}
    _refuse_missing([picture.path for pictures_of_set in pictures.values() for picture in pictures_of_set])
    return Material(
        pictures=pictures, manifest=manifest, trigger=sources.trigger, class_word=sources.class_word
    )


def read_manifest(path: Path) -> dict[str, Prompt]:
    """The prompts of a manifest (prompts.json) by their text. ConfigError: not a manifest, a prompt twice."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
        prompts = [_prompt(row, path.parent) for row in content["prompts"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"evaluation.references={path}: not a manifest ({type(error).__name__}: {error}). It is "
            'a JSON file {"schema": 1, "prompts": [{"prompt": ..., "references": [files]}]}.'
        ) from error
    if schema != SCHEMA:
        raise ConfigError(f"evaluation.references={path}: is of schema {schema}. Use a manifest of schema 1.")
    by_text = {prompt.text: prompt for prompt in prompts}
    if len(by_text) < len(prompts):
        twice = next(prompt.text for prompt in prompts if by_text[prompt.text] is not prompt)
        raise ConfigError(
            f"evaluation.references={path}: holds {twice!r} twice. Put all its references in one row."
        )
    return by_text


def _prompt(row: Mapping[str, object], folder: Path) -> Prompt:
    names = row.get("references", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"references is not a list of files: {names!r}")
    return Prompt(
        text=str(row["prompt"]),
        kind=str(row.get("kind", "concept")),
        references=tuple(folder / name for name in names),
    )


def _read_samples(folder: Path) -> dict[str, list[ScoredPicture]]:
    path = folder / "samples" / "samples.json"
    if not path.is_file():
        raise ConfigError(
            f"run={folder}: holds no samples/samples.json. Give the folder of a run that drew pictures."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ConfigError(f"{path}: is of schema {content['schema']}, not {SCHEMA}. Draw them again.")
        return {name: _set_pictures(folder, name, content["sets"].get(name, [])) for name in (BASE, FINAL)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({type(error).__name__}: {error}). Remove it, and type the run's "
            "command again: that draws the pictures anew."
        ) from error


def _set_pictures(folder: Path, name: str, rows: list[dict[str, object]]) -> list[ScoredPicture]:
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
    drawn: list[ScoredPicture], manifest: Mapping[str, Prompt], folder: Path
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


def _refuse_missing(paths: list[Path]) -> None:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        names = ", ".join(str(path) for path in missing[:3])
        raise ConfigError(f"{len(missing)} pictures to score are missing: {names}. Draw or copy them again.")
