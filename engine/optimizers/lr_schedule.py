"""The learning rate over a run: a linear warm-up from 0, then the curve."""

from typing import TYPE_CHECKING

from engine.config import LRScheduleConfig, LRScheduleKind

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


def num_warmup_steps(config: LRScheduleConfig, total_steps: int) -> int:
    """Steps of the warm-up: below 1 a share of all steps (rounded down, as kohya does), else the number."""
    return int(config.warmup * total_steps) if config.warmup < 1 else int(config.warmup)


def build_lr_schedule(config: LRScheduleConfig, optimizer: "Optimizer", total_steps: int) -> "LRScheduler":
    """The schedule of diffusers that the config names; step it once after each optimizer step.

    The factor on each group's rate at step i (from 0): i / warmup during the warm-up, then 1 (constant) or
    (1 + cos(pi x share done)) / 2, which is 0 after the last step.
    """
    from diffusers.optimization import get_scheduler

    warmup = num_warmup_steps(config, total_steps)
    if config.kind is LRScheduleKind.cosine:
        return get_scheduler("cosine", optimizer, num_warmup_steps=warmup, num_training_steps=total_steps)
    name = "constant_with_warmup" if warmup else "constant"
    return get_scheduler(name, optimizer, num_warmup_steps=warmup)
