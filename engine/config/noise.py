"""What noise is added to the latents."""

from dataclasses import dataclass
from enum import Enum


class TimestepDistribution(Enum):
    """How the noise levels of training are spread over a flow model's path."""

    uniform = "uniform"
    logit_normal = "logit_normal"  # most in the middle (Esser et al. 2024); kohya's sigmoid


@dataclass(kw_only=True, slots=True)
class NoiseConfig:
    """Changes to the plain Gaussian noise of training."""

    offset: float = 0.0  # std of a constant added per picture and channel; 0 = off, 0.03-0.1 usual
    timesteps: TimestepDistribution | None = None  # flow models; null = the family's own
    timestep_scale: float = 1.0  # logit_normal: standard deviation of logit(sigma); flow models
    timestep_shift: float | None = None  # > 1 trains more on noise; null = the family's own; flow models
