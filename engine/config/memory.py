"""Levers on a run's memory, beside training.gradient_checkpointing and 8-bit optimizers."""

from dataclasses import dataclass
from enum import Enum


class Quantize(Enum):
    """How the frozen numbers of Linear layers are kept."""

    none = "none"
    nf4 = "nf4"  # 4 bits, bitsandbytes
    int8 = "int8"  # 8 bits, bitsandbytes
    fp8 = "fp8"  # 8-bit floats, torchao
    int8_ao = "int8_ao"  # 8 bits, torchao


@dataclass(kw_only=True, slots=True)
class MemoryConfig:
    """What waits where memory is plentiful, and what is done in smaller pieces."""

    unload_encoders: bool = True  # text encoders and VAE wait on the processor where what they give is kept
    vae_slicing: bool = False  # the VAE takes pictures one by one, which previews of several need less for
    blocks_to_swap: int = 0  # last blocks of a transformer that wait on the processor, one at a time excepted
    quantize: Quantize = Quantize.none  # of the denoiser's Linear layers; UNets have convolutions beside them
    vae_tiling: bool = False  # it takes large pictures in overlapping tiles: less memory, faint differences
