"""Where each part of a run's model lies: in a folder, in a file with others, or in its own; no torch."""

import json
from dataclasses import dataclass
from pathlib import Path

from engine.config import ConfigError, Family, ModelConfig, Prediction
from engine.models.facts import FAMILIES, PART_OPTIONS, prediction_advice
from engine.models.layouts import (
    CONFIGS,
    PARTS,
    Found,
    families_of,
    find_part,
    layout_of,
    no_base,
    shapes_of,
)
from engine.models.locate import find_checkpoint, hub_command
from engine.models.weight_headers import DamagedFileError, read_header
from engine.models.words import Words, find_words, published, wanted_words

WEIGHTS_ENDING = ".safetensors"
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_WORD_FILES = '--include "*.json" --include "*.txt" --include "*.model"'
_KINDS = {"clip_l": "clip", "clip_g": "clip", "t5xxl": "t5", "qwen3": "qwen3"}  # model_type begins so
_SPOKEN = {"vae": "VAE", "clip_l": "CLIP-L", "clip_g": "CLIP-G", "t5xxl": "T5", "qwen3": "Qwen3"}


@dataclass(kw_only=True, slots=True, frozen=True)
class Place:
    """Where the weights of a part lie."""

    option: str  # that names it: "checkpoint", "vae", ...
    path: Path  # a folder with config.json and weights, or a file
    found: Found | None  # how a file holds it; None: a folder
    config: Path  # the folder with its config.json


@dataclass(kw_only=True, slots=True, frozen=True)
class Places:
    """Where everything lies that a family is made of."""

    parts: dict[str, Place]  # those with weights
    words: dict[str, Words]  # the tokenizers
    scheduler: Path  # its folder
    is_file: bool  # the checkpoint is one file: what it predicts is known from the recipe alone


def is_weights_file(path: Path | None) -> bool:
    """Whether a checkpoint that was found is a file, and no folder."""
    return path is not None and path.is_file()


def lies_in_parts(model: ModelConfig) -> bool:
    """Whether the model is anything but one diffusers folder."""
    options = (*PART_OPTIONS[model.family], "tokenizers")
    return is_weights_file(find_checkpoint(model.checkpoint or "")) or any(
        given(model, option) for option in options
    )


def given(model: ModelConfig, option: str) -> str | None:
    """The value of an option that names a part."""
    values = {
        "checkpoint": model.checkpoint,
        "vae": model.vae,
        "clip_l": model.clip_l,
        "clip_g": model.clip_g,
        "t5xxl": model.t5xxl,
        "qwen3": model.qwen3,
        "tokenizers": model.tokenizers,
    }
    return values[option]


def find_places(model: ModelConfig, *, configs: Path | None = None) -> Places:
    """Where the parts of a model lie; headers are read, weights are not.

    configs  the settings of each layout, for parts that come without their own; null: those of CONFIGS
    raises   ConfigError with everything that is missing, or of another family
    """
    base = find_checkpoint(model.checkpoint or "")
    if base is None:
        raise ConfigError(f"model.checkpoint={model.checkpoint}: not found. Give a folder, file or hub id.")
    shapes = read_base(model, base) if base.is_file() else {}
    settings = (configs or CONFIGS) / layout_of(model.family, shapes)
    facts, problems = FAMILIES[model.family], []
    options = {part: option for option, part in PART_OPTIONS[model.family].items()}
    parts: dict[str, Place] = {}
    for part in facts.weighty:
        option = options.get(part, "checkpoint")
        try:
            if given(model, option) is not None and option != "checkpoint":
                parts[part] = _own_place(model, option, part, base=base, settings=settings)
            elif base.is_dir() and (base / part).is_dir():
                path = base / part
                parts[part] = Place(option="checkpoint", path=path, found=None, config=path)
            elif (found := find_part(shapes, PARTS[model.family].get(part, ()))) is not None:
                parts[part] = Place(option="checkpoint", path=base, found=found, config=settings / part)
            elif part not in facts.optional:
                problems.append(_missing(model, part, option))
        except ConfigError as error:
            problems += error.problems
    scheduler = base / "scheduler" if base.is_dir() else settings / "scheduler"
    words, unknown = _all_words(model, base, settings, parts=parts)
    if problems := problems + unknown:
        raise ConfigError(problems)
    return Places(parts=parts, words=words, scheduler=scheduler, is_file=base.is_file())


def read_base(model: ModelConfig, file: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the tensors of a file that is given as a whole checkpoint.

    raises  ConfigError where it is damaged, no model, or another family's
    """
    shapes = _shapes("checkpoint", str(model.checkpoint), file)
    said = f"model.checkpoint={model.checkpoint}: "
    if (complaint := no_base(shapes)) is not None:
        raise ConfigError(f"{said}{complaint}.")
    families, facts = families_of(shapes), FAMILIES[model.family]
    if not families:
        raise ConfigError(
            f"{said}no model of a known family in it. Give a file of the original layout "
            "(as it is published, or as ComfyUI and A1111 take it), or a diffusers folder."
        )
    if model.family not in families:
        other = FAMILIES[families[0]]
        raise ConfigError(f"{said}this is a file of {other.title}; use model={other.recipe}.")
    if "v_pred" in shapes and not facts.is_flow and model.prediction is not Prediction.v:
        raise ConfigError(
            f"model.prediction={model.prediction.name}: {file.name} says v. "
            + prediction_advice(model.family, model.name, Prediction.v)
        )
    return shapes


def _own_place(model: ModelConfig, option: str, part: str, *, base: Path, settings: Path) -> Place:
    """The place of a part that has an option of its own."""
    name = given(model, option) or ""
    path = find_checkpoint(name)
    if path is None:
        raise ConfigError(f"model.{option}={name}: not found. Give a folder or a file{hub_command(name)}.")
    if path.is_dir():
        path = _part_folder(option, name, path, part)
        return Place(option=option, path=path, found=None, config=path)
    forms = PARTS[model.family][part]
    found = find_part(_shapes(option, name, path), forms)
    if found is None:
        raise ConfigError(
            f"model.{option}={name}: holds no {_SPOKEN[option]} of {FAMILIES[model.family].title}. "
            "Give another file."
        )
    has_own = (base / part / "config.json").is_file()
    return Place(option=option, path=path, found=found, config=(base if has_own else settings) / part)


def _part_folder(option: str, name: str, folder: Path, part: str) -> Path:
    """The folder of a part in a folder that is given for it: that one itself, or one in a whole model's."""
    inside = [part, *(options[option] for options in PART_OPTIONS.values() if option in options)]
    for one in (*(folder / each for each in dict.fromkeys(inside)), folder):
        config = one / "config.json"
        if config.is_file() and _fits(option, config):
            return one
    raise ConfigError(
        f"model.{option}={name}: holds no {_SPOKEN[option]}. "
        "Give its folder, with config.json and weights in it."
    )


def _fits(option: str, config: Path) -> bool:
    """Whether the settings in a folder are of the kind that an option is for."""
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except ValueError:
        return False
    if option == "vae":
        return "Autoencoder" in str(content.get("_class_name"))
    return str(content.get("model_type")).startswith(_KINDS[option])


def _shapes(option: str, name: str, file: Path) -> dict[str, tuple[int, ...]]:
    said = f"model.{option}={name}: "
    if file.suffix in _PICKLES:
        raise ConfigError(
            f"{said}a pickled file can run code when it is read, and is not read here. "
            f"Convert it to {WEIGHTS_ENDING}, or get it in that format."
        )
    if file.suffix != WEIGHTS_ENDING:
        raise ConfigError(f"{said}not a {WEIGHTS_ENDING} file. Give one, or a diffusers folder.")
    try:
        return shapes_of(read_header(file))
    except (DamagedFileError, OSError) as error:
        raise ConfigError(f"{said}the file is damaged ({error}). Copy it again.") from error


def _missing(model: ModelConfig, part: str, option: str) -> str:
    said = f"model.checkpoint={model.checkpoint}: holds no {part}"
    if option == "checkpoint":
        return f"{said}. Give a whole checkpoint."
    return f"{said} ({_SPOKEN[option]}). Give it too: model.{option}=FILE.safetensors, or a folder."


def _all_words(
    model: ModelConfig, base: Path, settings: Path, *, parts: dict[str, Place]
) -> tuple[dict[str, Words], list[str]]:
    """Each tokenizer's place, and what is said of those that have none."""
    facts = FAMILIES[model.family]
    own = find_checkpoint(model.tokenizers) if model.tokenizers is not None else None
    if model.tokenizers is not None and (own is None or not own.is_dir()):
        return {}, [
            f"model.tokenizers={model.tokenizers}: no such folder. Give one with tokenizer folders in it."
        ]
    words, missing = {}, []
    for index, part in enumerate(facts.tokenizers):
        encoder = facts.text_encoders[min(index, len(facts.text_encoders) - 1)]
        if part in facts.optional and encoder not in parts:
            continue
        found = find_words(model.family, part, own=own, folder=base, settings=settings / part)
        if found is None:
            missing.append(part)
        else:
            words[part] = found
    return words, [] if not missing else [_no_words(model, missing, family=model.family)]


def _no_words(model: ModelConfig, missing: list[str], *, family: Family) -> str:
    kinds = list(dict.fromkeys(wanted_words(family, part) for part in missing))
    commands = " and ".join(f"hf download {published(kind)} {_WORD_FILES}" for kind in kinds)
    return (
        f"model.checkpoint={model.checkpoint}: the words of {', '.join(missing)} are not on this machine; "
        f"a single file holds none. Run: {commands}, or give model.tokenizers=DIR with "
        f"{'/ and '.join(missing)}/ in it."
    )
