"""Scored folders side by side: paired differences by (prompt, seed), and what is told from noise."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from engine.config.errors import ConfigError
from evaluation.material import FINAL
from evaluation.maths.statistics import Value, paired_difference, summarise
from evaluation.outputs import PictureEntry, StoredValues, read_outputs
from evaluation.records import Difference, Direction, Measurement, Scope, Score, Scores

_NUM_SHOWN = 3


@dataclass(kw_only=True, slots=True, frozen=True)
class Compared:
    """A scored folder in a comparison."""

    name: str
    folder: Path  # of its outputs
    pictures: Path  # what the names of its pictures are relative to
    scores: Scores
    stored: StoredValues


@dataclass(kw_only=True, slots=True, frozen=True)
class ComparedMetric:
    """A metric over all folders, the best first."""

    row: Score  # of one of the folders: title, direction, scale
    measurements: Mapping[str, Measurement]  # name -> over the pairs that all folders have, best first
    steps: Sequence[Difference]  # each folder minus the next worse one
    missing: Mapping[str, str]  # name -> why the metric was not measured there

    @property
    def is_separated(self) -> bool:
        """Whether every step stands out of the noise."""
        return bool(self.steps) and all(
            step.low is not None and step.high is not None and not step.low <= 0 <= step.high
            for step in self.steps
        )


@dataclass(kw_only=True, slots=True, frozen=True)
class Comparison:
    """What python -m evaluation compare=[A,B] finds."""

    folders: list[Compared]
    metrics: list[ComparedMetric]
    num_pairs: int  # (prompt, seed) that all folders have
    notices: list[str]  # what a reader must know before one is held against another


def compare_folders(folders: Sequence[Path]) -> Comparison:
    """The folders' scored pictures, paired by (prompt, seed).

    raises  ConfigError: not scored, other prompts or seeds, other encoders, a folder given twice
    """
    _refuse_doubled(folders)
    compared = _read(folders)
    problems = _unmatched(compared) + _other_encoders(compared)
    if problems:
        raise ConfigError(problems)
    aligned = _aligned(compared)
    keys = {(picture.prompt, picture.seed) for picture in _pictures(compared[0].stored)}
    return Comparison(
        folders=compared,
        metrics=_metrics(compared, aligned),
        num_pairs=len(keys),
        notices=_notices(compared),
    )


def _read(folders: Sequence[Path]) -> list[Compared]:
    found, problems = [], []
    names = short_names(folders)
    for name, folder in zip(names, folders, strict=True):
        try:
            outputs = scored_folder(folder)
            scores, stored = read_outputs(outputs)
            pictures = Path(os.path.normpath(outputs / stored.root))
            found.append(Compared(name=name, folder=outputs, pictures=pictures, scores=scores, stored=stored))
        except ConfigError as error:
            problems += [f"compare: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return found


def scored_folder(folder: Path) -> Path:
    """Where the outputs of a folder lie: in it, or below it where its pictures are somebody's own.

    raises  ConfigError: no such folder
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder.")
    own = folder / "evaluation"
    return own if not (folder / "values.json").is_file() and (own / "values.json").is_file() else folder


def short_names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell the folders apart; what all end in is left out."""
    parts = [folder.absolute().parts for folder in folders]
    while len({part[-1] for part in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [part[:-1] for part in parts]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _refuse_doubled(folders: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        place = (scored_folder(folder) if folder.is_dir() else folder).resolve()
        if place in seen:
            raise ConfigError(f"compare: {folder} is given twice. Give different folders.")
        seen.add(place)


def _unmatched(compared: Sequence[Compared]) -> list[str]:
    """Only the same prompts and seeds can be paired, and only pairs tell few pictures from noise."""
    first = compared[0]
    wanted = {(picture.prompt, picture.seed) for picture in _pictures(first.stored)}
    problems = []
    for other in compared[1:]:
        keys = {(picture.prompt, picture.seed) for picture in _pictures(other.stored)}
        if keys != wanted:
            odd = sorted(keys ^ wanted)[:_NUM_SHOWN]
            shown = "; ".join(f"{prompt!r}, seed {seed}" for prompt, seed in odd)
            problems.append(
                f"compare: {first.name} and {other.name} were not drawn for the same prompts and seeds "
                f"({len(keys & wanted)} in common, {len(keys ^ wanted)} in one of them only: {shown}). "
                "Score both on the same ones; of runs: python -m evaluation run=... preset=sweep for each."
            )
    unnamed = [one.name for one in compared if any(not picture.prompt for picture in _pictures(one.stored))]
    if unnamed:
        problems.append(
            f"compare: prompts of {', '.join(unnamed)} are not known, so its pictures cannot be paired. "
            "Score it again with prompts=FILE."
        )
    return problems


def _other_encoders(compared: Sequence[Compared]) -> list[str]:
    first = compared[0]
    return [
        f"compare: {first.name} and {other.name} were scored by different encoders ({role}: "
        f"{first.scores.encoders[role].name} and {other.scores.encoders[role].name}). Score both with one."
        for other in compared[1:]
        for role in sorted(first.scores.encoders.keys() & other.scores.encoders.keys())
        if (first.scores.encoders[role].fingerprint, first.scores.encoders[role].preprocessing)
        != (other.scores.encoders[role].fingerprint, other.scores.encoders[role].preprocessing)
    ]


def _notices(compared: Sequence[Compared]) -> list[str]:
    notices = []
    if len({one.scores.config_hash for one in compared}) > 1:
        notices.append(
            "not all were scored against the same (other references, trigger words, kinds of prompts or "
            "encoders): what is measured with those is not to be held against each other"
        )
    broken = [one.name for one in compared if one.scores.excluded]
    if broken:
        notices.append(
            f"broken pictures were left out of {', '.join(broken)}: their pairs count in health alone, and "
            "metrics of whole sets are of what each has"
        )
    return notices


def _pictures(stored: StoredValues) -> list[PictureEntry]:
    return [picture for picture in stored.pictures if picture.set_name == FINAL]


def _aligned(compared: Sequence[Compared]) -> list[dict[str, list[Value]]]:
    """Each folder's values by metric, with the prompt indexes of the first folder."""
    indexes = {picture.prompt: picture.prompt_index for picture in _pictures(compared[0].stored)}
    aligned = []
    for one in compared:
        own = {picture.prompt_index: indexes[picture.prompt] for picture in _pictures(one.stored)}
        aligned.append(
            {
                metric: [
                    replace(value, prompt_index=own.get(value.prompt_index, value.prompt_index))
                    for value in sets.get(FINAL, [])
                ]
                for metric, sets in one.stored.values.items()
            }
        )
    return aligned


def _metrics(
    compared: Sequence[Compared], aligned: Sequence[Mapping[str, list[Value]]]
) -> list[ComparedMetric]:
    names = list(dict.fromkeys(row.metric for one in compared for row in one.scores.rows))
    types = compared[0].stored.types
    found = []
    for metric in names:
        rows = {one.name: _row(one.scores, metric) for one in compared}
        row = next(row for row in rows.values() if row is not None)
        there = {
            one.name: values[metric]
            for one, values in zip(compared, aligned, strict=True)
            if values.get(metric)
        }
        missing = {
            name: (one.skipped if one is not None else None) or "not measured"
            for name, one in rows.items()
            if name not in there
        }
        for name in _of_other_pictures(there, rows):
            del there[name]
            missing[name] = "measured on other validation pictures or timesteps"
        if there:
            found.append(_ranked(row, _common(there), types, missing, rows))
        elif wholes := {name: one.final for name, one in rows.items() if one is not None and one.final}:
            order = sorted(wholes, key=lambda name: _sign(row) * wholes[name].value)
            ranked = {name: wholes[name] for name in order}
            left = {name: why for name, why in missing.items() if name not in wholes}
            found.append(ComparedMetric(row=row, measurements=ranked, steps=[], missing=left))
    return found


def _of_other_pictures(values: Mapping[str, list[Value]], rows: Mapping[str, Score | None]) -> list[str]:
    """Folders whose values are of no prompt, and of other pictures or timesteps than the first folder's."""
    if not any(value.prompt_index < 0 for of_one in values.values() for value in of_one):
        return []
    notes = {name: row.note for name in values if (row := rows[name]) is not None}
    first = next(iter(notes.values()))
    return [name for name, note in notes.items() if note != first]


def _common(values: Mapping[str, list[Value]]) -> dict[str, list[Value]]:
    """Only the pairs that all have: what is faulty in one folder counts in none."""
    keys = [{(value.prompt_index, value.seed) for value in of_one} for of_one in values.values()]
    shared = set.intersection(*keys)
    return {
        name: [value for value in of_one if (value.prompt_index, value.seed) in shared]
        for name, of_one in values.items()
    }


def _ranked(
    row: Score,
    values: Mapping[str, list[Value]],
    types: Mapping[int, str],
    missing: Mapping[str, str],
    rows: Mapping[str, Score | None],
) -> ComparedMetric:
    types = {} if row.scope is Scope.set else types  # a prompt's part in a whole knows no types
    measured, wholes = {}, {}
    for name, of_one in values.items():
        own = rows[name]
        wholes[name] = own.final.value if row.scope is Scope.set and own is not None and own.final else None
        summary = summarise(of_one, types=types, whole=wholes[name])
        if summary is not None:
            measured[name] = summary
    order = sorted(measured, key=lambda name: _sign(row) * measured[name].value)
    steps = [
        paired_difference(
            values[better],
            values[worse],
            direction=row.direction,
            types=types,
            whole=_change(wholes[better], wholes[worse]),
        )
        for better, worse in pairwise(order)
    ]
    return ComparedMetric(
        row=row,
        measurements={name: measured[name] for name in order},
        steps=[step for step in steps if step is not None],
        missing=missing,
    )


def _sign(row: Score) -> int:
    return -1 if row.direction is Direction.higher else 1


def _change(better: float | None, worse: float | None) -> float | None:
    return None if better is None or worse is None else better - worse


def _row(scores: Scores, metric: str) -> Score | None:
    return next((row for row in scores.rows if row.metric == metric), None)
