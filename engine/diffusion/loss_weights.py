"""How much the error at a timestep counts."""

import torch
from torch import Tensor

from engine.config import Prediction


def min_snr_weights(snr: Tensor, gamma: float, *, prediction: Prediction) -> Tensor:
    """Cap the weight of nearly clean timesteps: min(snr, gamma) / snr, for v / (snr + 1).

    snr      [B]  signal-to-noise ratio, > 0
    gamma    > 0, usually 5
    returns  [B]
    Source: Hang et al. 2023, "Efficient diffusion training via min-SNR weighting strategy", section 3.4.
    """
    capped = torch.clamp(snr, max=gamma)
    return capped / (snr if prediction is Prediction.epsilon else snr + 1.0)
