"""How a run ended."""

from enum import Enum


class Outcome(Enum):
    """Each run ends in exactly one of these, with its cause in result.json."""

    completed = "completed"
    pruned = "pruned"
    diverged = "diverged"
    out_of_memory = "out_of_memory"
    interrupted = "interrupted"
    failed = "failed"
