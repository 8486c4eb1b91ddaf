"""What a trial's folder says once it has ended: scores, values by prompt, weights, time and memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import ConfigError
from engine.training.result import TrainResult
from evaluation.material import FINAL
from evaluation.maths.statistics import prompt_means
from evaluation.outputs import SCORES, read_values
from evaluation.records import Measurement, read_scores
from sweeper.study.records import TrialScore
from sweeper.work.objectives import MEMORY, SECONDS, VAL_LOSS

_GIGABYTE = 1e9


@dataclass(kw_only=True, slots=True, frozen=True)
class Measured:
    """The numbers of one trial."""

    scores: Mapping[str, TrialScore] = field(default_factory=dict)
    prompt_values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # objective -> prompt
    missing: tuple[str, ...] = ()  # sentences about objectives that have no value

    def values(self, result: TrainResult) -> dict[str, float]:
        """Metric -> value, with what the run itself measured."""
        own = {SECONDS: result.seconds, MEMORY: result.peak_memory_bytes / _GIGABYTE}
        trained = {VAL_LOSS: result.val_losses[-1][1]} if result.val_losses else {}
        return trained | {name: score.value for name, score in self.scores.items()} | own


def measure(folder: Path, objectives: Mapping[str, object]) -> Measured:
    """Read a trial's scores; empty where it was not scored."""
    if not (folder / SCORES).is_file():
        return Measured(missing=("its pictures were not scored",))
    scores = read_scores(folder / SCORES)
    rows = {row.metric: row for row in scores.rows}
    found = {
        name: TrialScore(
            value=row.final.value,
            spread=row.final.spread,
            n=row.final.n,
            base=_value(row.base),
            real=_value(row.real),
            anchored=row.anchored,
        )
        for name, row in rows.items()
        if row.final is not None
    }
    missing = [
        f"{name} could not be computed: {rows[name].skipped or 'no value'}"
        for name in objectives
        if name in rows and name not in found
    ]
    return Measured(scores=found, prompt_values=_by_prompt(folder, objectives), missing=tuple(missing))


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _by_prompt(folder: Path, objectives: Mapping[str, object]) -> dict[str, dict[str, float]]:
    try:
        stored = read_values(folder)
    except ConfigError:
        return {}
    prompts = {entry.prompt_index: entry.prompt for entry in stored.pictures if entry.set_name == FINAL}
    return {
        name: {
            prompts[index]: value
            for index, value in prompt_means(stored.values[name].get(FINAL, [])).items()
            if index in prompts
        }
        for name in objectives
        if name in stored.values
    }


def _value(measurement: Measurement | None) -> float | None:
    return None if measurement is None else measurement.value
