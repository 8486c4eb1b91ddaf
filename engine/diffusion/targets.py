"""What the model should have answered."""

from torch import Tensor

from engine.config import Prediction
from engine.diffusion.noise_schedule import signal_and_noise


def prediction_target(
    latents: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor, *, prediction: Prediction
) -> Tensor:
    """The noise (epsilon), or the velocity sqrt(a_t) e - sqrt(1 - a_t) x (v).

    latents, noise  [B, C, H, W]
    timesteps       [B]
    returns         [B, C, H, W]
    Source: Ho et al. 2020; Salimans & Ho 2022, appendix D.
    """
    if prediction is Prediction.epsilon:
        return noise
    signal, strength = signal_and_noise(timesteps, alphas_cumprod)
    return signal.to(noise)[:, None, None, None] * noise - strength.to(noise)[:, None, None, None] * latents
