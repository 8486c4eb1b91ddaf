"""How much the error at a timestep counts."""

import math

import torch
from torch import Tensor

from engine.config import FlowWeighting, Prediction


def min_snr_weights(snr: Tensor, gamma: float, *, prediction: Prediction) -> Tensor:
    """Cap the weight of nearly clean timesteps: min(snr, gamma) / snr, for v / (snr + 1).

    snr      [B]  signal-to-noise ratio, > 0
    gamma    > 0, usually 5
    returns  [B]
    Source: Hang et al. 2023, "Efficient diffusion training via min-SNR weighting strategy", section 3.4.
    """
    capped = torch.clamp(snr, max=gamma)
    return capped / (snr if prediction is Prediction.epsilon else snr + 1.0)


def flow_weights(sigmas: Tensor, weighting: FlowWeighting) -> Tensor:
    """How much the squared error of the velocity counts at each noise level.

    sigmas   [B]  in (0, 1]
    returns  [B]
    clean: the clean picture is x_t - sigma v, so that its squared error is sigma^2 times the velocity's.
    Source: Esser et al. 2024, section 3.1 (cosmap); Karras et al. 2022, section 5 (clean);
    kohya sd-scripts 0.10.1, sd3_train_utils.compute_loss_weighting_for_sd3 (sigma_sqrt, cosmap).
    """
    if weighting is FlowWeighting.sigma_sqrt:
        return sigmas.square().reciprocal()
    if weighting is FlowWeighting.cosmap:
        return 2.0 / (math.pi * (1.0 - 2.0 * sigmas + 2.0 * sigmas.square()))
    return sigmas.square() if weighting is FlowWeighting.clean else torch.ones_like(sigmas)
