"""The dtype of the frozen denoiser that a precision means."""

import torch

from engine.config import MixedPrecision, TrainingConfig

_DTYPES = {
    MixedPrecision.no: torch.float32,
    MixedPrecision.fp16: torch.float16,
    MixedPrecision.bf16: torch.bfloat16,
}


def model_dtype(config: TrainingConfig) -> torch.dtype:
    """The dtype that the denoiser and the text encoder are loaded in."""
    return _DTYPES[config.mixed_precision]
