"""The keys of a dataset file: where each may stand, its values, and where a missing one comes from.

Source: kohya sd-scripts 0.10.1, config_util.ConfigSanitizer and BlueprintGenerator.
"""

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from engine.config import Interpolation
from engine.config.kohya_options import OUR_KEYS

INTERPOLATIONS = tuple(kind.name for kind in Interpolation)


class SubsetKind(Enum):
    """Where a subset's captions come from; the subsets of one dataset are of one kind."""

    dreambooth = "dreambooth"  # class tokens, or a text file beside each picture
    metadata = "metadata"  # a metadata file
    masks = "masks"  # kohya's third kind: as dreambooth, with a folder of masks for the masked loss


@dataclass(kw_only=True, slots=True, frozen=True)
class Dialect:
    """How a dataset file is written."""

    what: str  # "a kohya dataset file"
    endings: tuple[str, ...]
    general: str  # how its tables are written
    dataset: str
    subset: str
    is_: str  # between a key and its value
    masks: str  # the key of a folder of masks
    is_kohyas: bool  # with keys and strictness of its own


KOHYA = Dialect(
    what="a kohya dataset file",
    endings=(".toml", ".json"),
    general="[general]",
    dataset="[[datasets]]",
    subset="[[datasets.subsets]]",
    is_=" = ",
    masks="conditioning_data_dir",
    is_kohyas=True,
)
OWN = Dialect(
    what="a list of datasets in YAML",
    endings=(".yaml", ".yml"),
    general="general",
    dataset="datasets",
    subset="subsets",
    is_=": ",
    masks="mask_dir",
    is_kohyas=False,
)


@dataclass(kw_only=True, slots=True, frozen=True)
class Rule:
    """The values that a key takes."""

    words: str  # "a whole number"
    example: str  # as it is written in a file
    is_right: Callable[[object], bool]
    problem: Callable[[object], str | None] = lambda value: None  # of a value that is right in its type


def stated_kind(subset: Mapping[str, object], dialect: Dialect) -> SubsetKind:
    """What a subset is, by the keys that it states."""
    if dialect.is_kohyas and dialect.masks in subset:
        return SubsetKind.masks
    return SubsetKind.metadata if "metadata_file" in subset else SubsetKind.dreambooth


def general_rules(dialect: Dialect) -> dict[str, Rule]:
    """The keys of the table general."""
    return dataset_rules(SubsetKind.dreambooth, dialect)


def dataset_rules(kind: SubsetKind, dialect: Dialect) -> dict[str, Rule]:
    """The keys of a dataset whose subsets are of a kind."""
    if dialect.is_kohyas:
        return DATASET_RULES | _KOHYAS_DATASET | SUBSET_RULES | _KOHYAS_SUBSET | _CAPTION_FILES[kind]
    own = {key: rule for key, rule in _CAPTION_FILES[kind].items() if key != "cache_info"}
    return DATASET_RULES | SUBSET_RULES | own | _OWN_SUBSET


def subset_rules(kind: SubsetKind, dialect: Dialect) -> dict[str, Rule]:
    """The keys of a subset."""
    rules = dataset_rules(kind, dialect) | _PLACES[kind]
    if kind is SubsetKind.masks or not dialect.is_kohyas:
        rules[dialect.masks] = _PATH
    of_dataset = set(DATASET_RULES) | (set(_KOHYAS_DATASET) if dialect.is_kohyas else set())
    return {key: rule for key, rule in rules.items() if key not in of_dataset or key in SUBSET_RULES}


def required_keys(kind: SubsetKind, dialect: Dialect) -> tuple[str, ...]:
    """The keys that every subset of a kind states itself."""
    if kind is SubsetKind.metadata:
        return ("metadata_file",)
    return ("image_dir", dialect.masks) if kind is SubsetKind.masks else ("image_dir",)


def table_problems(table: Mapping[str, object], rules: Mapping[str, Rule], dialect: Dialect) -> list[str]:
    """What is wrong with the keys and values of one table: "key=value: what is wrong. What to do."

    table  without the tables in it (subsets)
    """
    problems = []
    for key, value in table.items():
        if key not in rules:
            problems.append(f"{key}={shown(value)}: {_unknown(key, rules, dialect)}")
        elif not rules[key].is_right(value):
            problems.append(f"{key}={shown(value)}: {_wrong_type(key, value, rules[key], dialect)}")
        elif wrong := rules[key].problem(value):
            problems.append(f"{key}={shown(value)}: {wrong}")
    return problems


def fall_back(keys: Sequence[str], levels: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """For each key the value of the first level that states it; keys that no level states are left out.

    levels  nearest first: subset, dataset, general, defaults. False and 0 are values; None is not stated.
    """
    found = {key: [level[key] for level in levels if level.get(key) is not None] for key in keys}
    return {key: values[0] for key, values in found.items() if values}


def nearest(word: str, choices: Sequence[str]) -> str | None:
    """The choice that was probably meant."""
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return near[0] if near else None


def shown(value: object) -> str:
    """A value as a file has it, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(key: str, rules: Mapping[str, Rule], dialect: Dialect) -> str:
    """Why a key cannot stand in a table, and what to do."""
    if "metadata_file" in rules and key == "is_reg":
        return "a metadata subset takes no regularisation pictures. Leave it out."
    if "metadata_file" in rules and key in _CAPTION_FILES[SubsetKind.dreambooth]:
        return "here the captions come from metadata_file. Leave one of the two out."
    if key == dialect.masks or any(key in own for own in _PLACES.values()):
        return f"this key belongs into {dialect.subset}. Move it there."
    if key in DATASET_RULES or (dialect.is_kohyas and key in _KOHYAS_DATASET):
        return f"this key holds for a whole dataset. Move it into {dialect.dataset} or {dialect.general}."
    if key in general_rules(dialect):  # about caption files, in a dataset that has none
        return "the subsets of this dataset do not use it. Leave it out."
    meant = _of_command_line(key, dialect) or nearest(key.lower(), list(rules))
    return f"unknown key (did you mean {meant}?)." if meant else "unknown key. Leave it out."


def _of_command_line(name: str, dialect: Dialect) -> str | None:
    """The key of a file for what has this name on kohya's command line."""
    ours = [key.partition("=")[0].rpartition(".")[2] for key in OUR_KEYS.get(name, ())]
    subsets = [subset_rules(kind, dialect) for kind in (SubsetKind.dreambooth, SubsetKind.metadata)]
    known = {*general_rules(dialect), *subsets[0], *subsets[1]}
    return next((key for key in (_IN_FILES.get(one, one) for one in ours) if key in known), None)


def _wrong_type(key: str, value: object, rule: Rule, dialect: Dialect) -> str:
    if isinstance(value, str):
        hint = f"Write it without quotes: {key}{dialect.is_}{rule.example}"
    elif value is None:
        hint = "Leave the key out"
    elif isinstance(value, int) and not isinstance(value, bool) and rule is _SPLIT and 0 <= value <= 1:
        hint = f"Write {key}{dialect.is_}{float(value)}"
    elif rule is _SPLIT:
        hint = f"Write {key}{dialect.is_}{rule.example}"
    else:
        hint = f"Write for example {key}{dialect.is_}{rule.example}"
    return f"this key takes {rule.words}. {hint}."


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float(value: object) -> bool:
    return isinstance(value, float)


def _is_number(value: object) -> bool:
    return _is_int(value) or _is_float(value)


def _is_pair(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_right, value))


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _within(low: float, high: float = math.inf) -> Callable[[object], str | None]:
    """A check of numbers; nan and infinity are outside every range."""
    limits = f"from {low:g}" + (" on" if high == math.inf else f" to {high:g}")

    def problem(value: object) -> str | None:
        numbers = _as_list(value)
        right = all(isinstance(n, int | float) and low <= n <= high and n != math.inf for n in numbers)
        return None if right else f"outside the range, which is {limits}. Choose a value in it."

    return problem


def _face_crop_problem(value: object) -> str | None:
    low, high = value if isinstance(value, list) else (math.nan, math.nan)
    if 0 < low <= high < math.inf:
        return None
    return "the range of the crop. Write the smaller number first, both above 0."


def _interpolation_problem(value: object) -> str | None:
    if value in INTERPOLATIONS:
        return None
    meant = nearest(str(value), INTERPOLATIONS)
    return (
        f"unknown choice (did you mean {meant}?)." if meant else f"choose one of {', '.join(INTERPOLATIONS)}."
    )


def _path_problem(value: object) -> str | None:
    text = str(value)
    return None if text.strip() and "\0" not in text else "no path. Write where it lies."


_TRUTH = Rule(words="true or false", example="true", is_right=lambda value: isinstance(value, bool))
_TEXT = Rule(words="a text", example='"..."', is_right=lambda value: isinstance(value, str))
_SEPARATOR = Rule(
    words="a text",
    example='","',
    is_right=_TEXT.is_right,
    problem=lambda value: None if value else "empty: it parts no tags. Write a comma.",
)
_PATH = Rule(words="a text", example='"photos"', is_right=_TEXT.is_right, problem=_path_problem)
_INT = Rule(words="a whole number", example="1", is_right=_is_int)
_COUNT = Rule(words="a whole number", example="1", is_right=_is_int, problem=_within(1))
_TAGS = Rule(words="a whole number", example="1", is_right=_is_int, problem=_within(0, 10_000))
_COUNT_OR_NONE = Rule(words="a whole number", example="1", is_right=_is_int, problem=_within(0))
_SIDE = Rule(words="a whole number of pixels", example="512", is_right=_is_int, problem=_within(1, 65536))
_SHARE = Rule(words="a number", example="0.1", is_right=_is_number, problem=_within(0, 1))
_STEPS = Rule(words="a number", example="100", is_right=_is_number, problem=_within(0))
_SPLIT = Rule(words="a number with a point", example="0.1", is_right=_is_float, problem=_within(0, 1))
_MULTIPLIER = Rule(
    words="a number with a point", example="1.0", is_right=_is_float, problem=_within(-1e6, 1e6)
)
_MAPPING = Rule(words="a table", example="{ name = true }", is_right=lambda value: isinstance(value, dict))
_INTERPOLATION = Rule(
    words="a text", example='"lanczos"', is_right=_TEXT.is_right, problem=_interpolation_problem
)
_RESOLUTION = Rule(
    words="a whole number or [width, height]",
    example="512",
    is_right=lambda value: _is_int(value) or _is_pair(_is_int)(value),
    problem=_within(1),
)
_FACE_CROP = Rule(
    words="two numbers with a point",
    example="[1.0, 3.0]",
    is_right=_is_pair(_is_float),
    problem=_face_crop_problem,
)
_FACE_CROP_NUMBERS = Rule(
    words="two numbers",
    example="[1.0, 3.0]",
    is_right=_is_pair(_is_number),
    problem=_face_crop_problem,
)
_ENDINGS = Rule(
    words="an ending or a list of endings",
    example='[".caption", ".txt"]',
    is_right=lambda value: bool(value) and all(isinstance(one, str) for one in _as_list(value)),
)

DATASET_RULES = {
    "resolution": _RESOLUTION,
    "batch_size": _COUNT,
    "enable_bucket": _TRUTH,
    "min_bucket_reso": _SIDE,
    "max_bucket_reso": _SIDE,
    "bucket_reso_steps": _SIDE,
    "bucket_no_upscale": _TRUTH,
}
_KOHYAS_DATASET = {
    "validation_split": _SPLIT,
    "validation_seed": _INT,
    "network_multiplier": _MULTIPLIER,
}
SUBSET_RULES = {
    "num_repeats": _INT,  # below 1 the subset is left out
    "shuffle_caption": _TRUTH,
    "caption_separator": _SEPARATOR,
    "secondary_separator": _TEXT,
    "keep_tokens": _COUNT_OR_NONE,
    "keep_tokens_separator": _TEXT,
    "caption_prefix": _TEXT,
    "caption_suffix": _TEXT,
    "enable_wildcard": _TRUTH,
    "caption_dropout_rate": _SHARE,
    "caption_dropout_every_n_epochs": _COUNT_OR_NONE,
    "caption_tag_dropout_rate": _SHARE,
    "token_warmup_min": _TAGS,
    "token_warmup_step": _STEPS,
    "flip_aug": _TRUTH,
    "color_aug": _TRUTH,
    "random_crop": _TRUTH,
    "face_crop_aug_range": _FACE_CROP,
    "resize_interpolation": _INTERPOLATION,
}
_KOHYAS_SUBSET = {"custom_attributes": _MAPPING}
_OWN_SUBSET = {  # wider than kohya's, or at home in the subsets
    "num_repeats": _COUNT,
    "caption_extension": _ENDINGS,
    "face_crop_aug_range": _FACE_CROP_NUMBERS,
    "validation_split": _SHARE,
    "validation_seed": _INT,
}
_CAPTION_FILES = {
    SubsetKind.dreambooth: {"caption_extension": _TEXT, "class_tokens": _TEXT, "cache_info": _TRUTH},
    SubsetKind.metadata: {},
    SubsetKind.masks: {"caption_extension": _TEXT, "cache_info": _TRUTH},
}
_PLACES = {
    SubsetKind.dreambooth: {"image_dir": _PATH, "is_reg": _TRUTH, "alpha_mask": _TRUTH},
    SubsetKind.metadata: {"metadata_file": _PATH, "image_dir": _PATH, "alpha_mask": _TRUTH},
    SubsetKind.masks: {"image_dir": _PATH},
}
_IN_FILES = {"path": "image_dir"}  # what one of our options is called in a dataset file
