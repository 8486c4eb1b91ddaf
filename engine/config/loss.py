"""How the error of a prediction becomes the number that is minimised."""

from dataclasses import dataclass
from enum import Enum


class LossKind(Enum):
    """What the error of a pixel counts: its square, or a pseudo-Huber loss, linear where it is large."""

    l2 = "l2"
    huber = "huber"  # of the size of the square while errors are small
    smooth_l1 = "smooth_l1"  # the same divided by c: of the size of |e| while errors are large


class HuberSchedule(Enum):
    """How c of the pseudo-Huber losses, the error from which on they are linear, follows the timestep."""

    constant = "constant"
    exponential = "exponential"  # from 1 at the first timestep to huber_c at the last
    snr = "snr"  # the same ends, by the share of noise


class FlowWeighting(Enum):
    """How much the error of a flow model counts at a noise level sigma from 0 to 1."""

    none = "none"
    sigma_sqrt = "sigma_sqrt"  # 1 / sigma^2: nearly clean pictures far more; the name is kohya's
    cosmap = "cosmap"  # 2 / (pi (1 - 2 sigma + 2 sigma^2)): the middle up to twice (Esser et al. 2024)
    clean = "clean"  # sigma^2: the error of the clean picture, which kohya's SD3 scripts minimise


@dataclass(kw_only=True, slots=True)
class LossConfig:
    """One number per picture, the mean over its pixels, optionally weighted by timestep."""

    kind: LossKind = LossKind.l2  # what is minimised; the fixed validation loss is l2 whatever this is
    huber_c: float = 0.1  # error from which on huber and smooth_l1 are linear; of the noisiest timestep
    huber_schedule: HuberSchedule = HuberSchedule.snr  # how c follows the timestep
    huber_scale: float = 1.0  # what c is multiplied by, of the schedules constant and exponential
    prior_loss_weight: float = 1.0  # weight of regularisation pictures beside those that are learnt
    min_snr_gamma: float | None = None  # cap of the SNR weight (Hang et al. 2023), usually 5; null = off
    flow_weighting: FlowWeighting = FlowWeighting.none  # how much each noise level counts; flow models
