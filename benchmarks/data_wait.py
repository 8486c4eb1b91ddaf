"""What share of a training step of the demo's model is spent waiting for its pictures."""

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from data_settings import Settings
from hydra import compose, initialize_config_dir
from rich.console import Console
from torch import Tensor

from demo.folder import prepare_demo
from engine.compose.load import load
from engine.compose.plan import Plan
from engine.compose.preflight import preflight
from engine.compose.register import register
from engine.config import ModelConfig, RunConfig
from engine.data.encoded import Storage
from engine.data.kept import KeptTensors
from engine.models.family import LatentDistribution, ModelFamily, TextEmbeddings
from engine.training.clock import Clock
from engine.training.feed import Feed
from engine.training.interrupt import Interrupt
from engine.training.loop import LoopPlan, LoopState, StepReport, run_loop
from engine.training.parts import Pictures, load_model, load_pictures
from engine.training.start import Start, start_or_resume

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(kw_only=True, slots=True)
class TimedVae:
    """A family as a feed uses it; counts the seconds of its VAE."""

    family: ModelFamily
    seconds: float = 0.0

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        start = time.perf_counter()
        encoded = self.family.encode_images(pixels)
        self.seconds += time.perf_counter() - start
        return encoded

    @property
    def config(self) -> ModelConfig:
        return self.family.config

    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        return self.family.encode_prompts(prompts)


@dataclass(kw_only=True, slots=True, frozen=True)
class Block:
    """Some steps of one way, one after the other, without the first, in which workers start."""

    steps: int
    seconds: float
    waited: float  # of them, for pictures
    encoding: float  # of what was waited, in the VAE
    first_waited: float  # in the first step


def measure_wait(settings: Settings, photographs: Path) -> None:
    """Print seconds a step and the share that waited, for each way to feed the demo's default run."""
    torch.set_num_threads(settings.threads)
    cache = Path(settings.folder, "wait_cache")
    try:
        run = _run(settings, cache)
        plan = preflight(run, prepare_demo, lambda run, sources: [])
        model = load_model(run, plan, clock=Clock(), console=Console(quiet=True))
        feeds = _feeds("demo", run, plan, model.family)
        start = start_or_resume(run, plan, model, _pictures(run, plan, model.family))
        run = _run(settings, cache, f"dataset.path={photographs}")
        plan = preflight(run, prepare_demo, lambda run, sources: [])
        feeds |= _feeds(f"{settings.files} photographs", run, plan, model.family)
        _report(settings, measure_blocks(start, feeds, settings))
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def measure_blocks(start: Start, feeds: dict[str, Feed], settings: Settings) -> dict[str, list[Block]]:
    """Blocks of steps of each way in turn."""
    steps = max(1, settings.steps // settings.rounds)
    blocks: dict[str, list[Block]] = {way: [] for way in feeds}
    for way in feeds:
        _block(start, feeds[way], 0)
    for _ in range(settings.rounds):
        for way, feed in feeds.items():
            blocks[way].append(_block(start, feed, steps))
    return blocks


def _block(start: Start, feed: Feed, steps: int) -> Block:
    vae = TimedVae(family=feed.family)
    plan: LoopPlan = replace(start.loop_plan, feed=replace(feed, family=cast(ModelFamily, vae)))
    state: LoopState = start.state
    reports: list[StepReport] = []
    encoding: list[float] = []

    def on_step(report: StepReport) -> bool:
        reports.append(report)
        encoding.append(vae.seconds)
        return len(reports) > steps

    run_loop(plan, state, interrupt=Interrupt(), on_step=on_step)
    return Block(
        steps=steps,
        seconds=sum(report.seconds for report in reports[1:]),
        waited=sum(report.waited for report in reports[1:]),
        encoding=encoding[-1] - encoding[0],
        first_waited=reports[0].waited,
    )


def _feeds(name: str, run: RunConfig, plan: Plan, family: ModelFamily) -> dict[str, Feed]:
    """The ways: latents in memory, latents from the disk, pictures decoded here or by workers."""
    storage = Storage(cache_dir=Path(run.cache_dir), memory_bytes=0)
    in_memory = _pictures(run, plan, family).feed
    on_disk = _pictures(run, plan, family).feed
    data = on_disk.reader.data
    data.latents = KeptTensors(storage.cache("latents"), memory_bytes=storage.memory_bytes)
    data.text = KeptTensors(storage.cache("text"), memory_bytes=storage.memory_bytes)
    without = replace(run, dataset=replace(run.dataset, cache_latents=False))
    decoded = _pictures(without, plan, family).feed
    return {
        f"{name}, latents in memory": in_memory,
        f"{name}, latents and text read from the cache": on_disk,
        f"{name}, decoded, workers=0": replace(decoded, workers=0),
        f"{name}, decoded, workers=2": replace(decoded, workers=2),
    }


def _pictures(run: RunConfig, plan: Plan, family: ModelFamily) -> Pictures:
    return load_pictures(run, plan, family, clock=Clock(), console=Console(quiet=True))


def _report(settings: Settings, blocks: dict[str, list[Block]]) -> None:
    print(f"the demo's step, {settings.threads} threads:")
    for way, each in blocks.items():
        shares = [block.waited / block.seconds for block in each]
        milliseconds = statistics.median(block.seconds / block.steps for block in each) * 1e3
        waited = statistics.median(block.waited / block.steps for block in each) * 1e3
        encoding = statistics.median(block.encoding / block.steps for block in each) * 1e3
        print(
            f"  {way:50} waits {statistics.median(shares):7.2%} ({min(shares):.2%} to {max(shares):.2%}) "
            f"of {milliseconds:6.1f} ms: {waited:6.2f} ms, {encoding:5.1f} of them in the VAE; "
            f"first step {statistics.median(block.first_waited for block in each) * 1e3:.0f} ms",
            flush=True,
        )


def _run(settings: Settings, cache: Path, *overrides: str) -> RunConfig:
    register()
    common = [
        f"training.threads={settings.threads}",
        "training.steps=1000000",
        "training.device=cpu",
        "training.workers=0",
        "evaluation.enabled=false",
        f"cache_dir={cache}",
        f"output_dir={cache}/outputs",
    ]
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return load(compose("config", overrides=[*common, *overrides]))
