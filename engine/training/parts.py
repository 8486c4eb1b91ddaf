"""What a run works on: the base model, the encoded pictures, the network on top."""

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from engine.compose.plan import Plan
from engine.config import LoRAConfig, RunConfig
from engine.data.encode import EncodedDataset, encode_dataset
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.networks.lora import LoRANetwork, attach_lora
from engine.training.clock import Clock
from engine.training.setup import choose_device, model_dtype
from engine.validation import ValidationPicture


@dataclass(kw_only=True, slots=True, frozen=True)
class Parts:
    """The loaded pieces of a run; the network is attached to the family."""

    device: torch.device
    family: ModelFamily
    data: EncodedDataset
    network: LoRANetwork
    validation: list[ValidationPicture]


def load_parts(run: RunConfig, plan: Plan, *, clock: Clock, console: Console) -> Parts:
    """Load the base (or take it from memory), encode what the cache lacks, attach the network.

    raises  ConfigError when the device is not there or no picture can be decoded
    """
    torch.set_num_threads(plan.threads)
    device = choose_device(run.training.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with clock.phase("load"), console.status("loading the base model"):
        family = load_family(run.model, device=device, dtype=model_dtype(run.training))
        family.set_gradient_checkpointing(run.training.gradient_checkpointing)
    with clock.phase("encode"), console.status("encoding pictures and captions"):
        data = _encode(run, plan, family)
    assert isinstance(run.network, LoRAConfig)  # the only kind so far
    network = attach_lora(run.network, family.adaptable_layers(), seed=run.seed, device=device)
    validation = choose_validation(data, run.training.validation_images)
    return Parts(device=device, family=family, data=data, network=network, validation=validation)


def choose_validation(data: EncodedDataset, count: int) -> list[ValidationPicture]:
    """Pictures spread evenly over the data set: always the same ones."""
    total = len(data.mean)
    chosen = sorted({index * total // min(count, total) for index in range(min(count, total))})
    return [ValidationPicture(latents=data.mean[index], text=data.text[index]) for index in chosen]
