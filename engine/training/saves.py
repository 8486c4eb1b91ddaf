"""Weights files on the way: one every so many steps or epochs, the last few of them kept."""

import re
from collections.abc import Callable
from glob import escape
from pathlib import Path

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.networks.lora import LoRANetwork
from engine.training.resume import flush_folder
from engine.training.weights import write_weights

_DIGITS = {"epoch": 4, "step": 6}


class Saves:
    """Writes what is due after a step; the files are those of a run that was never stopped.

    A file of step S is there before a checkpoint of step S is: a run that goes on writes each later one
    again, with the same bytes, and takes the same ones away.
    """

    def __init__(self, run: RunConfig, plan: Plan, network: LoRANetwork) -> None:
        self._run = run
        self._plan = plan
        self._network = network
        for orphan in plan.folder.glob(f".{escape(run.name)}*.safetensors.*.tmp"):
            orphan.unlink(missing_ok=True)  # of a start that was killed while it wrote

    def is_due(self, step: int) -> bool:
        """Whether a file is written after this step; the last step's is the run's own file."""
        every, unit = _rhythm(self._run, self._plan)
        return every > 0 and step % (every * unit) == 0 and step < self._plan.total_steps

    def write(self, step: int) -> Path:
        """Write the file of this step, then take away those that are no longer to be kept."""
        number, word = step // _rhythm(self._run, self._plan)[1], _word(self._run)
        path = self._plan.folder / f"{self._run.name}-{word}{number:0{_DIGITS[word]}d}.safetensors"
        write_weights(path, self._run, self._network, steps=step, total_steps=self._plan.total_steps)
        flush_folder(path.parent)  # before an older one goes
        self._drop(number, word)
        return path

    def _drop(self, newest: int, word: str) -> None:
        kept = self._run.training.keep_saves
        if kept is None:
            return
        found = _numbered(self._run.name, word, self._plan.folder)
        earlier = [path for number, path in found if number <= newest]
        for path in earlier[:-kept]:
            path.unlink()


def saved_files(name: str, folder: Path) -> list[Path]:
    """The files on the way of a run of this name that are in its folder, the oldest first."""
    return [path for word in ("epoch", "step") for _, path in _numbered(name, word, folder)]


def tell_idle_saves(run: RunConfig, plan: Plan, *, warn: Callable[[str], None]) -> None:
    """Say so where files on the way are asked of a run that an earlier start finished without any."""
    every, unit = _rhythm(run, plan)
    if not 0 < every * unit < plan.total_steps or saved_files(run.name, plan.folder):
        return  # where there can be none the plan says so
    asked = f"training.{'save_every_epochs' if run.training.save_every_epochs else 'save_every'}={every}"
    warn(f"{asked}: the run ended without files on the way. Add force=true to train it again")


def _rhythm(run: RunConfig, plan: Plan) -> tuple[int, int]:
    """(every so many, steps that one of them has)."""
    if run.training.save_every_epochs:
        return run.training.save_every_epochs, plan.steps_per_epoch
    return run.training.save_every, 1


def _word(run: RunConfig) -> str:
    return "epoch" if run.training.save_every_epochs else "step"


def _numbered(name: str, word: str, folder: Path) -> list[tuple[int, Path]]:
    pattern = re.compile(rf"{re.escape(name)}-{word}(\d+)\.safetensors")
    found = ((pattern.fullmatch(path.name), path) for path in folder.glob("*.safetensors"))
    return sorted((int(match[1]), path) for match, path in found if match)
