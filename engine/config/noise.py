"""What noise is added to the latents."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class NoiseConfig:
    """Changes to the plain Gaussian noise of training."""

    offset: float = 0.0  # std of a constant added per picture and channel; 0 = off, 0.03-0.1 usual
