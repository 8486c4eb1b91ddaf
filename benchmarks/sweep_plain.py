"""Searches without the sweeper, around the same training: at random, and as the stock Optuna plugin would."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep_grid import RANKS, RATES, common
from sweep_run import train_once

if TYPE_CHECKING:
    import optuna

LOWEST, HIGHEST = RATES[0], RATES[-1]
MOST_OFFSET = 0.1


@dataclass(kw_only=True, slots=True, frozen=True)
class Found:
    """What a search came to."""

    way: str
    seed: int  # of the sampler
    winner: tuple[str, ...]  # overrides of what it names the best
    seen: float  # the likeness that it saw there
    steps: int  # of training, in all
    trials: int
    seconds: float  # of training, drawing and scoring, in all


def search_plainly(way: str, seed: int, budget: int, folder: Path, *, size: str = "full") -> Found:
    """Full trainings one after the other while the budget of steps allows; the best seen wins.

    way  "random", or "stock": TPE as hydra-optuna-sweeper sets it (each parameter by itself, no constant
         liar, ten trials at random), choices without an order, nothing pruned, nothing confirmed
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=_sampler(way, seed))
    fixed = common(size, folder)
    steps, seconds = 0, 0.0
    settings: dict[int, tuple[str, ...]] = {}
    each = 60 if size == "full" else 4
    while steps + each <= budget:
        trial = study.ask()
        settings[trial.number] = tuple(suggested(trial))
        ran = train_once([*fixed, *settings[trial.number], "seed=0"])
        steps, seconds = steps + ran.steps, seconds + ran.seconds
        if "likeness" in ran.values:
            study.tell(trial, ran.values["likeness"])
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    best = study.best_trial
    return Found(
        way=way,
        seed=seed,
        winner=settings[best.number],
        seen=study.best_value,
        steps=steps,
        trials=len(settings),
        seconds=seconds,
    )


def suggested(trial: "optuna.Trial") -> list[str]:
    """The overrides of one point of the space that all ways search."""
    rank = trial.suggest_categorical("network.rank", RANKS)
    lr = trial.suggest_float("optimizer.lr", LOWEST, HIGHEST, log=True)
    offset = trial.suggest_float("noise.offset", 0.0, MOST_OFFSET)
    return [f"network.rank={rank}", f"optimizer.lr={lr!r}", f"noise.offset={offset!r}"]


def space_arguments() -> Sequence[str]:
    """The same space as arguments of train.py --multirun."""
    ranks = ",".join(map(str, RANKS))
    return (
        f"network.rank=choice({ranks})",
        f"optimizer.lr=tag(log,interval({LOWEST!r},{HIGHEST!r}))",
        f"noise.offset=interval(0.0,{MOST_OFFSET!r})",
    )


def _sampler(way: str, seed: int) -> "optuna.samplers.BaseSampler":
    import optuna

    if way == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    assert way == "stock", way
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these are old ways
        return optuna.samplers.TPESampler(seed=seed, multivariate=False, constant_liar=False)
