"""Which timesteps a batch is trained at."""

import torch
from torch import Tensor


def uniform_timesteps(draws: Tensor, *, num_timesteps: int) -> Tensor:
    """Spread uniform numbers over the timesteps 0 .. num_timesteps - 1.

    draws    [B]  in [0, 1)
    returns  [B]  int64
    """
    return (draws * num_timesteps).long().clamp_(0, num_timesteps - 1)


def spaced_timesteps(count: int, *, num_timesteps: int) -> Tensor:
    """The middles of `count` equal parts of the schedule, where a fixed loss is taken."""
    parts = torch.arange(count, dtype=torch.float64)
    return uniform_timesteps((parts + 0.5) / count, num_timesteps=num_timesteps)
