"""What a scoring leaves behind: scores.json, values.json and two tables; all of them or none."""

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.errors import ConfigError
from evaluation.material import SETS, Material
from evaluation.maths.statistics import Value, prompt_means, values_by_picture
from evaluation.records import DECIMALS, Scope, Scores, checked, read_scores, scores_text
from evaluation.score import Scored

SCORES, VALUES = "scores.json", "values.json"
PER_IMAGE, PER_PROMPT = "per_image.csv", "per_prompt.csv"
_SCHEMA = 2  # of values.json


@dataclass(kw_only=True, slots=True, frozen=True)
class PictureEntry:
    """A picture as values.json knows it."""

    set_name: str
    prompt_index: int
    prompt: str
    seed: int
    file: str  # as seen from the scored folder
    fault: str | None


@dataclass(kw_only=True, slots=True, frozen=True)
class StoredValues:
    """What values.json holds: what a later comparison needs, to the last bit."""

    pictures: list[PictureEntry]
    values: dict[str, dict[str, list[Value]]]  # metric -> set -> values
    types: dict[int, str]  # prompt index -> type
    root: str = "."  # from its folder to what the names of the pictures are relative to


@dataclass(kw_only=True, slots=True, frozen=True)
class _ValuesFile:
    """StoredValues as the file has it."""

    root: str
    pictures: list[PictureEntry]
    types: dict[int, str]
    values: dict[str, dict[str, list[tuple[int, int | None, float]]]]


def write_outputs(
    scored: Scored,
    folder: Path,
    *,
    pictures: Path | None = None,
    pages: Mapping[Path, str] | None = None,
) -> None:
    """Write all files, scores.json last; what cannot be written leaves the old ones.

    pictures  what the names of the pictures are relative to; None: the folder
    pages     further files to be written with them, as texts
    raises    ConfigError: one of them cannot be written
    """
    root = os.path.relpath(pictures or folder, folder)
    texts = {
        PER_IMAGE: per_image_csv(scored),
        PER_PROMPT: per_prompt_csv(scored),
        VALUES: _values_text(scored, Path(root).as_posix()),
        SCORES: scores_text(scored.scores),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for page in pages or {}:
            page.parent.mkdir(parents=True, exist_ok=True)
        _write_all({**(pages or {}), **{folder / name: text for name, text in texts.items()}})
    except OSError as error:
        raise ConfigError(
            f"{folder}: the scores cannot be written ({error.strerror or error}). Make room or give the "
            "rights, and score again."
        ) from error


def per_image_csv(scored: Scored) -> str:
    """One line a picture: its place, its fault, its value by each metric that has values of pictures."""
    values = {
        metric: {name: values_by_picture(found) for name, found in sets.items()}
        for metric, sets in scored.values.items()
        if any(value.seed is not None for found in sets.values() for value in found)
    }
    rows = []
    for name in SETS:
        for picture in scored.material.pictures.get(name, []):
            key = (picture.prompt_index, picture.seed)
            numbers = [sets.get(name, {}).get(key) for sets in values.values()]
            fault = scored.material.faults.get(picture.path, "")
            place = [name, picture.prompt_index, picture.prompt, picture.seed, picture.file, fault]
            rows.append([*place, *map(_cell, numbers)])
    return _csv(["set", "prompt_index", "prompt", "seed", "file", "fault", *values], rows)


def per_prompt_csv(scored: Scored) -> str:
    """One line a prompt of each set: its mean by each metric; metrics of whole sets have none."""
    whole = {row.metric for row in scored.scores.rows if row.scope is Scope.set}
    material = scored.material
    metrics = [metric for metric in scored.values if metric not in whole]
    rows = []
    for name in SETS:
        means = {metric: prompt_means(scored.values[metric].get(name, [])) for metric in metrics}
        for index, prompt in _prompts(material, name).items():
            known = material.prompts.get(prompt)
            facts = ["", "", ""] if known is None else [known.kind, known.tone or "", known.type or ""]
            numbers = [means[metric].get(index) for metric in metrics]
            rows.append([name, index, prompt, *facts, *map(_cell, numbers)])
    return _csv(["set", "prompt_index", "prompt", "kind", "tone", "type", *metrics], rows)


def read_values(folder: Path) -> StoredValues:
    """The values of a scored folder. ConfigError: none there, or broken."""
    path = folder / VALUES
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.pop("schema", None) != _SCHEMA:
            raise ValueError(f"not of schema {_SCHEMA}")
        read = checked(_ValuesFile, data)
        return StoredValues(
            pictures=read.pictures,
            values={
                metric: {
                    name: [Value(prompt_index=row[0], seed=row[1], value=row[2]) for row in rows]
                    for name, rows in sets.items()
                }
                for metric, sets in read.values.items()
            },
            types=read.types,
            root=read.root,
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: was not scored yet. Score it first.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Score the pictures again.") from error


def read_outputs(folder: Path) -> tuple[Scores, StoredValues]:
    """What write_outputs wrote."""
    values = read_values(folder)
    return read_scores(folder / SCORES), values


def _values_text(scored: Scored, root: str) -> str:
    """Numbers in full: a comparison must not depend on how they are shown."""
    faults = scored.material.faults
    data = {
        "schema": _SCHEMA,
        "root": root,
        "pictures": [
            {
                "set_name": name,
                "prompt_index": picture.prompt_index,
                "prompt": picture.prompt,
                "seed": picture.seed,
                "file": picture.file,
                "fault": faults.get(picture.path),
            }
            for name in SETS
            for picture in scored.material.pictures.get(name, [])
        ],
        "types": scored.material.types(),
        "values": {
            metric: {
                name: [[value.prompt_index, value.seed, value.value] for value in found]
                for name, found in sets.items()
            }
            for metric, sets in scored.values.items()
        },
    }
    return json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n"


def _write_all(texts: Mapping[Path, str]) -> None:
    """Write all files or none: the old ones are kept beside the new until each new one is in its place."""
    end = os.getpid()
    new = {path: path.with_name(f".{path.name}.{end}") for path in texts}
    old = {path: path.with_name(f".{path.name}.{end}.old") for path in texts if path.exists()}
    try:
        for path, text in texts.items():
            new[path].write_text(text, encoding="utf-8", errors="replace", newline="")
        for path, kept in old.items():
            shutil.copyfile(path, kept)
        _put_in_place(new, old)
    finally:
        for path in (*new.values(), *old.values()):
            path.unlink(missing_ok=True)


def _put_in_place(new: Mapping[Path, Path], old: Mapping[Path, Path]) -> None:
    done: list[Path] = []
    try:
        for path, written in new.items():
            written.replace(path)
            done.append(path)
    except BaseException:
        for path in done:
            if path in old:
                old[path].replace(path)
            else:
                path.unlink()
        raise


def _prompts(material: Material, set_name: str) -> Mapping[int, str]:
    return dict(sorted({p.prompt_index: p.prompt for p in material.pictures.get(set_name, [])}.items()))


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.{DECIMALS}f}"


def _csv(head: list[str], rows: list[list[object]]) -> str:
    return "".join(f"{_csv_line(row)}\n" for row in [list[object](head), *rows])


def _csv_line(row: Sequence[object]) -> str:
    """Written as if lines ended in both: else a lone carriage return in a prompt would not be quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n")
