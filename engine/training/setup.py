"""The machine that a run is given: precision, accelerate, memory."""

from typing import TYPE_CHECKING

import torch

from engine.config import TrainingConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


def make_accelerator(config: TrainingConfig, device: torch.device) -> "Accelerator":
    """A fresh Accelerator; its process-wide state is reset, or it would keep the last run's precision."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)
    return Accelerator(cpu=device.type == "cpu", mixed_precision=config.mixed_precision.value)


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory that this process has held: on the GPU where one is used, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows has no such count in the standard library
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
