"""What noise is added to the latents."""

from dataclasses import dataclass
from enum import Enum


class TimestepDistribution(Enum):
    """How the noise levels of training are spread over a flow model's path."""

    uniform = "uniform"
    logit_normal = "logit_normal"  # most in the middle (Esser et al. 2024); kohya's sigmoid
    mode = "mode"  # the same, and the ends are not left out (Esser et al. 2024)


@dataclass(kw_only=True, slots=True)
class NoiseConfig:
    """Changes to the plain Gaussian noise of training."""

    offset: float = 0.0  # std of a constant added per picture and channel; 0 = off, 0.03-0.1 usual
    timesteps: TimestepDistribution | None = None  # flow models; null = the family's own
    timestep_scale: float = 1.0  # logit_normal: standard deviation of logit(sigma); flow models
    timestep_mean: float = 0.0  # logit_normal: mean of logit(sigma); above 0 more noise; flow models
    mode_scale: float = 1.29  # mode: how much more the middle counts; below 0 the ends do; flow models
    timestep_shift: float | None = None  # > 1 trains more on noise; null = the family's own; flow models
