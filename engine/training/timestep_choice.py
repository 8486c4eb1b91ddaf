"""Which noise levels a batch is trained at: the options over the family's own habit."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from engine.config import ModelConfig, NoiseConfig
from engine.diffusion.flow import FlowSchedule, Spread, flow_timesteps, resolution_shift
from engine.diffusion.schedule import NoiseSchedule
from engine.diffusion.timesteps import uniform_timesteps

_PATCH = 2 * 2  # latents in a token of a DiT


def choose_timesteps(
    schedule: NoiseSchedule, noise: NoiseConfig, model: ModelConfig, *, shape: Sequence[int]
) -> Callable[[Tensor], Tensor]:
    """From uniform draws [B] in [0, 1) to timesteps [B] for latents of a shape (C, h, w)."""
    if not isinstance(schedule, FlowSchedule):
        return partial(uniform_timesteps, num_timesteps=schedule.num_timesteps)
    shift = model.default_timestep_shift if noise.timestep_shift is None else noise.timestep_shift
    spread = Spread(
        distribution=noise.timesteps or model.default_timesteps,
        mean=noise.timestep_mean,
        scale=noise.timestep_scale,
        mode_scale=noise.mode_scale,
        shift=resolution_shift(shape[1] * shape[2] // _PATCH) if shift is None else shift,
    )
    return partial(flow_timesteps, spread=spread)
