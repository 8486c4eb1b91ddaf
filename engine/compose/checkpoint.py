"""What a checkpoint says about itself: its JSON files and the headers of its weights, no torch."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compose.checkpoint_settings import settings_problems
from engine.compose.show import show
from engine.compose.text_layers import text_layers
from engine.config import ConfigError, Family, LayerGroup, ModelConfig, Prediction
from engine.models.facts import (
    FAMILIES,
    GATED,
    PART_OPTIONS,
    FamilyFacts,
    joined_members,
    layer_group,
    prediction_advice,
)
from engine.models.layouts import shapes_of
from engine.models.locate import find_checkpoint, is_hub_id
from engine.models.original_names import diffusers_names
from engine.models.places import Place, find_places, given, is_weights_file, lies_in_parts
from engine.models.weight_headers import (
    DamagedFileError,
    Weight,
    missing_shards,
    part_weights,
    read_header,
    weight_files,
)
from engine.models.words import VOCABULARIES, has_words

_PREDICTIONS = {"epsilon": Prediction.epsilon, "v_prediction": Prediction.v}  # as schedulers write them
# Not the single files beside the folders; hf takes one pattern an --include, the next word is a file's name.
_WANTED = '--include "*.json" --include "*.txt" --include "*/*.safetensors" --exclude "text_encoders/*"'


@dataclass(kw_only=True, slots=True, frozen=True)
class Layer:
    """A layer of the denoiser or a text encoder that a network can go on."""

    name: str  # of its first module, where several are one layer in files
    group: LayerGroup
    shape: tuple[int, ...]  # of its weight: (out, in) or (out, in, k, k); outputs of joined modules add up
    joined: tuple[str, ...] = ()  # the further modules that are one layer with it


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
    if is_weights_file(folder):
        return _place_problems(model) or settings_problems(model)
    index = FAMILIES[model.family].index_file
    if not any((folder / facts.index_file).is_file() for facts in FAMILIES.values()):
        return [_no_diffusers_folder(name, folder, index)]
    problems = _family_problems(model, folder) or _part_problems(model, folder) + _text_problems(
        model, folder
    )
    problems = problems or (_place_problems(model) if lies_in_parts(model) else [])
    return problems or settings_problems(model)


def read_checkpoint(model: ModelConfig) -> Checkpoint:
    """The checkpoint of a run that passed checkpoint_problems."""
    folder = find_checkpoint(model.checkpoint or "")
    assert folder is not None, "checkpoint_problems comes first"
    facts = FAMILIES[model.family]
    if lies_in_parts(model):
        return _read_places(model, folder)
    weights = [weight for part in facts.weighty for weight in part_weights(folder / part)]
    return Checkpoint(
        folder=folder,
        layers=(
            *_layers(model.family, part_weights(folder / facts.denoiser)),
            *_text_layers(
                model.family, {part: (part_weights(folder / part), None) for part in facts.text_layers}
            ),
        ),
        num_bytes=sum(weight.num_bytes for weight in weights),
        num_values=sum(math.prod(weight.shape) for weight in weights),
        latent_factor=_latent_factor(folder / "vae" / "config.json"),
    )


def _read_places(model: ModelConfig, base: Path) -> Checkpoint:
    """The same of a model whose parts lie in files, or in several places."""
    places, facts = find_places(model), FAMILIES[model.family]
    weights = {part: _place_weights(place) for part, place in places.parts.items()}
    denoiser = places.parts[facts.denoiser]
    layers = (
        _layers(model.family, weights[facts.denoiser])
        if denoiser.found is None
        else _original_layers(model.family, denoiser, weights[facts.denoiser])
    )
    every = [weight for part in weights.values() for weight in part]
    text = {part: (weights[part], places.parts[part]) for part in facts.text_layers if part in weights}
    return Checkpoint(
        folder=base,
        layers=(*layers, *_text_layers(model.family, text)),
        num_bytes=sum(weight.num_bytes for weight in every),
        num_values=sum(math.prod(weight.shape) for weight in every),
        latent_factor=_latent_factor(places.parts["vae"].config / "config.json"),
    )


def _place_weights(place: Place) -> list[Weight]:
    """The tensors of a part: of a file those behind its prefix, by their names there."""
    if place.found is None:
        return part_weights(place.path)
    start = len(place.found.prefix)
    return [
        replace(weight, name=weight.name[start:])
        for weight in read_header(place.path)
        if weight.name.startswith(place.found.prefix)
    ]


def _original_layers(family: Family, place: Place, weights: list[Weight]) -> tuple[Layer, ...]:
    """The layers of a denoiser in a file, under the names that they have once loaded."""
    assert place.found is not None, "a folder's names are diffusers' already"
    per_block = _json(place.config / "config.json").get("layers_per_block", 0)
    layers = []
    for name, shape in shapes_of(weights).items():
        module = name.removesuffix(".weight")
        if module == name:
            continue
        names = diffusers_names(place.found.form, module, layers_per_block=int(str(per_block)))
        group = layer_group(family, names[0]) if names else None
        if group is not None:
            layers.append(Layer(name=names[0], group=group, shape=shape, joined=names[1:]))
    return tuple(layers)


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
            joined=names[1:],
        )
        for names in joined_members(family, groups)
    )


def _text_layers(family: Family, parts: Mapping[str, tuple[list[Weight], Place | None]]) -> Iterator[Layer]:
    """The layers of text encoders: each one's tensors, and the place that is no plain folder."""
    for part, (weights, place) in parts.items():
        form = None if place is None or place.found is None else place.found.form
        count = None if place is None else _json(place.config / "config.json").get("num_hidden_layers")
        found = text_layers(
            family, part, weights, form=form, num_layers=count if isinstance(count, int) else None
        )
        for name, shape in found.items():
            yield Layer(name=name, group=LayerGroup[part], shape=shape)


def _latent_factor(config: Path) -> int:
    """Each level of the VAE but the first halves the sides; its levels are named in two ways."""
    found = _json(config)
    levels = found.get("block_out_channels") or found.get("dim_mult")
    return int(2 ** (len(levels) - 1)) if isinstance(levels, list) else 8


def _place_problems(model: ModelConfig) -> list[str]:
    """What is missing of a model whose parts lie in files, or in several places."""
    try:
        places = find_places(model)
    except ConfigError as error:
        return error.problems
    return [
        problem
        for place in places.parts.values()
        if place.found is None and place.option != "checkpoint"
        for problem in _weights_problems(place.option, given(model, place.option) or "", place.path)
    ]


def _no_diffusers_folder(name: str, folder: Path, index: str) -> str:
    files = sorted(file.name for file in folder.glob("*.safetensors"))
    if files:
        return (
            f"model.checkpoint={name}: not a diffusers folder (no {index} in it). "
            f"Give the file, where it is a whole checkpoint: model.checkpoint={Path(name) / files[0]}."
        )
    what = "an empty folder" if not any(folder.iterdir()) else f"not a diffusers folder (no {index} in it)"
    return f"model.checkpoint={name}: {what}. Give a diffusers folder, or a .safetensors file."


def _not_found(name: str) -> str:
    if not is_hub_id(name):
        return (
            f"model.checkpoint={name}: not found. Give a diffusers folder: model.checkpoint=DIR, "
            "or a .safetensors file."
        )
    gate = ""
    if name.startswith(GATED):
        gate = (
            f" What its page asks has to be accepted first: open https://huggingface.co/{name}, "
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
        advice = "Give one that predicts epsilon or v."
        if told:
            advice = prediction_advice(model.family, model.name, told)
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
    own = _given_parts(model)  # looked at where they lie
    missing = [
        part for part in facts.parts if part not in (*facts.optional, *own) and not (folder / part).is_dir()
    ]
    if missing:
        are = "are" if len(missing) > 1 else "is"
        return [
            f"model.checkpoint={name}: {', '.join(missing)} {are} missing in it. "
            "Give a whole diffusers folder."
        ]
    problems = [] if own else _unpaired(model, folder)
    for part in facts.tokenizers:
        if part not in own and (folder / part).is_dir() and not has_words(folder / part):
            problems.append(
                f"model.checkpoint={name}: no {' or '.join(VOCABULARIES[:2])} in {part}/. Get it again."
            )
    for part in facts.weighty:
        if part not in own and (folder / part).is_dir():
            problems += _weights_problems("checkpoint", name or "", folder / part)
    return problems


def _given_parts(model: ModelConfig) -> tuple[str, ...]:
    """Parts that options of their own give, and the tokenizers where any may come from elsewhere."""
    options = PART_OPTIONS[model.family].items()
    parts = [part for option, part in options if given(model, option) is not None]
    return (*parts, *FAMILIES[model.family].tokenizers) if lies_in_parts(model) else ()


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


def _weights_problems(option: str, name: str, part: Path) -> list[str]:
    said = f"model.{option}={name}: "
    try:
        if not weight_files(part):
            return [f"{said}no .safetensors file in {part.name}/. Convert its weights."]
        if lost := missing_shards(part):
            return [
                f"{said}{part.name}/ lacks {len(lost)} of its files, the first: "
                f"{lost[0]}. Get the checkpoint again."
            ]
        part_weights(part)
        if not (part / "config.json").is_file():
            return [f"{said}no config.json in {part.name}/. Get it again."]
    except (DamagedFileError, OSError):
        return [f"{said}a weights file in {part.name}/ is damaged. Copy it again."]
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
