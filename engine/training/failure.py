"""What an exception means for the run: its outcome, and its cause in words."""

import re

import torch

from engine.config.outcome import Outcome
from engine.training.loop import DivergedError
from engine.training.reader import PictureGoneError

_OUT_OF_MEMORY = re.compile(r"out of memory|can.?t allocate memory|cannot allocate memory", re.IGNORECASE)
_LESS_MEMORY = (
    "Set a smaller dataset.batch_size with more training.gradient_accumulation, "
    "training.gradient_checkpointing=true, or training.mixed_precision=bf16."
)


def name_failure(error: BaseException) -> tuple[Outcome, str]:
    """diverged, out_of_memory, interrupted, or failed for whatever nobody foresaw; with the cause."""
    if isinstance(error, DivergedError):
        return Outcome.diverged, f"{error}. Lower optimizer.lr or network.alpha."
    if isinstance(error, KeyboardInterrupt):
        return Outcome.interrupted, "stopped at once, without saving"
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error))
    ):
        first_line = str(error).splitlines()[0] if str(error) else "no memory left"
        return Outcome.out_of_memory, f"{first_line}. {_LESS_MEMORY}"
    if isinstance(error, PictureGoneError):
        return Outcome.failed, f"{error}. Put it back as it was."
    return Outcome.failed, f"{type(error).__name__}: {error}"


def is_foreseen(error: BaseException) -> bool:
    """Whether its cause says all that there is to say, so that no traceback is needed."""
    return isinstance(error, PictureGoneError) or name_failure(error)[0] is not Outcome.failed
