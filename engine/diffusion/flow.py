"""Rectified flow: straight paths from data to noise (Liu et al. 2022; Esser et al. 2024)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import Prediction
from engine.config.noise import TimestepDistribution

NUM_TIMESTEPS = 1000  # what a denoiser is told in place of sigma in (0, 1]
_TOKENS, _SHIFTS = (256, 4096), (0.5, 1.15)  # FLUX: mu at these lengths of a picture's sequence


class FlowSchedule:
    """x_t = (1 - sigma) x + sigma e, with sigma = t / 1000; timesteps are real numbers in (0, 1000]."""

    num_timesteps = NUM_TIMESTEPS

    def middle_timesteps(self, count: int) -> Tensor:
        """The middles of `count` equal parts, float32, rising."""
        return ((torch.arange(count, dtype=torch.float64) + 0.5) / count * NUM_TIMESTEPS).float()

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Mix latents and noise, each [B, C, H, W], at timesteps [B]."""
        sigmas = _spread(timesteps / NUM_TIMESTEPS, latents)
        return (1.0 - sigmas) * latents + sigmas * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor, *, prediction: Prediction) -> Tensor:
        """The velocity of the path, e - x: the same at every timestep."""
        assert prediction is Prediction.flow, prediction
        return noise - latents


@dataclass(kw_only=True, slots=True, frozen=True)
class Spread:
    """A distribution over sigma in (0, 1), which is then shifted towards noise."""

    distribution: TimestepDistribution
    mean: float = 0.0  # of logit_normal: that of logit(sigma)
    scale: float = 1.0  # of logit_normal: the standard deviation of logit(sigma), > 0
    mode_scale: float = 1.29  # of mode: -1 to 2 / (pi - 2); 0 is uniform
    shift: float = 1.0  # > 0; sigma -> shift sigma / (1 + (shift - 1) sigma)


def flow_timesteps(uniform: Tensor, spread: Spread) -> Tensor:
    """Timesteps in (0, 1000] from a distribution over sigma.

    uniform  [B]  in [0, 1); the quantile of each draw, so that options move a draw and do not replace it
    returns  [B]  float32
    logit_normal: sigmoid(mean + scale z), z the unit normal's quantile. mode: 1 - u - s (cos^2(pi u / 2)
    - 1 + u), which falls in u, and is taken at 1 - u: u + s (cos^2(pi u / 2) - 1 + u).
    Source: Esser et al. 2024, section 3.1, and 5.3.2 for the shift.
    """
    quantiles = uniform.double().clamp(1e-7, 1 - 1e-7)
    sigmas = quantiles
    if spread.distribution is TimestepDistribution.logit_normal:
        sigmas = torch.sigmoid(spread.mean + spread.scale * torch.special.ndtri(quantiles))
    elif spread.distribution is TimestepDistribution.mode:
        bend = torch.cos(math.pi / 2 * quantiles).square() - 1.0 + quantiles
        sigmas = (quantiles + spread.mode_scale * bend).clamp(1e-7, 1 - 1e-7)
    return (shifted(sigmas, spread.shift) * NUM_TIMESTEPS).float()


def shifted(sigmas: Tensor, shift: float) -> Tensor:
    """shift sigma / (1 + (shift - 1) sigma): 0 and 1 stay; more noise for a shift above 1."""
    return shift * sigmas / (1.0 + (shift - 1.0) * sigmas)


def resolution_shift(num_tokens: int) -> float:
    """FLUX's shift for a picture of so many tokens (2 x 2 latents each): e^mu, mu linear in the length.

    Source: Black Forest Labs' flux, sampling.get_schedule.
    """
    slope = (_SHIFTS[1] - _SHIFTS[0]) / (_TOKENS[1] - _TOKENS[0])
    return math.exp(_SHIFTS[0] + slope * (num_tokens - _TOKENS[0]))


def _spread(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like).view(-1, *[1] * (like.dim() - 1))
