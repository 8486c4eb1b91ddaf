"""An estimate of the most memory that a run needs at a time: from headers of files and options, no torch."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.compose.activations import FLOAT, Kept, Settings, Step, whole
from engine.compose.transformer_activations import transformer_kept
from engine.compose.unet_activations import unet_kept
from engine.config import (
    Family,
    LoRAConfig,
    MixedPrecision,
    ModelConfig,
    Quantize,
    RunConfig,
    text_rests,
    vae_rests,
)
from engine.data.buckets import BucketChoice
from engine.data.scan import Scan
from engine.models.facts import FAMILIES
from engine.models.locate import find_checkpoint
from engine.models.places import Place, find_places, lies_in_parts
from engine.models.weight_headers import Weight, part_weights, read_header
from engine.optimizers.table import state_bytes

# Bytes of a quantised number, scales included; those of 4 bits come 64 to a scale, which has 8 bits itself.
_QUANTIZED = {
    Quantize.nf4: 0.5 + 1 / 64,
    Quantize.int8: 1.0,
    Quantize.fp8: 1.0,
    Quantize.int8_ao: 1.0,
}
_BLOCKS = {  # settings that count blocks, with what diffusers takes where they are left out
    Family.sd3: {"num_layers": 18},
    Family.flux: {"num_layers": 19, "num_single_layers": 38},
    Family.anima: {"num_layers": 28},
}
_CLIP_WORDS = 77  # rows of text that one CLIP reads
_ANIMA_WORDS = 512  # to which its text conditioner pads


@dataclass(kw_only=True, slots=True, frozen=True)
class MemoryEstimate:
    """Bytes beside the libraries' own."""

    base: int  # the frozen weights that stay on the device
    encoding: int  # text encoders and VAE, which come before the denoiser; one that is quantised is there
    network: int  # trained numbers, their gradients and what the optimizer keeps of them
    activations: int  # what a step keeps for its backward pass

    @property
    def peak(self) -> int:
        """The most at a time: of training, or before it."""
        return max(self.base + self.network + self.activations, self.encoding)


def estimate_memory(
    run: RunConfig,
    *,
    trained: int,
    scan: Scan,
    choices: Sequence[BucketChoice],
    latent_factor: int,
    device: str,
) -> MemoryEstimate:
    """What training holds at the end of a forward pass, for the largest batch.

    trained        numbers that are trained
    choices        how each of scan.pictures is cut
    latent_factor  pixels a latent stands for, along one side
    Not in it: what the libraries take, what operations need while they run, and text encoders' activations.
    """
    sizes = part_sizes(run.model)
    saved = quantized_bytes(run)
    denoiser = FAMILIES[run.model.family].denoiser
    waits = run.memory.quantize is Quantize.none
    return MemoryEstimate(
        base=base_bytes(run, _resident(run, sizes) if device != "cpu" else sizes)
        - saved
        - swapped_bytes(run, sizes),
        encoding=base_bytes(run, {part: sizes[part] for part in sizes if part != denoiser or not waits})
        - saved,
        network=round(trained * (2 * FLOAT + state_bytes(run.optimizer.class_path))),
        activations=max(activation_bytes(run, step) for step in _steps(run, scan, choices, latent_factor)),
    )


def base_bytes(run: RunConfig, sizes: Mapping[str, int]) -> int:
    """Of frozen weights; the VAE is always float32.

    sizes  numbers in each part
    """
    width = number_bytes(run)
    return sum(size * (FLOAT if part == "vae" else width) for part, size in sizes.items())


def quantized_bytes(run: RunConfig) -> int:
    """Bytes that the denoiser's Linear layers need less than base_bytes says."""
    how = run.memory.quantize
    if how not in _QUANTIZED:
        return 0
    return round(linear_size(run.model) * (number_bytes(run) - _QUANTIZED[how]))


def swapped_bytes(run: RunConfig, sizes: Mapping[str, int]) -> int:
    """Of the blocks that wait on the processor, less the one that is fetched; all are taken for equal."""
    if run.memory.blocks_to_swap < 2:
        return 0
    count = num_blocks(run.model)
    part = sizes[FAMILIES[run.model.family].denoiser]
    return round(part * number_bytes(run) * min(run.memory.blocks_to_swap - 1, count) / count)


def num_blocks(model: ModelConfig) -> int:
    """Of a transformer, by its settings; 0 of a UNet, whose blocks are not swapped."""
    keys, settings = _BLOCKS.get(model.family, {}), denoiser_settings(model)
    return sum(whole(settings, key, usual) for key, usual in keys.items())


def activation_bytes(run: RunConfig, step: Step) -> int:
    """What a step keeps for its backward pass."""
    kept = denoiser_kept(run.model.family, denoiser_settings(run.model), step)
    return round(kept.at_peak(checkpointing=run.training.gradient_checkpointing))


def denoiser_kept(family: Family, settings: Settings, step: Step) -> Kept:
    """What the denoiser with these settings keeps."""
    if FAMILIES[family].denoiser == "unet":
        return unet_kept(settings, step)
    return transformer_kept(family, settings, step)


def number_bytes(run: RunConfig) -> int:
    """Bytes of a number in the denoiser's forward pass."""
    return FLOAT if run.training.mixed_precision is MixedPrecision.no else 2


def num_words(model: ModelConfig) -> int:
    """Rows of text that the denoiser reads."""
    match model.family:
        case Family.sd3:
            return _CLIP_WORDS + model.t5_token_length
        case Family.flux:
            return model.t5_token_length
        case Family.anima:
            return _ANIMA_WORDS
    return model.token_length + 2


def part_sizes(model: ModelConfig) -> dict[str, int]:
    """How many numbers each part of the model has, read from the headers of its files."""
    sizes = {}
    for name, place in _places(model).items():
        weights = part_weights(place) if isinstance(place, Path) else _in_file(place)
        sizes[name] = sum(math.prod(weight.shape) for weight in weights)
    return sizes


def linear_size(model: ModelConfig) -> int:
    """How many numbers the matrices of the denoiser have."""
    place = _places(model)[FAMILIES[model.family].denoiser]
    weights = part_weights(place) if isinstance(place, Path) else _in_file(place)
    return sum(math.prod(weight.shape) for weight in weights if len(weight.shape) == 2)


def denoiser_settings(model: ModelConfig) -> Settings:
    """The denoiser's config.json; {} where there is none, which stands for the published sizes."""
    place = _places(model)[FAMILIES[model.family].denoiser]
    file = (place if isinstance(place, Path) else place.config) / "config.json"
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}


def _resident(run: RunConfig, sizes: Mapping[str, int]) -> dict[str, int]:
    """The parts that do not wait on the processor while steps are made."""
    facts = FAMILIES[run.model.family]
    waiting = {"vae"} if vae_rests(run) else set()
    if text_rests(run):
        waiting |= {*facts.text_encoders, *facts.text_conditioners}
    return {part: size for part, size in sizes.items() if part not in waiting}


def _steps(run: RunConfig, scan: Scan, choices: Sequence[BucketChoice], latent_factor: int) -> list[Step]:
    """The batches of each bucket and batch size that occur."""
    network = run.network
    assert isinstance(network, LoRAConfig), "the only kind of network so far"
    shapes = {
        (picture.subset.config.batch_size, *choice.bucket)
        for picture, choice in zip(scan.pictures, choices, strict=True)
    }
    return [
        Step(
            batch=batch,
            latents=(height // latent_factor, width // latent_factor),
            words=num_words(run.model),
            width=number_bytes(run),
            rank=network.rank,
            groups=network.layers,
        )
        for batch, width, height in shapes
    ]


def _places(model: ModelConfig) -> Mapping[str, Path | Place]:
    """Where each part with weights lies: its folder, or its place among files."""
    if lies_in_parts(model):
        return {
            name: place.path if place.found is None else place
            for name, place in find_places(model).parts.items()
        }
    folder = find_checkpoint(model.checkpoint or "")
    assert folder is not None, "checkpoint_problems comes first"
    return {part: folder / part for part in FAMILIES[model.family].weighty if (folder / part).is_dir()}


def _in_file(place: Place) -> list[Weight]:
    assert place.found is not None, "a folder is read as one"
    return [weight for weight in read_header(place.path) if weight.name.startswith(place.found.prefix)]
