"""How the error of a prediction becomes the number that is minimised."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class LossConfig:
    """Mean squared error per picture, optionally weighted by timestep."""

    prior_loss_weight: float = 1.0  # weight of regularisation pictures beside those that are learnt
    min_snr_gamma: float | None = None  # cap of the SNR weight (Hang et al. 2023), usually 5; null = off
