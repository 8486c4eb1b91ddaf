"""The one line that makes a trial's file again, outside of the sweep."""

import shlex
from collections.abc import Sequence

from engine.compose.arguments import split_override
from engine.compose.sweep_options import GROUPS

_OF_THE_SWEEP = ("sweep", *GROUPS, "evaluation.objectives")  # without effect on the file


def command_of(overrides: Sequence[str], *, device: str) -> str:
    """`python train.py network.rank=16 ... training.device=cpu`, in the spelling of a POSIX shell.

    overrides  of the trial, with the threads that it trains with: bits depend on them
    device     that it was trained on
    """
    left_out = (*_OF_THE_SWEEP, "training.device")
    kept = [text for text in overrides if _key(text) not in left_out] + [f"training.device={device}"]
    return shlex.join(["python", "train.py", *(text.removeprefix("++") for text in kept)])


def _key(text: str) -> str:
    form = split_override(text)
    return form[1] if form else text
