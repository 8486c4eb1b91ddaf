"""The beginning of the steps, or of their continuation: optimizer, checkpoint, trackers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.compose.plan import Plan
from engine.compose.run_id import plain_values
from engine.config import RunConfig, is_demo
from engine.optimizers.build import build_optimizer
from engine.optimizers.lr_schedule import build_lr_schedule
from engine.training.loop import LoopPlan, LoopState
from engine.training.parts import Model, Pictures
from engine.training.resume import Checkpoint, load_checkpoint
from engine.training.setup import make_accelerator
from engine.training.step import Objective
from engine.training.tracker import TrackedRun, given_part
from engine.training.tracking import Trackers, open_trackers
from engine.training.trained_parameters import trained_parameters


@dataclass(kw_only=True, slots=True)
class Start:
    """Where the loop begins."""

    loop_plan: LoopPlan
    state: LoopState
    checkpoints: Path
    resumed_step: int | None = None  # None = from the beginning
    seconds: float = 0.0  # that earlier starts took
    val_losses: list[tuple[int, float]] = field(default_factory=list)


def start_or_resume(run: RunConfig, plan: Plan, model: Model, pictures: Pictures) -> Start:
    """Optimizer, schedule and accelerator, in the state of the newest checkpoint when there is one."""
    accelerator = make_accelerator(run.training, model.family.device)
    trained = trained_parameters(model.network, run.optimizer.class_path)
    optimizer = build_optimizer(
        run.optimizer, trained.parameters, factors=trained.factors, on_text=trained.on_text
    )
    state = LoopState(
        network=model.network,
        optimizer=accelerator.prepare(optimizer),
        lr_schedule=build_lr_schedule(run.lr_schedule, optimizer, plan.total_steps),
        accelerator=accelerator,
    )
    loop_plan = LoopPlan(
        family=model.family,
        feed=pictures.feed,
        objective=Objective(noise=run.noise, loss=run.loss, prediction=run.model.prediction),
        seed=run.seed,
        total_steps=plan.total_steps,
        gradient_accumulation=run.training.gradient_accumulation,
        max_grad_norm=run.training.max_grad_norm,
    )
    start = Start(loop_plan=loop_plan, state=state, checkpoints=plan.folder / "checkpoints")
    checkpoint = load_checkpoint(start.checkpoints)
    if checkpoint is not None:
        _restore(start, model, checkpoint)
    model.network.train(True)
    return start


def open_run_trackers(
    run: RunConfig, plan: Plan, *, resumed_step: int | None, warn: Callable[[str], None]
) -> Trackers:
    """log.csv, wandb and TensorBoard, going on where the run goes on."""
    tracked = TrackedRun(
        folder=plan.folder,
        name=plan.folder.name,
        run_id=plan.run_id,
        config=plain_values(run),
        is_demo=is_demo(run.model),
        resumed_step=resumed_step,
        part_of=given_part(),
    )
    return open_trackers(run.tracking, tracked, warn=warn)


def _restore(start: Start, model: Model, checkpoint: Checkpoint) -> None:
    state = start.state
    model.network.load_state(checkpoint.network)
    state.optimizer.load_state_dict(checkpoint.optimizer)
    state.lr_schedule.load_state_dict(checkpoint.lr_schedule)
    if state.accelerator.scaler is not None and checkpoint.grad_scaler is not None:
        state.accelerator.scaler.load_state_dict(checkpoint.grad_scaler)
    state.step = checkpoint.step
    state.losses = list(checkpoint.losses)
    start.val_losses = list(checkpoint.val_losses)
    start.resumed_step = checkpoint.step
    start.seconds = checkpoint.seconds
