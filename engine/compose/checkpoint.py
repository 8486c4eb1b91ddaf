"""What a diffusers folder says about itself: its JSON files and the headers of its weights, no torch."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from engine.compose.show import show
from engine.config import LayerGroup, ModelConfig, Prediction
from engine.models.facts import FAMILIES, layer_group
from engine.models.locate import find_checkpoint, is_hub_id

_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_VOCABULARIES = ("vocab.json", "tokenizer.json")
_WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # bytes; others 1
_PREDICTIONS = {
    Prediction.epsilon: "epsilon",
    Prediction.v: "v_prediction",
}  # as schedulers write them
_WANTED = '--include "*.json" "*.txt" "*/*.safetensors"'  # not the single files beside the folders
_LARGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format


@dataclass(kw_only=True, slots=True, frozen=True)
class Weight:
    """A tensor in a weights file."""

    name: str
    shape: tuple[int, ...]
    num_bytes: int


@dataclass(kw_only=True, slots=True, frozen=True)
class Layer:
    """A layer of the denoiser that a network can go on."""

    name: str
    group: LayerGroup
    shape: tuple[int, ...]  # of its weight: (out, in) or (out, in, k, k)


@dataclass(kw_only=True, slots=True, frozen=True)
class Checkpoint:
    """A diffusers folder, as far as it can be known without loading it."""

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
        fetch = f", or run: hf download {name} {_WANTED}" if is_hub_id(name) else ""
        return [f"model.checkpoint={name}: not found. Give a diffusers folder: model.checkpoint=DIR{fetch}."]
    if not (folder / "model_index.json").is_file():
        return [f"model.checkpoint={name}: not a diffusers folder (no model_index.json in it). Give one."]
    return _family_problems(model, folder) + _part_problems(name, folder) + _text_problems(model, folder)


def read_checkpoint(model: ModelConfig) -> Checkpoint:
    """The checkpoint of a run that passed checkpoint_problems."""
    folder = find_checkpoint(model.checkpoint or "")
    assert folder is not None, "checkpoint_problems comes first"
    weights = [weight for part in ("unet", "vae", "text_encoder") for weight in _weights(folder / part)]
    layers = []
    for weight in _weights(folder / "unet"):
        module = weight.name.removesuffix(".weight")
        group = layer_group(model.family, module) if module != weight.name else None
        if group is not None:
            layers.append(Layer(name=module, group=group, shape=weight.shape))
    num_blocks = len(_json(folder / "vae" / "config.json").get("block_out_channels", [0] * 4))  # type: ignore[arg-type]
    return Checkpoint(
        folder=folder,
        layers=tuple(layers),
        num_bytes=sum(weight.num_bytes for weight in weights),
        num_values=sum(math.prod(weight.shape) for weight in weights),
        latent_factor=2 ** (num_blocks - 1),
    )


def _text_problems(model: ModelConfig, folder: Path) -> list[str]:
    """Whether the text encoder has the layer that is asked for; other damage is told of elsewhere."""
    file = folder / "text_encoder" / "config.json"
    try:
        layers = _json(file).get("num_hidden_layers") if file.is_file() else None
    except (json.JSONDecodeError, UnicodeDecodeError):
        return []
    if not isinstance(layers, int) or model.clip_skip <= layers:
        return []
    return [
        f"model.clip_skip={model.clip_skip}: the text encoder of {model.checkpoint} has {layers} layers. "
        f"Give at most {layers}."
    ]


def _family_problems(model: ModelConfig, folder: Path) -> list[str]:
    facts = FAMILIES[model.family]
    try:
        pipeline = _json(folder / "model_index.json").get("_class_name")
        scheduler = folder / "scheduler" / "scheduler_config.json"
        prediction = _json(scheduler).get("prediction_type", "epsilon") if scheduler.is_file() else None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return [f"model.checkpoint={model.checkpoint}: a JSON file in it can't be read ({error}). Repair it."]
    if pipeline != facts.pipeline:
        return [
            f"model.checkpoint={model.checkpoint}: holds a {pipeline}, and model.family={model.family.name} "
            f"is {facts.title} ({facts.pipeline}). Give a checkpoint of that family."
        ]
    if prediction is not None and prediction != _PREDICTIONS[model.prediction]:
        return [
            f"model.prediction={show(model.prediction)}: the checkpoint's scheduler says {prediction}. "
            f"Set model.prediction={'v' if model.prediction is Prediction.epsilon else 'epsilon'}."
        ]
    return []


def _part_problems(name: str, folder: Path) -> list[str]:
    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing:
        return [
            f"model.checkpoint={name}: {', '.join(missing)} is missing in it. Give a whole diffusers folder."
        ]
    problems = []
    if not any((folder / "tokenizer" / file).is_file() for file in _VOCABULARIES):
        problems.append(
            f"model.checkpoint={name}: no {' or '.join(_VOCABULARIES)} in tokenizer/. Get it again."
        )
    for part in ("unet", "vae", "text_encoder"):
        if not weight_files(folder / part):
            problems.append(f"model.checkpoint={name}: no .safetensors file in {part}/. Convert its weights.")
            continue
        try:
            _weights(folder / part)
        except (ValueError, KeyError, TypeError, AttributeError, OSError, struct.error):
            problems.append(f"model.checkpoint={name}: a weights file in {part}/ is damaged. Copy it again.")
    return problems


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of one part: the plain ones, else those of the fp16 variant."""
    files = sorted(folder.glob("*.safetensors"))
    plain = [file for file in files if ".fp16" not in file.name and "non_ema" not in file.name]
    return plain or files


def _weights(folder: Path) -> list[Weight]:
    return [weight for file in weight_files(folder) for weight in read_header(file)]


def read_header(file: Path) -> list[Weight]:
    """Name, shape and size of every tensor of a safetensors file; raises ValueError where it is damaged."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(_LARGEST_HEADER, file.stat().st_size):
            raise ValueError(f"{file.name}: the header is longer than the file")
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    end = max((row["data_offsets"][1] for row in header.values()), default=0)
    if file.stat().st_size < 8 + length + end:
        raise ValueError(f"{file.name}: cut off")
    return [
        Weight(
            name=name,
            shape=tuple(row["shape"]),
            num_bytes=math.prod(row["shape"]) * _WIDTHS.get(row["dtype"], 1),
        )
        for name, row in header.items()
    ]


def _json(file: Path) -> dict[str, object]:
    content = json.loads(file.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
