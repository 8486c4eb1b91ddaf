"""The noise schedule of a model that was trained on a thousand fixed levels: epsilon and v models."""

from torch import Tensor

from engine.config import Prediction
from engine.diffusion.noise_schedule import add_noise
from engine.diffusion.targets import prediction_target
from engine.diffusion.timesteps import spaced_timesteps


class DiscreteSchedule:
    """Levels given by the share of signal power that is left; timesteps are whole numbers, int64."""

    def __init__(self, alphas_cumprod: Tensor) -> None:
        """alphas_cumprod [T], falling, on the model's device."""
        self.alphas_cumprod = alphas_cumprod

    @property
    def num_timesteps(self) -> int:
        """How many levels there are, usually 1000."""
        return len(self.alphas_cumprod)

    def middle_timesteps(self, count: int) -> Tensor:
        """The middles of `count` equal parts, rising."""
        return spaced_timesteps(count, num_timesteps=self.num_timesteps)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Mix latents and noise, each [B, C, H, W], at timesteps [B]."""
        return add_noise(latents, noise, timesteps, self.alphas_cumprod)

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor, *, prediction: Prediction) -> Tensor:
        """The noise, or the velocity."""
        return prediction_target(latents, noise, timesteps, self.alphas_cumprod, prediction=prediction)
