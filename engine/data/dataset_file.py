"""A file of datasets and their subsets, kohya's TOML or JSON or our YAML, with every value settled."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.config import ConfigError
from engine.data.file_content import read_content
from engine.data.file_keys import (
    Dialect,
    Rule,
    SubsetKind,
    dataset_rules,
    fall_back,
    general_rules,
    nearest,
    required_keys,
    shown,
    stated_kind,
    subset_rules,
    table_problems,
)


@dataclass(kw_only=True, slots=True, frozen=True)
class FileSubset:
    """Pictures that are treated alike; every value is settled."""

    source: str  # how a sentence names it: "photos.toml, [[datasets]] 1, subset 2"
    kind: SubsetKind = SubsetKind.dreambooth
    stated: frozenset[str] = frozenset()  # keys of its own table
    image_dir: Path | None = None  # folder of pictures, from the working folder; None only with metadata
    metadata_file: Path | None = None  # kind metadata: captions by picture
    mask_dir: Path | None = None  # a mask for each picture
    class_tokens: str | None = None  # caption of pictures without a caption file
    caption_extension: tuple[str, ...] = (".caption", ".txt")  # first found is read
    num_repeats: int = 1  # times that each picture is seen in an epoch; >= 1
    is_reg: bool = False  # regularisation pictures
    shuffle_caption: bool = False
    caption_separator: str = ","
    secondary_separator: str | None = None
    keep_tokens: int = 0
    keep_tokens_separator: str | None = None
    caption_prefix: str | None = None
    caption_suffix: str | None = None
    enable_wildcard: bool = False
    caption_dropout_rate: float = 0.0
    caption_dropout_every_n_epochs: int = 0
    caption_tag_dropout_rate: float = 0.0
    token_warmup_min: int = 1
    token_warmup_step: float = 0.0
    flip_aug: bool = False
    color_aug: bool = False
    random_crop: bool = False
    face_crop_aug_range: tuple[float, float] | None = None  # smallest and largest crop, in sizes of the face
    alpha_mask: bool = False  # the loss counts where the picture is opaque
    resize_interpolation: str | None = None  # one of INTERPOLATIONS; None = by the size
    validation_split: float = 0.0  # share of the pictures that is kept for validation
    validation_seed: int | None = None
    cache_info: bool = False  # kohya keeps captions and sizes in a file; changes no result
    custom_attributes: Mapping[str, object] | None = None  # diff_output_preservation


@dataclass(kw_only=True, slots=True, frozen=True)
class FileDataset:
    """Subsets that share buckets and batches; every value is settled."""

    source: str  # "photos.toml, [[datasets]] 1"
    kind: SubsetKind
    stated: frozenset[str]  # keys of its own table and of the general one
    subsets: tuple[FileSubset, ...]  # without duplicates and those repeated less than once
    resolution: tuple[int, int]  # width, height in pixels
    batch_size: int = 1
    enable_bucket: bool = False
    min_bucket_reso: int = 256  # pixels
    max_bucket_reso: int = 1024  # pixels
    bucket_reso_steps: int = 64  # pixels
    bucket_no_upscale: bool = False
    network_multiplier: float = 1.0  # strength of the network while it learns from this dataset


@dataclass(kw_only=True, slots=True, frozen=True)
class DatasetFile:
    """A dataset file, read and checked; no folder has been looked at."""

    path: Path
    datasets: tuple[FileDataset, ...]
    stated: frozenset[str]  # keys that the file states anywhere; they win over defaults
    notes: tuple[str, ...]  # sentences for the plan: subsets that are left out


def read_dataset_file(
    path: Path, dialect: Dialect, *, defaults: Mapping[str, object] | None = None
) -> DatasetFile:
    """A dataset file with its values settled: subset > dataset > general > defaults > kohya's default.

    defaults  values that hold where the file says nothing, by the names and types of the file's keys
    raises    ConfigError with a sentence for each problem, naming file, table and key
    Source: kohya sd-scripts 0.10.1, config_util. As strict; and what it lets pass in silence is refused:
    true for a number, numbers out of range, a dataset without subsets or with nothing but regularisation.
    Without caption_extension both .caption and .txt are read (kohya: .caption, so that .txt went unseen).
    """
    return _File(path, dialect, defaults or {}).dataset()


class _File:
    """One dataset file while it is read; problems are collected and raised together."""

    def __init__(self, path: Path, dialect: Dialect, defaults: Mapping[str, object]) -> None:
        self._path = path
        self._dialect = dialect
        self._content = read_content(path, dialect)
        self._defaults = defaults
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._stated: set[str] = set()

    def dataset(self) -> DatasetFile:
        """raises ConfigError"""
        general = self._general()
        general_is_right = not self._problems
        tables = self._tables(self._content, "datasets", str(self._path))
        if self._content.get("datasets", []) == []:
            self._problems.append(
                f"{self._path}: no {self._dialect.dataset}. Add one with {self._dialect.subset} in it."
            )
        read = []
        for number, table in tables:
            source, before = f"{self._path}, {self._dialect.dataset} {number}", len(self._problems)
            self._check_dataset(table, general, source)
            if general_is_right and len(self._problems) == before:
                read.append(self._dataset(table, general, source))
        if self._problems:
            raise ConfigError(self._problems)
        return DatasetFile(
            path=self._path,
            datasets=tuple(read),
            stated=frozenset(self._stated),
            notes=tuple(self._notes),
        )

    def _general(self) -> Mapping[str, object]:
        """What [general] states; empty where it is no table."""
        tables = f"{self._dialect.general} and {self._dialect.dataset}"
        for key, value in self._content.items():
            if key not in ("general", "datasets"):
                meant = nearest(key, ["general", "datasets"])
                hint = f"did you mean {meant}?" if meant else f"there are {tables}"
                self._problems.append(f"{self._path}: {key}={shown(value)}: unknown table ({hint}).")
        general = self._content.get("general", {})
        if not isinstance(general, dict):
            self._problems.append(
                f"{self._path}: general={shown(general)}: this is a table. Write {self._dialect.general}."
            )
            return {}
        self._check(general, general_rules(self._dialect), f"{self._path}, {self._dialect.general}")
        return general

    def _check_dataset(self, table: Mapping[str, object], general: Mapping[str, object], source: str) -> None:
        subsets = self._tables(table, "subsets", source)
        if table.get("subsets", []) == []:
            self._problems.append(f"{source}: no subset. Add {self._dialect.subset} with image_dir.")
        kinds: dict[SubsetKind, list[int]] = {}
        for number, subset in subsets:
            kind = stated_kind(subset, self._dialect)
            kinds.setdefault(kind, []).append(number)
            self._check(subset, subset_rules(kind, self._dialect), f"{source}, subset {number}")
            self._problems += [
                f'{source}, subset {number}: {key} is missing. Add {key}{self._dialect.is_}"...".'
                for key in required_keys(kind, self._dialect)
                if key not in subset
            ]
        if len(kinds) > 1:
            mixed = " and ".join(f"{kind.name} ({_numbers(found)})" for kind, found in kinds.items())
            self._problems.append(
                f"{source}: its subsets are of several kinds: {mixed}. Give each kind its own "
                f"{self._dialect.dataset}."
            )
        rules = {
            key: rule
            for kind in kinds or SubsetKind
            for key, rule in dataset_rules(kind, self._dialect).items()
        }
        self._check({key: value for key, value in table.items() if key != "subsets"}, rules, source)
        if not fall_back(["resolution"], [table, general, self._defaults]):
            self._problems.append(
                f"{source}: resolution is missing. Write resolution{self._dialect.is_}512 "
                f"(or [width, height]) here or in {self._dialect.general}."
            )

    def _check(self, table: Mapping[str, object], rules: Mapping[str, Rule], source: str) -> None:
        self._stated.update(table)
        self._problems += [f"{source}: {problem}" for problem in table_problems(table, rules, self._dialect)]

    def _tables(
        self, parent: Mapping[str, object], key: str, source: str
    ) -> list[tuple[int, Mapping[str, object]]]:
        """The tables of a list of tables, numbered from 1; what is no table becomes a problem."""
        header = self._dialect.dataset if key == "datasets" else self._dialect.subset
        value = parent.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            hint = f"each one as {header}" if self._dialect.is_kohyas else f"{header} with a dash for each"
            self._problems.append(f"{source}: {key} is no list of tables. Write {hint}.")
            return []
        return list(enumerate(value, start=1))

    def _dataset(self, table: Mapping[str, Any], general: Mapping[str, object], source: str) -> FileDataset:
        """A table that has been checked."""
        levels = (table, general, self._defaults)
        kind = stated_kind(table["subsets"][0], self._dialect)
        subsets = [
            self._subset((own, *levels), kind, f"{source}, subset {number}")
            for number, own in enumerate(table["subsets"], start=1)
        ]
        used = self._used(subsets)
        if all(subset.is_reg for subset in used):
            left = "only regularisation pictures are" if used else "nothing is"
            self._problems.append(
                f"{source}: {left} left to train on. Add a subset, or correct its num_repeats."
            )
        return FileDataset(
            source=source,
            kind=kind,
            stated=frozenset(table) | frozenset(general),
            subsets=tuple(used),
            **_settled(_DATASET_FIELDS, levels),
        )

    def _subset(self, levels: Sequence[Mapping[str, object]], kind: SubsetKind, source: str) -> FileSubset:
        names = set(subset_rules(kind, self._dialect)) | {"validation_split", "validation_seed"}
        masks = fall_back([self._dialect.masks], levels)
        own = _settled([name for name in _SUBSET_FIELDS if name in names], levels)
        if masks:
            own["mask_dir"] = Path(str(masks[self._dialect.masks]))
        return FileSubset(source=source, kind=kind, stated=frozenset(levels[0]), **own)

    def _used(self, subsets: Sequence[FileSubset]) -> list[FileSubset]:
        """Without duplicates and subsets that are repeated less than once, which are noted."""
        used: dict[tuple[str, ...], FileSubset] = {}
        for subset in subsets:
            key = _identity(subset)
            if subset.num_repeats < 1:
                self._notes.append(f"{subset.source}: left out, num_repeats={subset.num_repeats}")
            elif key in used:
                self._notes.append(f"{subset.source}: left out, the same pictures as {used[key].source}")
            else:
                used[key] = subset
        return list(used.values())


def _settled(names: Sequence[str], levels: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """The values of the fields that any level states, in the types of the fields."""
    values: dict[str, Any] = fall_back(names, levels)
    for name, value in values.items():
        if name in _PATHS:
            values[name] = Path(value)
        elif name == "resolution":
            values[name] = (value, value) if isinstance(value, int) else tuple(value)
        elif name == "caption_extension":
            endings = [value] if isinstance(value, str) else value
            values[name] = tuple(e if e.startswith(".") or not e else f".{e}" for e in endings)
        elif name == "face_crop_aug_range":
            values[name] = tuple(value)
        elif name in _EMPTY_IS_NONE and not value:
            values[name] = None
    return values


def _identity(subset: FileSubset) -> tuple[str, ...]:
    """What two subsets share when they are the same pictures, however their paths are written."""
    metadata = subset.kind is SubsetKind.metadata
    paths = [subset.metadata_file] if metadata else [subset.image_dir, subset.mask_dir]
    return tuple(os.path.realpath(path) for path in paths if path is not None)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


_PATHS = ("image_dir", "metadata_file")
_EMPTY_IS_NONE = ("keep_tokens_separator", "secondary_separator", "caption_prefix", "caption_suffix")
_TOLD = ("source", "kind", "stated", "subsets")  # fields that are no keys
_SUBSET_FIELDS = [entry.name for entry in fields(FileSubset) if entry.name not in _TOLD]
_DATASET_FIELDS = [entry.name for entry in fields(FileDataset) if entry.name not in _TOLD]
