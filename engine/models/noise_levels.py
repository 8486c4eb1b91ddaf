"""The noise levels of epsilon and v models: for training, and for diffusers' samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from engine.config import ConfigError, ModelConfig, Sampler
from engine.diffusion.discrete import DiscreteSchedule
from engine.diffusion.noise_schedule import zero_terminal

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, SchedulerMixin


def training_levels(
    scheduler: DDPMScheduler, config: ModelConfig, *, device: torch.device
) -> DiscreteSchedule:
    """The checkpoint's schedule, stretched to pure noise where the recipe says so.

    raises  ConfigError where the checkpoint is stretched and the recipe says that it is not
    """
    kept = scheduler.alphas_cumprod.to(device)
    is_stretched_already = bool(scheduler.config.get("rescale_betas_zero_snr", False))
    if is_stretched_already and not config.zero_terminal_snr:
        raise ConfigError(
            "model.zero_terminal_snr=false: the checkpoint says that its last timestep is pure noise. "
            "Set model.zero_terminal_snr=true."
        )
    return DiscreteSchedule(
        zero_terminal(kept) if config.zero_terminal_snr and not is_stretched_already else kept
    )


def sampling_scheduler(sampler: Sampler, scheduler: DDPMScheduler, config: ModelConfig) -> SchedulerMixin:
    """diffusers' scheduler for a sampler, on the levels that are trained on."""
    import diffusers

    kind = {
        Sampler.ddim: diffusers.DDIMScheduler,
        Sampler.euler: diffusers.EulerDiscreteScheduler,
        Sampler.dpmpp_2m: diffusers.DPMSolverMultistepScheduler,
    }[sampler]
    changes: dict[str, object] = {}
    if config.zero_terminal_snr:  # from pure noise on, or the last level would be passed over
        changes = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return kind.from_config(scheduler.config, **changes)
