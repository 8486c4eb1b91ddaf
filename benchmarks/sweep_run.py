"""One training run in this process, by the same events as train.py's, with the base model kept warm."""

import hashlib
import io
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# What every run of these benchmarks has: one thread, so that it gives the same bits anywhere; no trackers.
PLAIN = ("tracking=off", "training.device=cpu", "training.threads=1", "sampling.preview_every=0")


@dataclass(kw_only=True, slots=True, frozen=True)
class Ran:
    """What a run came to."""

    run_id: str
    folder: Path
    outcome: str
    steps: int  # that were made
    seconds: float  # training, drawing and scoring
    wall: float  # the same from outside: with composing, checking, and all that is written
    by_phase: dict[str, float]
    values: dict[str, float] = field(default_factory=dict)  # metric -> value of the final pictures
    spreads: dict[str, float] = field(default_factory=dict)  # half-width of a 95 % interval over prompts
    base: dict[str, float] = field(default_factory=dict)  # metric -> the base model's value
    real: dict[str, float] = field(default_factory=dict)  # metric -> that of true pictures
    val_loss: float = math.nan  # the last one
    sha256: str = ""  # of the LoRA file; empty: there is none


def train_once(overrides: Sequence[str], *, on_validation: Callable[[int, float], bool] | None = None) -> Ran:
    """Compose, check, train and score; a finished run's folder is only read. What is printed is lost."""
    from demo.folder import prepare_demo
    from engine.compose.begin import begin
    from engine.training.job import Hooks
    from engine.training.train import train
    from evaluation.check import check_scoring
    from evaluation.in_run import scorer_of

    start = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        run, plan, console = begin(composed(overrides), prepare_demo, check_scoring)
        scorer = scorer_of(run, plan.sources, device=plan.device)
        result = train(run, plan, console=console, hooks=Hooks(on_validation=on_validation, score=scorer))
    wall = time.perf_counter() - start
    return Ran(
        run_id=result.run_id,
        folder=result.folder,
        outcome=result.outcome.value,
        steps=result.steps_done,
        seconds=result.seconds,
        wall=wall,
        by_phase=result.seconds_by_phase,
        val_loss=result.val_losses[-1][1] if result.val_losses else math.nan,
        sha256=hashlib.sha256(result.weights.read_bytes()).hexdigest() if result.weights else "",
        **_scores(result.folder),
    )


def run_id_of(overrides: Sequence[str]) -> str:
    """The name of a run, without any of its work."""
    from engine.compose.load import load
    from engine.compose.run_id import run_id

    return run_id(load(composed(overrides)))


def composed(overrides: Sequence[str]) -> "DictConfig":
    """The config of a run."""
    from hydra import compose, initialize_config_dir

    from engine.compose.register import register

    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def _scores(folder: Path) -> dict[str, dict[str, float]]:
    """values, spreads, base and real by metric, as scores.json has them; nothing where there is none."""
    from evaluation.records import read_scores

    path = folder / "scores.json"
    if not path.is_file():
        return {}
    rows = read_scores(path).rows
    final = {row.metric: row.final for row in rows if row.final}
    return {
        "values": {metric: found.value for metric, found in final.items()},
        "spreads": {metric: found.spread for metric, found in final.items() if found.spread is not None},
        "base": {row.metric: row.base.value for row in rows if row.base},
        "real": {row.metric: row.real.value for row in rows if row.real},
    }


def machine() -> str:
    """The processor and the versions that a figure depends on, and how busy the machine is."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "optuna", "hydra-core"))
    processor = (models or [platform.machine()])[0]
    return f"{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {names}"


def quiet() -> None:
    """Before the first run of a process: one thread everywhere, no hub, no notices of libraries."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["WANDB_MODE"] = "disabled"
