"""What a checkpoint says about itself: its JSON files and the headers of its weights, no torch."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from engine.compose.show import show
from engine.config import Family, LayerGroup, ModelConfig, Prediction
from engine.models.facts import FAMILIES, GATED, FamilyFacts, joined_members, layer_group
from engine.models.locate import find_checkpoint, is_hub_id
from engine.models.weight_headers import (
    DamagedFileError,
    Weight,
    missing_shards,
    part_weights,
    weight_files,
)

_VOCABULARIES = ("vocab.json", "tokenizer.json", "spiece.model")
_PREDICTIONS = {"epsilon": Prediction.epsilon, "v_prediction": Prediction.v}  # as schedulers write them
_WANTED = '--include "*.json" "*.txt" "*/*.safetensors"'  # not the single files beside the folders


@dataclass(kw_only=True, slots=True, frozen=True)
class Layer:
    """A layer of the denoiser that a network can go on."""

    name: str  # of its first module, where several are one layer in files
    group: LayerGroup
    shape: tuple[int, ...]  # of its weight: (out, in) or (out, in, k, k); outputs of joined modules add up


@dataclass(kw_only=True, slots=True, frozen=True)
class Checkpoint:
    """A checkpoint, as far as it can be known without loading it."""

    folder: Path
    layers: tuple[Layer, ...]
    num_bytes: int  # of all weights
    num_values: int  # how many numbers they are
    latent_factor: int  # pixels a latent stands for, along one side


def checkpoint_problems(model: ModelConfig) -> list[str]:
    """Why the run's checkpoint can't be trained on; [] = it can."""
    name = model.checkpoint
    if not name:
        return []  # a rule says so
    folder = find_checkpoint(name)
    if folder is None:
        return [_not_found(name)]
    index = FAMILIES[model.family].index_file
    if not any((folder / facts.index_file).is_file() for facts in FAMILIES.values()):
        return [f"model.checkpoint={name}: not a diffusers folder (no {index} in it). Give one."]
    return _family_problems(model, folder) or _part_problems(model, folder) + _text_problems(model, folder)


def read_checkpoint(model: ModelConfig) -> Checkpoint:
    """The checkpoint of a run that passed checkpoint_problems."""
    folder = find_checkpoint(model.checkpoint or "")
    assert folder is not None, "checkpoint_problems comes first"
    facts = FAMILIES[model.family]
    weights = [weight for part in facts.weighty for weight in part_weights(folder / part)]
    return Checkpoint(
        folder=folder,
        layers=_layers(model.family, part_weights(folder / facts.denoiser)),
        num_bytes=sum(weight.num_bytes for weight in weights),
        num_values=sum(math.prod(weight.shape) for weight in weights),
        latent_factor=_latent_factor(folder / "vae" / "config.json"),
    )


def _layers(family: Family, weights: list[Weight]) -> tuple[Layer, ...]:
    """The layers that a network can go on, of the denoiser's tensors."""
    groups: dict[str, LayerGroup] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for weight in weights:
        module = weight.name.removesuffix(".weight")
        group = layer_group(family, module) if module != weight.name else None
        if group is not None:
            groups[module], shapes[module] = group, weight.shape
    return tuple(
        Layer(
            name=names[0],
            group=groups[names[0]],
            shape=(sum(shapes[name][0] for name in names), *shapes[names[0]][1:]),
        )
        for names in joined_members(family, groups)
    )


def _latent_factor(config: Path) -> int:
    """Each level of the VAE but the first halves the sides; its levels are named in two ways."""
    found = _json(config)
    levels = found.get("block_out_channels") or found.get("dim_mult")
    return int(2 ** (len(levels) - 1)) if isinstance(levels, list) else 8


def _not_found(name: str) -> str:
    if not is_hub_id(name):
        return f"model.checkpoint={name}: not found. Give a diffusers folder: model.checkpoint=DIR."
    gate = ""
    if name.startswith(GATED):
        gate = (
            f" Its licence has to be accepted first: open https://huggingface.co/{name}, "
            "then run: hf auth login."
        )
    return (
        f"model.checkpoint={name}: not found. Give a diffusers folder: model.checkpoint=DIR, "
        f"or run: hf download {name} {_WANTED}.{gate}"
    )


def _family_problems(model: ModelConfig, folder: Path) -> list[str]:
    """Whether the folder is of the run's family, and was trained to predict what the run says."""
    facts = FAMILIES[model.family]
    try:
        pipeline = _pipeline(folder)
        width = _json(folder / "unet" / "config.json").get("cross_attention_dim")
        scheduler = folder / "scheduler" / "scheduler_config.json"
        prediction = _json(scheduler).get("prediction_type", "epsilon") if scheduler.is_file() else None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return [f"model.checkpoint={model.checkpoint}: a JSON file in it can't be read ({error}). Repair it."]
    fitting = [one for one in FAMILIES.values() if one.pipeline == pipeline]
    if width in [one.text_width for one in fitting if one.text_width]:  # as published, not a toy's
        fitting = [one for one in fitting if one.text_width == width]
    if facts not in fitting:
        return [_wrong_family(model, fitting[0] if fitting else None, pipeline)]
    told = _PREDICTIONS.get(str(prediction))
    if not facts.is_flow and prediction is not None and told is not model.prediction:
        advice = f"Set model.prediction={told.name}." if told else "Give one that predicts epsilon or v."
        return [
            f"model.prediction={show(model.prediction)}: the checkpoint's scheduler says {prediction}. "
            f"{advice}"
        ]
    return []


def _pipeline(folder: Path) -> object:
    """The class that the folder's index names; each family's index has its own file name."""
    for name in dict.fromkeys(facts.index_file for facts in FAMILIES.values()):
        if (folder / name).is_file():
            return _json(folder / name).get("_class_name")
    return None


def _wrong_family(model: ModelConfig, other: FamilyFacts | None, pipeline: object) -> str:
    if other is not None:
        return (
            f"model.checkpoint={model.checkpoint}: this is a checkpoint of {other.title}, and "
            f"model.family={model.family.name} is {FAMILIES[model.family].title}. "
            f"Use model={other.recipe}."
        )
    return (
        f"model.checkpoint={model.checkpoint}: holds a {pipeline}, and model.family={model.family.name} "
        f"is {FAMILIES[model.family].title} ({FAMILIES[model.family].pipeline}). "
        "Give a checkpoint of that family."
    )


def _part_problems(model: ModelConfig, folder: Path) -> list[str]:
    """Parts that are missing, whole or in part."""
    name, facts = model.checkpoint, FAMILIES[model.family]
    missing = [part for part in facts.parts if part not in facts.optional and not (folder / part).is_dir()]
    if missing:
        are = "are" if len(missing) > 1 else "is"
        return [
            f"model.checkpoint={name}: {', '.join(missing)} {are} missing in it. "
            "Give a whole diffusers folder."
        ]
    problems = _unpaired(model, folder)
    for part in facts.tokenizers:
        if (folder / part).is_dir() and not any((folder / part / file).is_file() for file in _VOCABULARIES):
            problems.append(
                f"model.checkpoint={name}: no {' or '.join(_VOCABULARIES[:2])} in {part}/. Get it again."
            )
    for part in facts.weighty:
        if (folder / part).is_dir():
            problems += _weights_problems(name or "", folder / part)
    return problems


def _unpaired(model: ModelConfig, folder: Path) -> list[str]:
    """Optional text encoders without their tokenizer, and the reverse."""
    facts, problems = FAMILIES[model.family], []
    for pair in zip(facts.text_encoders, facts.tokenizers, strict=False):
        there = [part for part in pair if (folder / part).is_dir()]
        if len(there) == 1 and set(pair) <= set(facts.optional):
            (lost,) = set(pair) - set(there)
            problems.append(
                f"model.checkpoint={model.checkpoint}: {there[0]} without {lost}. Get {lost} too, "
                f"or take {there[0]} away: {facts.title} goes without both."
            )
    return problems


def _weights_problems(name: str, part: Path) -> list[str]:
    try:
        if not weight_files(part):
            return [f"model.checkpoint={name}: no .safetensors file in {part.name}/. Convert its weights."]
        if lost := missing_shards(part):
            return [
                f"model.checkpoint={name}: {part.name}/ lacks {len(lost)} of its files, the first: "
                f"{lost[0]}. Get the checkpoint again."
            ]
        part_weights(part)
    except (DamagedFileError, OSError):
        return [f"model.checkpoint={name}: a weights file in {part.name}/ is damaged. Copy it again."]
    return []


def _text_problems(model: ModelConfig, folder: Path) -> list[str]:
    """Whether the text encoder has the layer that is asked for; other damage is told of elsewhere."""
    file = folder / "text_encoder" / "config.json"
    try:
        layers = _json(file).get("num_hidden_layers") if file.is_file() else None
    except (json.JSONDecodeError, UnicodeDecodeError):
        return []
    if not isinstance(layers, int) or model.clip_skip == 1 or model.clip_skip <= layers:
        return []
    return [
        f"model.clip_skip={model.clip_skip}: the text encoder of {model.checkpoint} has {layers} layers. "
        f"Give at most {layers}."
    ]


def _json(file: Path) -> dict[str, object]:
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
