"""The one line that makes a trial's file again, outside of the sweep."""

import shlex
from collections.abc import Sequence

from engine.compose.arguments import split_override
from engine.compose.load import load
from engine.compose.run_id import identity
from engine.compose.sweep_options import GROUPS
from sweeper.work.composer import Composer

_OF_THE_SWEEP = (*GROUPS, "evaluation.objectives")


def command_of(composer: Composer, overrides: Sequence[str], *, device: str) -> str:
    """`python train.py network.rank=16 ... training.device=cpu`, in the spelling of a POSIX shell.

    overrides  of the trial, with the threads that it trains with: bits depend on them
    device     that it was trained on
    The sweep's own file is named only where it sets options that change the weights.
    """
    kept = [text for text in overrides if _key(text) not in _OF_THE_SWEEP]
    without = [text for text in kept if _key(text) != "sweep"]
    if _identity(composer, without) == _identity(composer, kept):
        kept = without
    kept = [text for text in kept if _key(text) != "training.device"] + [f"training.device={device}"]
    return shlex.join(["python", "train.py", *(text.removeprefix("++") for text in kept)])


def _identity(composer: Composer, overrides: Sequence[str]) -> dict[str, object]:
    return identity(load(composer.task_config(tuple(overrides))))


def _key(text: str) -> str:
    form = split_override(text)
    return form[1] if form else text
