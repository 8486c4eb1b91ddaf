"""The beginning of a run, or of its continuation: folder, optimizer, checkpoint, trackers."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import OmegaConf

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.config.model import is_demo
from engine.optimizers.build import build_optimizer
from engine.optimizers.lr_schedule import build_lr_schedule
from engine.training.clock import Clock
from engine.training.loop import LoopPlan, LoopState
from engine.training.parts import Parts
from engine.training.resume import Checkpoint, load_checkpoint
from engine.training.setup import make_accelerator
from engine.training.step import Objective
from engine.training.tracker import TrackedRun
from engine.training.tracking import Trackers, open_trackers


@dataclass(kw_only=True, slots=True)
class Start:
    """Where the loop begins."""

    loop_plan: LoopPlan
    state: LoopState
    checkpoints: Path
    resumed_step: int | None = None  # None = from the beginning
    val_losses: list[tuple[int, float]] = field(default_factory=list)


def clear_folder(folder: Path) -> None:
    """Forget an earlier run of the same settings: everything in its folder goes but the lock."""
    for path in folder.iterdir():
        if path.name == ".lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def start_or_resume(run: RunConfig, plan: Plan, parts: Parts, *, clock: Clock) -> Start:
    """Optimizer, schedule and accelerator, in the state of the newest checkpoint when there is one."""
    accelerator = make_accelerator(run.training, parts.device)
    optimizer = build_optimizer(run.optimizer, parts.network.parameters())
    lr_schedule = build_lr_schedule(run.lr_schedule, optimizer, plan.total_steps)
    state = LoopState(
        network=parts.network,
        optimizer=accelerator.prepare(optimizer),
        lr_schedule=lr_schedule,
        accelerator=accelerator,
    )
    start = Start(loop_plan=_loop_plan(run, plan, parts), state=state, checkpoints=plan.folder / "checkpoints")
    checkpoint = load_checkpoint(start.checkpoints)
    if checkpoint is not None:
        _restore(start, parts, checkpoint)
        clock.earlier = checkpoint.seconds
    parts.network.train(True)
    return start


def open_run_trackers(run: RunConfig, plan: Plan, start: Start, *, warn: Callable[[str], None]) -> Trackers:
    """log.csv, wandb and tensorboard, going on where the run goes on."""
    config = OmegaConf.to_container(OmegaConf.structured(run), enum_to_str=True)
    assert isinstance(config, dict)
    tracked = TrackedRun(
        folder=plan.folder,
        name=plan.folder.name,
        run_id=plan.run_id,
        config={str(key): value for key, value in config.items()},
        is_demo=is_demo(run.model),
        resumed_step=start.resumed_step,
    )
    return open_trackers(run.tracking, tracked, warn=warn)


def _loop_plan(run: RunConfig, plan: Plan, parts: Parts) -> LoopPlan:
    return LoopPlan(
        family=parts.family,
        data=parts.data,
        batch_at=parts.order.batch_at,
        objective=Objective(noise=run.noise, loss=run.loss, prediction=run.model.prediction),
        seed=run.seed,
        total_steps=plan.total_steps,
        gradient_accumulation=run.training.gradient_accumulation,
        max_grad_norm=run.training.max_grad_norm,
    )


def _restore(start: Start, parts: Parts, checkpoint: Checkpoint) -> None:
    state = start.state
    parts.network.load_state(checkpoint.network)
    state.optimizer.load_state_dict(checkpoint.optimizer)
    state.lr_schedule.load_state_dict(checkpoint.lr_schedule)
    if state.accelerator.scaler is not None and checkpoint.grad_scaler is not None:
        state.accelerator.scaler.load_state_dict(checkpoint.grad_scaler)
    state.step = checkpoint.step
    state.losses = list(checkpoint.losses)
    start.val_losses = list(checkpoint.val_losses)
    start.resumed_step = checkpoint.step
