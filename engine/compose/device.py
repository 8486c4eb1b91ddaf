"""Which device an option means on this machine."""

import os

_FIRST_WITH_BF16 = (8, 0)  # compute capability


def visible_device(device: str) -> str | None:
    """The device that the option means on this machine, as torch names it; None where it is not there."""
    import torch

    if device == "cpu":
        return "cpu"
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if cuda else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "mps":
        return "mps" if torch.backends.mps.is_available() else None
    return device if int(device.partition(":")[2] or 0) < cuda else None


def memory_of_gpu(device: str) -> int | None:
    """Bytes of the memory of a CUDA device by torch's name for it; None for others."""
    import torch

    if not device.startswith("cuda"):
        return None
    return torch.cuda.get_device_properties(device).total_memory


def imitates_bf16(device: str) -> bool:
    """Whether torch's name is that of a GPU older than bfloat16 (before Ampere)."""
    import torch

    return device.startswith("cuda") and torch.cuda.get_device_capability(device) < _FIRST_WITH_BF16


def num_threads(threads: int | None) -> int:
    """CPU threads in force: as given, or one for each core that this process may use."""
    if threads is not None:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
