"""Every random number of a run: a function of (seed, stream, step, sample), never of earlier draws.

Philox is a counter-based generator whose 128-bit key is the hash of those four values (Salmon et al.
2011, "Parallel random numbers: as easy as 1, 2, 3"). torch's own CPU generator keeps 32 bits of its
seed, so that two samples of a long run would now and then share their noise.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def normal_draws(
    seed: int, stream: str, *, step: int, samples: Sequence[int], shape: Sequence[int]
) -> Tensor:
    """Unit Gaussian noise, each sample from its own generator.

    samples   positions of the pictures within the step; the batch they arrive in plays no part
    returns   [B, *shape] float32 on the CPU
    """
    draws = [
        _generator(seed, stream, step, sample).standard_normal(tuple(shape), np.float32) for sample in samples
    ]
    return torch.from_numpy(np.stack(draws))


def uniform_draws(seed: int, stream: str, *, step: int, samples: Sequence[int]) -> Tensor:
    """Uniform numbers in [0, 1), one for each sample: [B] float64 on the CPU."""
    draws = [_generator(seed, stream, step, sample).random() for sample in samples]
    return torch.tensor(draws, dtype=torch.float64)


def picture_noise(prompt: str, seed: int, shape: Sequence[int]) -> Tensor:
    """The first latents of a picture [*shape], a function of its prompt and its seed alone."""
    return normal_draws(seed, f"picture:{prompt}", step=0, samples=[0], shape=shape)[0]


def seed_torch(seed: int, stream: str, step: int) -> None:
    """Seed torch's global generators, which dropout layers draw from."""
    torch.manual_seed(seed_of(seed, stream, step, 0) % 2**63)


def seed_of(seed: int, stream: str, step: int, sample: int) -> int:
    """128 bits that belong to one draw: what any other generator (of captions, crops) is seeded with."""
    text = f"{seed}|{stream}|{step}|{sample}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:16], "little")


def _generator(seed: int, stream: str, step: int, sample: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed_of(seed, stream, step, sample)))
