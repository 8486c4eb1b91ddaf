"""The steps of a run, one after the other."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from engine.config.outcome import Outcome
from engine.diffusion.seeding import seed_torch
from engine.models.family import ModelFamily
from engine.training.feed import Fed, Feed
from engine.training.interrupt import Interrupt
from engine.training.step import Objective, make_draws, training_losses
from engine.training.timestep_choice import choose_timesteps

if TYPE_CHECKING:
    from accelerate import Accelerator


class Trained(Protocol):
    """What the loop asks of a network: a few flat parameters and their one gradient buffer."""

    def parameters(self) -> list[torch.nn.Parameter]: ...

    def zero_grad(self) -> None: ...


class DivergedError(Exception):
    """A loss or a gradient that is no longer a finite number."""


@dataclass(kw_only=True, slots=True)
class LoopPlan:
    """What the loop works through; nothing of it changes."""

    family: ModelFamily
    feed: Feed
    objective: Objective
    seed: int
    total_steps: int
    gradient_accumulation: int
    max_grad_norm: float


@dataclass(kw_only=True, slots=True)
class LoopState:
    """What the loop changes; a checkpoint holds all of it."""

    network: Trained
    optimizer: torch.optim.Optimizer
    lr_schedule: torch.optim.lr_scheduler.LRScheduler
    accelerator: "Accelerator"
    step: int = 0
    losses: list[float] = field(default_factory=list)


@dataclass(kw_only=True, slots=True, frozen=True)
class StepReport:
    """What one optimizer step showed."""

    step: int
    loss: float
    lr: float
    grad_norm: float
    num_images: int
    seconds: float
    waited: float  # seconds of them, for pictures to be read


def run_loop(
    plan: LoopPlan,
    state: LoopState,
    *,
    interrupt: Interrupt,
    on_step: Callable[[StepReport], bool],
) -> Outcome:
    """Train until the last step, a signal, or until on_step asks to stop.

    on_step   is called after each optimizer step; true stops the run as pruned
    returns   completed, interrupted or pruned
    raises    DivergedError when the loss or the gradient is not finite
    """
    accumulation = plan.gradient_accumulation
    batches = plan.feed.batches(state.step * accumulation, plan.total_steps * accumulation)
    while state.step < plan.total_steps:
        report = _one_step(plan, state, batches)
        if on_step(report):
            return Outcome.pruned
        if interrupt.signal is not None:
            return Outcome.interrupted
    return Outcome.completed


def _one_step(plan: LoopPlan, state: LoopState, batches: Iterator[Fed]) -> StepReport:
    started, waited = time.perf_counter(), 0.0
    state.network.zero_grad()
    losses: list[Tensor] = []
    num_images = 0
    for _ in range(plan.gradient_accumulation):
        asked = time.perf_counter()
        fed = next(batches)
        waited += time.perf_counter() - asked
        loss = _batch_loss(plan, state, fed)
        state.accelerator.backward(loss / plan.gradient_accumulation)
        losses.append(loss.detach())
        num_images += len(fed.read.pictures)
    loss_value = float(torch.stack(losses).mean())
    if not math.isfinite(loss_value):
        raise DivergedError(f"the loss of step {state.step + 1} is {loss_value}")
    grad_norm = _clip(plan, state)
    lr = float(state.lr_schedule.get_last_lr()[0])
    state.optimizer.step()
    state.lr_schedule.step()
    state.step += 1
    state.losses.append(loss_value)
    return StepReport(
        step=state.step,
        loss=loss_value,
        lr=lr,
        grad_norm=grad_norm,
        num_images=num_images,
        seconds=time.perf_counter() - started,
        waited=waited,
    )


def _batch_loss(plan: LoopPlan, state: LoopState, fed: Fed) -> Tensor:
    batch, read = fed.batch, fed.read
    family, shape = plan.family, batch.mean.shape[1:]
    to_timesteps = choose_timesteps(family.schedule, plan.objective.noise, family.config, shape=shape)
    draws = make_draws(plan.seed, read.step, read.samples, shape=shape, to_timesteps=to_timesteps)
    seed_torch(plan.seed, "dropout", read.micro_step)
    return training_losses(plan.family, batch, draws, plan.objective).mean()


def _clip(plan: LoopPlan, state: LoopState) -> float:
    limit = plan.max_grad_norm or math.inf
    norm = float(state.accelerator.clip_grad_norm_(state.network.parameters(), limit))
    scaled = state.accelerator.scaler is not None  # fp16: such a step is skipped and the scale lowered
    if not math.isfinite(norm) and not scaled:
        raise DivergedError(f"the gradient of step {state.step + 1} is {norm}")
    return norm
