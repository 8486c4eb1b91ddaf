"""What is optimised and what must hold, checked by name before anything is trained."""

import re
from collections.abc import Mapping

from engine.compose.options import did_you_mean
from engine.config import ConfigError
from evaluation.metrics.table import METRICS
from evaluation.records import DEFAULT_OBJECTIVES
from sweeper.config import Direction, SweeperConfig

MEMORY = "peak_vram_gb"  # GB at the peak of the training; of a run on the processor its resident memory
SECONDS = "seconds"  # of the whole trial
OWN = (MEMORY, SECONDS)  # beside the metrics of evaluation
VAL_LOSS = "val_loss"
_BOUND = re.compile(r"\s*(<=|>=)\s*(-?\d+(?:\.\d*)?(?:e-?\d+)?)\s*")


def objectives_of(settings: SweeperConfig) -> dict[str, Direction]:
    """Metric -> way; raises ConfigError where a name, a bound or the winner's rule cannot be."""
    objectives = settings.objectives or dict.fromkeys(DEFAULT_OBJECTIVES, Direction.maximize)
    names = [*METRICS, *OWN]
    problems = [
        f"hydra.sweeper.objectives: {name}: unknown metric{did_you_mean(name, names)}."
        for name in objectives
        if name not in names
    ]
    problems += _wrong_ways(objectives)
    for name, bound in settings.constraints.items():
        if name not in names:
            problems.append(f"hydra.sweeper.constraints: {name}: unknown metric{did_you_mean(name, names)}.")
        if _BOUND.fullmatch(bound) is None:
            problems.append(f'hydra.sweeper.constraints: {name}: "{bound}": write "<= 23" or ">= 1".')
    rules = ["harmonic", *objectives]
    if settings.winner not in rules:
        problems.append(
            f"hydra.sweeper.winner={settings.winner}: unknown{did_you_mean(settings.winner, rules)}."
        )
    if settings.prune is not None and settings.prune.on != VAL_LOSS:
        problems.append(
            f"hydra.sweeper.prune.on={settings.prune.on}: while a run trains, only val_loss is measured. "
            "Use it, or hydra.sweeper.prune=null."
        )
    if settings.prune is not None and settings.prune.direction is not Direction.minimize:
        problems.append("hydra.sweeper.prune.direction=maximize: of val_loss less is better. Leave it out.")
    if problems:
        raise ConfigError(problems)
    return dict(objectives)


def _wrong_ways(objectives: Mapping[str, Direction]) -> list[str]:
    """A sentence for each objective that is asked for the wrong way round."""
    ways = {"higher": Direction.maximize, "lower": Direction.minimize}
    natural = {name: ways[metric.direction.value] for name, metric in METRICS.items()}
    natural |= dict.fromkeys(OWN, Direction.minimize)
    return [
        f"hydra.sweeper.objectives: {name}: {way.name}: the other way is better. Write {natural[name].name}."
        for name, way in objectives.items()
        if name in natural and way is not natural[name]
    ]


def required_scores(objectives: Mapping[str, Direction]) -> tuple[str, ...]:
    """The override by which a trial is refused early, and counted as failed, without one of these scores."""
    scored = [name for name in objectives if name in METRICS and name != VAL_LOSS]
    return (f"evaluation.objectives=[{','.join(scored)}]",) if scored else ()


def excess(bound: str, value: float) -> float:
    """How far a value is beyond "<= 23" or ">= 1"; 0 or less where it holds."""
    match = _BOUND.fullmatch(bound)
    assert match is not None, "bounds are checked when a sweep is planned"
    limit = float(match[2])
    return value - limit if match[1] == "<=" else limit - value


def constraint_values(constraints: Mapping[str, str], values: Mapping[str, float]) -> dict[str, float]:
    """Name -> excess; what was not measured counts as violated by 1."""
    return {
        name: excess(bound, values[name]) if name in values else 1.0 for name, bound in constraints.items()
    }
