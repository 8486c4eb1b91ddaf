"""How the learning rate moves over a run."""

from dataclasses import dataclass
from enum import Enum


class LRScheduleKind(Enum):
    """The curve after the warm-up."""

    constant = "constant"
    cosine = "cosine"


@dataclass(kw_only=True, slots=True)
class LRScheduleConfig:
    """A linear warm-up from 0, then the curve: flat, or half a cosine down to 0 at the last step."""

    kind: LRScheduleKind = LRScheduleKind.constant
    warmup: float = 0.0  # below 1: share of all steps; from 1 on: a whole number of steps
