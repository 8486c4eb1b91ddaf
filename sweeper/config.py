"""The types of hydra.sweeper: what a file of conf/sweep/ states; no Optuna, no torch, no logic."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Direction(Enum):
    """Which way an objective is better."""

    maximize = "maximize"
    minimize = "minimize"


class SamplerKind(Enum):
    """What proposes the next settings."""

    tpe = "tpe"  # the default, for several objectives and conditional spaces too
    gp = "gp"  # flat, low-noise spaces and small budgets; learns from complete trials only
    qmc = "qmc"  # even cover of the space, blind to results
    random = "random"
    grid = "grid"  # every combination once; intervals are refused
    nsgaii = "nsgaii"  # several objectives, hundreds of trials


class PrunerKind(Enum):
    """What stops a trial before its end."""

    auto = "auto"  # the default: asha; with the sampler gp none, which sees nothing of pruned trials
    asha = "asha"  # asynchronous successive halving (Li et al. 2020)
    hyperband = "hyperband"
    median = "median"
    patient = "patient"  # median, after `patience` checks without an improvement
    none = "none"


class OnChange(Enum):
    """What becomes of a study whose space or base config is another now."""

    refuse = "refuse"  # with the difference
    extend = "extend"  # go on in it: earlier trials stay, and count
    fork = "fork"  # a new study beside it, with a number after its name


@dataclass(kw_only=True, slots=True)
class SamplerConfig:
    """A file of conf/sampler/."""

    kind: SamplerKind = SamplerKind.tpe
    seed: int = 0  # with worker and trial number mixed in: a resumed sweep repeats nothing
    startup: int | None = (
        None  # trials drawn at random before it learns; null = the sampler's own, at most 10
    )


@dataclass(kw_only=True, slots=True)
class PrunerConfig:
    """A file of conf/pruner/."""

    kind: PrunerKind = PrunerKind.auto
    startup: int = 4  # the first so many trials, the default among them, run to their end
    patience: int = 2  # checks without an improvement that are forgiven; patient only


@dataclass(kw_only=True, slots=True)
class PruneConfig:
    """What a trial is stopped by, whichever pruner decides."""

    on: str = "val_loss"  # the fixed validation loss, the same for all trials
    direction: Direction = Direction.minimize
    min: int | None = None  # training steps before the first decision; null = a ninth of a trial's steps
    eta: int = 3  # asha, hyperband: one trial in so many goes on from each decision to the next


@dataclass(kw_only=True, slots=True)
class ConfirmConfig:
    """The best are trained again with fresh seeds, and scored on prompts that took no part in the search."""

    top: int = 4  # how many settings, beside the default
    seeds: int = 3  # fresh training seeds for each
    share: float = 0.25  # of budget.trials that is kept for it


@dataclass(kw_only=True, slots=True)
class BudgetConfig:
    """Totals over all starts of a study; the one that is reached first stops it."""

    trials: int | None = None  # distinct settings and confirmations; null = 24, or all of a grid
    hours: float | None = None  # since the first start, of time in which a worker was at work
    gpu_hours: float | None = None  # summed over workers; on a machine without a GPU, hours of its slots
    patience: int | None = None  # search trials in a row without a better one


@dataclass(kw_only=True, slots=True)
class SweeperConfig:
    """A file of conf/sweep/: what is searched, what is better, when it ends."""

    _target_: str = "hydra_plugins.diffusion_sweeper.sweeper_plugin.DiffusionSweeper"
    study: str | None = None  # name and folder; null = <name>-<the sweep's name>
    folder: str = "sweeps"  # the folders of studies are made in it
    params: dict[str, Any] = field(default_factory=dict)  # key -> Hydra's grammar: choice(4,8), interval(0,1)
    when: dict[str, Any] = field(default_factory=dict)  # "key=a|b" -> params that exist only there
    start: list[Any] = field(default_factory=lambda: [{}])  # settings tried first; {} = the defaults
    objectives: dict[str, Direction] = field(default_factory=dict)  # metric -> way; {} = likeness, adherence
    constraints: dict[str, str] = field(default_factory=dict)  # metric -> "<= 23" or ">= 1"
    prune: PruneConfig | None = field(default_factory=PruneConfig)  # null = never
    winner: str = "harmonic"  # highest anchored harmonic mean of the objectives, or one metric's name
    confirm: ConfirmConfig | None = field(default_factory=ConfirmConfig)  # null = not; a grid has none
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    on_change: OnChange = OnChange.refuse
    storage: str = "journal"  # journal (a file in the study's folder), postgresql://..., any Optuna URL
    workers: int | None = None  # worker loops; null = as many as the launcher has places for
    lease: int = 900  # seconds without a sign of progress after which a trial is taken from its worker
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    pruner: PrunerConfig = field(default_factory=PrunerConfig)
