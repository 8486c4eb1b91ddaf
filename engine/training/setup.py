"""The machine that a run is given: device, threads, precision."""

import os
from typing import TYPE_CHECKING

import torch

from engine.config import ConfigError, MixedPrecision, TrainingConfig

if TYPE_CHECKING:
    from accelerate import Accelerator

_DTYPES = {
    MixedPrecision.no: torch.float32,
    MixedPrecision.fp16: torch.float16,
    MixedPrecision.bf16: torch.bfloat16,
}


def choose_device(name: str) -> torch.device:
    """The device that training.device means; auto takes a GPU when there is one.

    raises  ConfigError when the device is not there
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"training.device={name}: torch sees {torch.cuda.device_count()} CUDA devices. "
            "Set training.device=auto, or install a torch build for your GPU."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"training.device={name}: torch sees no Apple GPU. Set training.device=auto.")
    return device


def choose_threads(config: TrainingConfig) -> int:
    """CPU threads in force: as given, or one for each core that this process may use."""
    if config.threads is not None:
        return config.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model_dtype(config: TrainingConfig) -> torch.dtype:
    """The dtype of the frozen denoiser."""
    return _DTYPES[config.mixed_precision]


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
