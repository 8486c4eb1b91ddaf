"""A training step of ours against a plain diffusers + peft loop: python benchmarks/train_step.py.

Same model (the demo's), cached latents and text, batch, rank, layers, optimizer, schedule, clipping, threads;
a step of each in turn. Prints the ratio of pictures a second, ours / plain (above 1: ours is faster), and the
peak memory of a process that does nothing else. Arguments as key=value: threads, batch, rank, rounds, folder.

2026-11-21, AMD EPYC, 4 cores, torch 2.13.0+cpu, fp32, rounds=60:
    threads=1    ratio 1.08, 43.4 pictures a second, 629 MB of both
    threads=2    ratio 1.15, 68.5; with batch=1 ratio 1.16, 25.2 pictures a second, 524 MB of both
    threads=4    ratio 1.25, 72.1
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F

from demo.folder import prepare_demo
from engine.compose.load import load
from engine.compose.plan import Plan
from engine.compose.preflight import preflight
from engine.compose.register import register
from engine.config import RunConfig
from engine.data.encode import EncodedDataset
from engine.training.clock import Clock
from engine.training.interrupt import Interrupt
from engine.training.loop import run_loop
from engine.training.parts import Model, Pictures, load_model, load_pictures
from engine.training.setup import peak_memory_bytes
from engine.training.start import start_or_resume

PROJECT = Path(__file__).resolve().parents[1]
WARM_UP = 5  # steps of each side before any is timed
SIDES = ("ours", "plain")


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """What is measured."""

    threads: int = 2
    batch: int = 8
    rank: int = 16
    rounds: int = 100  # steps of each side
    folder: str = ".cache/benchmarks"  # of the cache; nothing else is written


def main(arguments: list[str]) -> None:
    """Measure speed here, interleaved, and memory in a process for each side."""
    given = dict(word.split("=") for word in arguments)
    folder = given.pop("folder", Settings().folder)
    settings = replace(Settings(folder=folder), **{key: int(value) for key, value in given.items()})
    torch.set_num_threads(settings.threads)
    print(f"torch {torch.__version__}, {settings}")
    seconds = measure_seconds(settings)
    ratios = [plain / ours for ours, plain in zip(seconds["ours"], seconds["plain"], strict=True)]
    print(f"pictures a second, ours / plain = {statistics.median(ratios):.3f}")
    for side in SIDES:
        median = statistics.median(seconds[side])
        print(
            f"  {side:6} {settings.batch / median:6.1f} pictures a second, {median * 1e3:6.1f} ms a step, "
            f"peak memory {_memory_in_a_process(side, settings) / 1e6:.0f} MB"
        )


def measure_seconds(settings: Settings) -> dict[str, list[float]]:
    """Seconds of each step of each side, one after the other, the first of a pair in turn."""
    loaded = _load(settings)
    steps = {"ours": our_step(loaded), "plain": plain_step(loaded)}
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for round_ in range(WARM_UP + settings.rounds):
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


def plain_step(loaded: "Loaded") -> Callable[[], None]:
    """The same step as a script writes it with diffusers and peft."""
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from diffusers.optimization import get_scheduler
    from peft import LoraConfig

    run, plan, network = loaded.run, loaded.plan, loaded.model.network
    names = [layer.path for layer in network.layers]
    unet = UNet2DConditionModel.from_pretrained(PROJECT / "demo/weights", subfolder="unet")
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=network.rank, lora_alpha=network.alpha, target_modules=names))
    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=run.optimizer.lr)
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=0, num_training_steps=plan.total_steps)
    noise_scheduler = DDPMScheduler.from_pretrained(PROJECT / "demo/weights", subfolder="scheduler")

    def step() -> None:
        latents, text = _plain_batch(loaded.pictures.feed.data, run.dataset.batch_size)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, (len(latents),))
        noisy = noise_scheduler.add_noise(latents, noise, timesteps)
        loss = F.mse_loss(unet(noisy, timesteps, text).sample, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, run.training.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        loss.item()  # as for a log

    return step


def _plain_batch(data: EncodedDataset, size: int) -> tuple[Tensor, Tensor]:
    chosen = torch.randint(0, len(data.latents), (size,)).tolist()
    mean = torch.stack([data.latents[index].mean for index in chosen])
    std = torch.stack([data.latents[index].std for index in chosen])
    return mean + std * torch.randn_like(mean), torch.stack([data.text[index] for index in chosen])


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
    plan = preflight(run, prepare_demo, lambda sources: [])
    clock, console = Clock(), Console(quiet=True)
    model = load_model(run, plan, clock=clock, console=console)
    pictures = load_pictures(run, plan, model.family, clock=clock, console=console)
    return Loaded(run=run, plan=plan, model=model, pictures=pictures)


def _memory_in_a_process(side: str, settings: Settings) -> int:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(peak_memory_of, (side, settings))


def peak_memory_of(side: str, settings: Settings) -> int:
    """Bytes that this process has held at most after some steps of one side."""
    torch.set_num_threads(settings.threads)
    loaded = _load(settings)
    step = our_step(loaded) if side == "ours" else plain_step(loaded)
    for _ in range(min(settings.rounds, 20)):
        step()
    return peak_memory_bytes(torch.device("cpu"))


if __name__ == "__main__":
    main(sys.argv[1:])
