"""Seconds a step and memory of each family at real size: python benchmarks/families.py recipes=sdxl,flux_dev.

Random weights of the published shapes, random latents and text, so that no file is needed: batch 1, the
recipe's resolution, LoRA of rank 16 on its default layers, bfloat16, AdamW; the steps are those of training.
Arguments as key=value: recipes (a list, or all), steps, device, size (full; tiny: to see that it runs),
ways (of plain, checkpointing, compiled, compiled_checkpointing). Each way runs in a process of its own.
"""

import datetime
import multiprocessing
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from families_random import RECIPES, random_batch, random_family, tiny_side
from sweep_grid import read_arguments
from sweep_study import table

from engine.compose.recipe import model_recipe
from engine.config import LoRAConfig, LossConfig, NoiseConfig
from engine.networks.lora import attach_lora
from engine.training.step import Objective, make_draws, training_losses
from engine.training.timestep_choice import choose_timesteps

WAYS = ("plain", "checkpointing", "compiled", "compiled_checkpointing")
_WARM = 5  # steps that are not counted: allocation, autotuning, compilation


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """How much of what is measured."""

    recipes: str = "all"
    ways: str = ",".join(WAYS)
    steps: int = 20
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    size: str = "full"


@dataclass(kw_only=True, slots=True, frozen=True)
class Measured:
    """One recipe in one way."""

    recipe: str
    way: str
    parameters: int  # of the denoiser
    trained: int  # of the LoRA
    seconds: float  # a step, median
    gib: float  # peak of the device's memory; 0 on a processor
    weights_gib: float  # of it, the frozen weights
    loss: float


def main(arguments: list[str]) -> None:
    """Measure, and print a markdown table."""
    settings = Settings(**read_arguments(arguments))  # type: ignore[arg-type]
    recipes = list(RECIPES) if settings.recipes == "all" else settings.recipes.split(",")
    found = []
    for recipe in recipes:
        for way in settings.ways.split(","):
            found.append(_apart(recipe, way, settings))
            print(found[-1], flush=True)
    name = torch.cuda.get_device_name() if settings.device == "cuda" else f"processor, {os.cpu_count()} cores"
    today = datetime.datetime.now(datetime.UTC).date()
    print(
        f"\n{name}; torch {torch.__version__}; {today}; python benchmarks/families.py {' '.join(arguments)}\n"
    )
    print(report(found))


def report(found: list[Measured]) -> str:
    """A markdown table, a row a way."""
    head = ("recipe", "way", "parameters", "trained", "s/step", "GiB at the peak", "GiB of weights")
    rows = [
        (
            one.recipe,
            one.way.replace("_", ", "),
            f"{one.parameters / 1e9:.2f} B",
            f"{one.trained / 1e6:.1f} M",
            f"{one.seconds:.3f}",
            f"{one.gib:.1f}",
            f"{one.weights_gib:.1f}",
        )
        for one in found
    ]
    return table(head, rows)


def measure(recipe: str, way: str, settings: Settings) -> Measured:
    """Train some steps in this process."""
    device = torch.device(settings.device)
    model = model_recipe(recipe)
    family = random_family(recipe, device=device, size=settings.size)
    layers = family.adaptable_layers()
    denoiser = layers[0].root
    family.set_gradient_checkpointing("checkpointing" in way)
    network = attach_lora(
        LoRAConfig(rank=16, layers=model.default_layers), layers, family=model.family, seed=0, device=device
    )
    if "compiled" in way:
        denoiser.compile()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    side = model.resolution if settings.size == "full" else tiny_side(recipe)
    batch = random_batch(family, model, denoiser=denoiser, side=side)
    objective = Objective(noise=NoiseConfig(), loss=LossConfig(), prediction=model.prediction)
    shape = batch.mean.shape[1:]
    to_timesteps = choose_timesteps(family.schedule, objective.noise, model, shape=shape)
    seconds, loss_value = [], 0.0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for step in range(_WARM + settings.steps if settings.size == "full" else settings.steps):
        draws = make_draws(0, step, range(1), shape=shape, to_timesteps=to_timesteps)
        started = time.perf_counter()
        network.zero_grad()
        loss = training_losses(family, batch, draws, objective).mean()
        loss.backward()
        network.clip_gradients(1.0)
        optimizer.step()
        loss_value = float(loss.detach())  # waits for the device
        seconds.append(time.perf_counter() - started)
    frozen = list(denoiser.parameters())
    return Measured(
        recipe=recipe,
        way=way,
        parameters=sum(parameter.numel() for parameter in frozen),
        trained=network.num_parameters,
        seconds=statistics.median(seconds[-settings.steps :]),
        gib=torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0,
        weights_gib=sum(parameter.nbytes for parameter in frozen) / 2**30,
        loss=loss_value,
    )


def _apart(recipe: str, way: str, settings: Settings) -> Measured:
    """In a process of its own, so that nothing of the last one counts."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (recipe, way, settings))


if __name__ == "__main__":
    main(sys.argv[1:])
