"""What training asks of a noise schedule, discrete or continuous."""

from typing import Protocol

from torch import Tensor

from engine.config import Prediction


class NoiseSchedule(Protocol):
    """From latents and noise to what the denoiser sees, and what it should answer."""

    @property
    def num_timesteps(self) -> int:
        """The timestep of pure noise, about."""
        ...

    def middle_timesteps(self, count: int) -> Tensor:
        """The middles of `count` equal parts, where a fixed loss is taken: [count], rising."""
        ...

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """[B, C, H, W] each, timesteps [B] -> [B, C, H, W]."""
        ...

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor, *, prediction: Prediction) -> Tensor:
        """What the denoiser should have answered, [B, C, H, W]."""
        ...
