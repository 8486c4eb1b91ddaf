"""A training step of ours against a plain diffusers + peft loop: python benchmarks/train_step.py.

Same model (the demo's), cached latents and text, batch, rank, layers, optimizer, schedule, clipping, threads;
a step of each in turn. Prints the ratio of pictures a second, ours / plain (above 1: ours is faster), and the
peak memory of a process that does nothing else: ours holds a whole run (VAE and text encoder too, for its
pictures), plain the UNet and three tensors of data. Arguments as key=value: threads, batch, rank, rounds and
folder, where the cache lies.

2026-11-21, AMD EPYC, 4 cores, torch 2.13.0+cpu, fp32, rounds=60:
    threads=1    ratio 1.08, 43.4 pictures a second, 629 MB of both
    threads=2    ratio 1.15, 68.5; with batch=1 ratio 1.16, 25.2 pictures a second, 524 MB of both
    threads=4    ratio 1.25, 72.1
"""

import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from demo.folder import WEIGHTS, prepare_demo
from engine.compose.load import load
from engine.compose.plan import Plan
from engine.compose.preflight import preflight
from engine.compose.register import register
from engine.config import RunConfig
from engine.data.encoded import EncodedDataset
from engine.training.clock import Clock
from engine.training.interrupt import Interrupt
from engine.training.loop import run_loop
from engine.training.parts import Model, Pictures, load_model, load_pictures
from engine.training.setup import peak_memory_bytes
from engine.training.start import start_or_resume

PROJECT = Path(__file__).resolve().parents[1]
WARM_UP = 5  # steps of each side before any is timed
MEMORY_STEPS = 20  # after which a process holds all that it will
SIDES = ("ours", "plain")


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """What is measured."""

    threads: int = 2
    batch: int = 8
    rank: int = 16
    rounds: int = 100  # steps of each side
    folder: str = ".cache/benchmarks"  # of the cache; nothing else is written


@dataclass(kw_only=True, slots=True, frozen=True)
class Recipe:
    """What the plain script is told of the run, so that it does the same."""

    layers: list[str]  # names of the UNet's modules
    rank: int
    alpha: float
    lr: float
    batch: int
    max_grad_norm: float
    total_steps: int


def main(arguments: list[str]) -> None:
    """Measure speed here, interleaved, and memory in a process for each side."""
    given = dict(word.split("=") for word in arguments)
    settings = Settings(folder=given.pop("folder", Settings().folder))
    settings = replace(settings, **{key: int(value) for key, value in given.items()})  # type: ignore[arg-type]
    torch.set_num_threads(settings.threads)
    print(f"{_machine()}; {settings}")
    loaded = _load(settings)
    recipe, tensors = _recipe(loaded), _stacked(loaded.pictures.feed.reader.data)
    seconds = measure_seconds(
        {"ours": our_step(loaded), "plain": plain_step(recipe, tensors)}, settings.rounds
    )
    save_file(tensors, _tensor_file(settings))
    ratios = [plain / ours for ours, plain in zip(seconds["ours"], seconds["plain"], strict=True)]
    print(f"pictures a second, ours / plain = {statistics.median(ratios):.3f}")
    for side in SIDES:
        median = statistics.median(seconds[side])
        peak, of_steps = _memory_in_a_process(side, settings, recipe)
        print(
            f"  {side:6} {settings.batch / median:6.1f} pictures a second, {median * 1e3:6.1f} ms a step, "
            f"peak memory {peak / 1e6:.0f} MB, {of_steps / 1e6:.0f} MB of it since the first step"
        )


def measure_seconds(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step of each side, one after the other, the first of a pair in turn."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for round_ in range(WARM_UP + rounds):
        for side in SIDES if round_ % 2 == 0 else reversed(SIDES):
            start = time.perf_counter()
            steps[side]()
            if round_ >= WARM_UP:
                seconds[side].append(time.perf_counter() - start)
    return seconds


def our_step(loaded: "Loaded") -> Callable[[], None]:
    """The step of a real run: everything but its log and its progress bar."""
    start = start_or_resume(loaded.run, loaded.plan, loaded.model, loaded.pictures)
    interrupt = Interrupt()

    def step() -> None:
        run_loop(start.loop_plan, start.state, interrupt=interrupt, on_step=lambda report: True)

    return step


def plain_step(recipe: Recipe, tensors: dict[str, Tensor]) -> Callable[[], None]:
    """The same step as a script writes it with diffusers and peft."""
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from diffusers.optimization import get_scheduler
    from peft import LoraConfig

    unet = UNet2DConditionModel.from_pretrained(WEIGHTS, subfolder="unet")
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules=recipe.layers))
    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.lr)
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=0, num_training_steps=recipe.total_steps)
    noise_scheduler = DDPMScheduler.from_pretrained(WEIGHTS, subfolder="scheduler")

    def step() -> None:
        chosen = torch.randint(0, len(tensors["mean"]), (recipe.batch,))
        mean, std, text = (tensors[name][chosen] for name in ("mean", "std", "text"))
        latents = mean + std * torch.randn_like(mean)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, (len(latents),))
        noisy = noise_scheduler.add_noise(latents, noise, timesteps)
        loss = F.mse_loss(unet(noisy, timesteps, text).sample, noise)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, recipe.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        loss.item()  # as for a log

    return step


@dataclass(kw_only=True, slots=True, frozen=True)
class Loaded:
    """What both sides train with."""

    run: RunConfig
    plan: Plan
    model: Model
    pictures: Pictures


def _load(settings: Settings) -> Loaded:
    overrides = [
        f"dataset.batch_size={settings.batch}",
        "dataset.num_repeats=8",  # full batches, as the plain loop's are
        f"network.rank={settings.rank}",
        f"training.threads={settings.threads}",
        "training.steps=1000000",
        "training.device=cpu",
        "evaluation.enabled=false",
        f"cache_dir={settings.folder}",
        f"output_dir={settings.folder}/outputs",
    ]
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        run = load(compose("config", overrides=overrides))
    plan = preflight(run, prepare_demo, lambda run, sources: [])
    clock, console = Clock(), Console(quiet=True)
    model = load_model(run, plan, clock=clock, console=console)
    pictures = load_pictures(run, plan, model.family, clock=clock, console=console)
    return Loaded(run=run, plan=plan, model=model, pictures=pictures)


def _recipe(loaded: Loaded) -> Recipe:
    run, network = loaded.run, loaded.model.network
    return Recipe(
        layers=[layer.path for layer in network.layers],
        rank=network.rank,
        alpha=network.alpha,
        lr=run.optimizer.lr,
        batch=run.dataset.batch_size,
        max_grad_norm=run.training.max_grad_norm,
        total_steps=loaded.plan.total_steps,
    )


def _stacked(data: EncodedDataset) -> dict[str, Tensor]:
    """The demo's pictures are of one size: [N, ...] of all of them, as a good script keeps them."""
    places = range(len(data.pictures))
    kept = [latents for place in places if (latents := data.latents_of(place)) is not None]
    text = [embedding for place in places if (embedding := data.text_of(place)) is not None]
    return {
        "mean": torch.stack([latents.mean for latents in kept]),
        "std": torch.stack([latents.std for latents in kept]),
        "text": torch.stack([entry["hidden"] for entry in text]),
    }


def _tensor_file(settings: Settings) -> Path:
    return Path(settings.folder) / "train_step.safetensors"


def _memory_in_a_process(side: str, settings: Settings, recipe: Recipe) -> tuple[int, int]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(memory_of, (side, settings, recipe))


def memory_of(side: str, settings: Settings, recipe: Recipe) -> tuple[int, int]:
    """Bytes that this process has held at most after some steps of one side, and what the steps added."""
    torch.set_num_threads(settings.threads)
    if side == "ours":
        step = our_step(_load(settings))
    else:
        step = plain_step(recipe, load_file(_tensor_file(settings)))
    before = _resident_bytes("VmRSS")
    for _ in range(min(settings.rounds, MEMORY_STEPS)):
        step()
    peak = _resident_bytes("VmHWM")
    return peak, peak - before


def _resident_bytes(field: str) -> int:
    """A line of /proc: getrusage would count what the parent held when it started this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory_bytes(torch.device("cpu"))
    (line,) = [line for line in status.read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "peft", "accelerate"))
    return f"{(models or [platform.machine()])[0]}, {os.cpu_count()} cores; {names}"


if __name__ == "__main__":
    main(sys.argv[1:])
