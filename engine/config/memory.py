"""Levers on a run's memory, beside training.gradient_checkpointing and 8-bit optimizers."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class MemoryConfig:
    """What waits where memory is plentiful, and what is done in smaller pieces."""

    unload_encoders: bool = True  # text encoders and VAE wait on the processor where what they give is kept
    vae_slicing: bool = False  # the VAE takes pictures one by one, which previews of several need less for
    vae_tiling: bool = False  # it takes large pictures in overlapping tiles: less memory, faint differences
