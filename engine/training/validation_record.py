"""validation.json of a run folder: the fixed losses of the base and of what was saved, picture by picture.

They depend on the base and its precision, on the pictures and captions, on training.validation_images and
training.validation_timesteps, and on no other option: runs that differ in all else can be compared by them.
"""

import json
import math
from pathlib import Path

from engine.config import RunConfig
from engine.data.json_file import write_json
from engine.training.job import Job
from engine.training.parts import Model
from engine.training.previews import BASE, FINAL
from engine.validation import ValidationLosses, ValidationSet, validation_losses

FILE_NAME = "validation.json"
SCHEMA = 1
_DIGITS = 9  # significant ones: all that float32 holds
_NO_WEIGHTS = "no weights were saved"


class ValidationRecord:
    """Takes the fixed losses of a run, and writes those that outlive it."""

    def __init__(self, job: Job, model: Model, looked_at: ValidationSet) -> None:
        self._job = job
        self._run = job.run
        self._model = model
        self._looked_at = looked_at
        self._path = job.plan.folder / FILE_NAME

    def take_base(self) -> ValidationLosses:
        """The base's losses, and write them as such; losses of earlier weights are no longer in the file."""
        with self._model.network.disabled():
            losses = self.take()
        self._write({BASE: self._rows(losses), FINAL: None}, losses, missing={FINAL: _NO_WEIGHTS})
        return losses

    def take(self) -> ValidationLosses:
        """The losses of the network as it is now."""
        self._model.network.train(False)
        with self._job.clock.phase("validation"):
            losses = validation_losses(
                self._model.family,
                self._looked_at.pictures,
                num_timesteps=self._run.training.validation_timesteps,
                prediction=self._run.model.prediction,
            )
        self._model.network.train(True)
        return losses

    def has_base(self) -> bool:
        """Whether an earlier start of the run took the base's losses with these options."""
        return _has(self._path, self._run, BASE)

    def keep_final(self, losses: ValidationLosses) -> None:
        """Write the losses of the weights that were saved beside the base's, which must be there."""
        written = json.loads(self._path.read_text(encoding="utf-8"))
        missing = {name: why for name, why in written["missing"].items() if name != FINAL}
        self._write({BASE: written[BASE], FINAL: self._rows(losses)}, losses, missing=missing)

    def _rows(self, losses: ValidationLosses) -> list[list[float | None]]:
        """Rounded; null where a loss is not finite, which JSON cannot hold."""
        return [
            [float(f"{loss:.{_DIGITS}g}") if math.isfinite(loss) else None for loss in row]
            for row in losses.losses.tolist()
        ]

    def _write(
        self,
        sets: dict[str, list[list[float | None]] | None],
        losses: ValidationLosses,
        *,
        missing: dict[str, str],
    ) -> None:
        lost = {name: _lost(rows) for name, rows in sets.items() if rows is not None}
        content = {
            "schema": SCHEMA,
            "asked": _asked(self._run),
            "on": "held_out" if self._looked_at.held_out else "training",
            "pictures": self._looked_at.names,
            "num_timesteps": losses.num_timesteps,
            "timesteps": losses.timesteps,
            **sets,
            "missing": missing | {name: why for name, why in lost.items() if why is not None},
        }
        write_json(self._path, content)


def has_all_losses(run: RunConfig, folder: Path) -> bool:
    """Whether a finished run's losses were taken with its present options."""
    path = folder / FILE_NAME
    return _has(path, run, BASE) and _has(path, run, FINAL)


def _has(path: Path, run: RunConfig, name: str) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = (content["schema"], content["asked"]) == (SCHEMA, _asked(run))
        return known and isinstance(content["missing"], dict) and isinstance(content[name], list)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _asked(run: RunConfig) -> dict[str, int]:
    """What decides which pictures and timesteps are looked at; the data set itself is the run's own."""
    return {
        "validation_images": run.training.validation_images,
        "validation_timesteps": run.training.validation_timesteps,
    }


def _lost(rows: list[list[float | None]]) -> str | None:
    """Why some losses are null."""
    losses = [loss for row in rows for loss in row]
    count = losses.count(None)
    return f"{count} of {len(losses)} losses are not finite numbers" if count else None
