"""The distance between prediction and target, one number per picture."""

import torch
from torch import Tensor

from engine.config import HuberSchedule
from engine.diffusion.flow import NUM_TIMESTEPS
from engine.diffusion.noise_schedule import signal_to_noise


def mean_squared_error(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over channels and pixels of the squared difference.

    prediction, target  [B, C, H, W]
    mask                [B, 1, H, W]  0 to 1: how much a pixel counts. The mean is taken over all pixels, so
                        that a picture of which little counts weighs less. Source: kohya sd-scripts 0.10.1,
                        custom_train_functions.apply_masked_loss.
    returns             [B] float32
    """
    error = (prediction.float() - target.float()).square()
    return _mean(error, mask)


def pseudo_huber(
    prediction: Tensor, target: Tensor, mask: Tensor | None = None, *, strengths: Tensor
) -> Tensor:
    """Mean over channels and pixels of 2 c (sqrt(e^2 + c^2) - c): e^2 where e << c, 2 c |e| where e >> c.

    prediction, target, mask  as mean_squared_error takes them
    strengths                 [B]  c of each picture, > 0
    returns                   [B] float32
    Source: Song & Dhariwal 2023, "Improved techniques for training consistency models", section 3.3; the
    factor is that of kohya sd-scripts 0.10.1, train_util.conditional_loss, loss_type huber.
    """
    return 2.0 * strengths * _rounded_distance(prediction, target, mask, strengths)


def smooth_l1(prediction: Tensor, target: Tensor, mask: Tensor | None = None, *, strengths: Tensor) -> Tensor:
    """Mean over channels and pixels of 2 (sqrt(e^2 + c^2) - c): e^2 / c where e << c, 2 |e| where e >> c.

    Shapes as pseudo_huber. Source: kohya sd-scripts 0.10.1, train_util.conditional_loss, loss_type smooth_l1.
    """
    return 2.0 * _rounded_distance(prediction, target, mask, strengths)


def huber_strengths(
    timesteps: Tensor, alphas_cumprod: Tensor | None, *, schedule: HuberSchedule, c: float, scale: float = 1.0
) -> Tensor:
    """c of each picture, [B] float32: from which error on its loss is linear.

    timesteps       [B]  indices into alphas_cumprod
    alphas_cumprod  [T]  share of signal power left at each timestep, falling; None: a flow model, of 1000
    c               > 0, that of the noisiest timestep
    scale           > 0, multiplies constant and exponential; the schedule by SNR has none in the source
    Source: kohya sd-scripts 0.10.1, train_util.get_huber_threshold_if_needed.
    """
    if schedule is HuberSchedule.snr:
        assert alphas_cumprod is not None, "a rule refuses it for flow models"
        sigmas = signal_to_noise(timesteps, alphas_cumprod).float().rsqrt()
        return (1.0 - c) / (1.0 + sigmas).square() + c
    if schedule is HuberSchedule.exponential:
        done = timesteps.float() / (NUM_TIMESTEPS if alphas_cumprod is None else len(alphas_cumprod))
        return torch.full_like(done, c).pow(done) * scale
    return torch.full(timesteps.shape, c * scale, device=timesteps.device)


def _rounded_distance(prediction: Tensor, target: Tensor, mask: Tensor | None, strengths: Tensor) -> Tensor:
    error = prediction.float() - target.float()
    corner = strengths.view(-1, *[1] * (error.dim() - 1))
    return _mean((error.square() + corner.square()).sqrt() - corner, mask)


def _mean(error: Tensor, mask: Tensor | None) -> Tensor:
    return (error if mask is None else error * mask).flatten(1).mean(dim=1)
