"""Whole runs on the demo, made small: three steps of two pictures, one prompt, no wandb, no scores."""

from pathlib import Path

from rich.console import Console

from demo.folder import prepare_demo
from engine.compose.plan import Plan
from engine.compose.preflight import preflight
from engine.config import RunConfig
from engine.training.job import Hooks
from engine.training.result import TrainResult
from engine.training.train import train
from evaluation.check import check_scoring
from tests.compose.toys import composed

SMALL = (
    "training.steps=3",
    "training.threads=1",
    "training.validate_every=0",
    "training.validation_images=1",
    "training.validation_timesteps=2",
    "training.checkpoint_every=0",
    "dataset.batch_size=2",
    "network.rank=2",
    "sampling.num_prompts=1",
    "sampling.num_plain_prompts=0",
    "sampling.seeds=[1]",
    "sampling.steps=2",
    "sampling.preview_every=0",
    "evaluation.enabled=false",
    "tracking.wandb=disabled",
)


def small_run(folder: Path, *overrides: str) -> tuple[RunConfig, Plan]:
    """A checked run whose files all lie in a folder."""
    places = (f"output_dir={folder / 'outputs'}", f"cache_dir={folder / 'cache'}")
    given = {override.split("=")[0] for override in overrides}
    defaults = [default for default in SMALL if default.split("=")[0] not in given]
    run = composed(*places, *defaults, *overrides)
    return run, preflight(run, prepare_demo, check_scoring)


def train_small(folder: Path, *overrides: str, hooks: Hooks | None = None) -> TrainResult:
    """Train such a run to its end."""
    run, plan = small_run(folder, *overrides)
    return train(run, plan, console=Console(quiet=True), hooks=hooks)
