"""What a study holds, as plain data: all that displays, reports and commands read; no Optuna, no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from engine.config.outcome import Outcome
from sweeper.config import Direction


class Phase(Enum):
    """Which part of a sweep a trial belongs to."""

    search = "search"
    confirm = "confirm"  # settings that were found, trained again with a fresh seed


class TrialState(Enum):
    """Where a trial stands in the study."""

    waiting = "waiting"  # to be started, or to be gone on with
    running = "running"
    complete = "complete"
    pruned = "pruned"  # stopped by the pruner, or found to need more memory than there is
    failed = "failed"


@dataclass(kw_only=True, slots=True, frozen=True)
class TrialScore:
    """One metric of a trial's final pictures."""

    value: float
    spread: float | None = None  # half-width of a 95 % interval over prompts
    n: int = 0  # values that it is the mean of
    base: float | None = None  # the base model without adapter, same prompts and seeds
    real: float | None = None  # true pictures
    anchored: float | None = None  # 0 = base, 1 = true pictures; None where they cannot be told apart


@dataclass(kw_only=True, slots=True, frozen=True)
class Dimension:
    """One key that is searched."""

    key: str  # network.rank, or a config group: optimizer
    choices: tuple[object, ...] | None = None  # true values, in order; None: an interval
    low: float | None = None
    high: float | None = None
    log: bool = False
    integer: bool = False
    ordered: bool = False  # choices are numbers whose order counts
    when: str | None = None  # "optimizer=adamw": exists only there; None = always


@dataclass(kw_only=True, slots=True, frozen=True)
class TrialRecord:
    """One trial: its settings, how it went, what it came to."""

    number: int  # folder and wandb id follow from it
    phase: Phase
    state: TrialState
    folder: Path  # sweeps/<study>/trials/0007, or .../confirm/0002
    params: Mapping[str, object] = field(default_factory=dict)  # key -> true value, of what was searched
    command: str = ""  # the one line that makes the same file outside the sweep
    overrides: tuple[str, ...] = ()  # the same as Hydra's overrides, one an entry
    run_id: str | None = None
    seed: int | None = None  # of the training
    of: int | None = None  # confirm: the search trial whose settings these are
    outcome: Outcome | None = None  # None: not ended
    cause: str | None = None  # why it did not complete
    values: Mapping[str, float] = field(default_factory=dict)  # objective -> value, of a complete trial
    constraints: Mapping[str, float] = field(default_factory=dict)  # name -> excess; <= 0 holds
    scores: Mapping[str, TrialScore] = field(default_factory=dict)  # every metric that was measured
    prompt_values: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict
    )  # objective -> prompt -> mean over its pictures
    reports: Sequence[tuple[int, float]] = ()  # (step, what pruning looks at)
    steps_done: int = 0
    total_steps: int = 0
    seconds: float = 0.0  # of training, drawing and scoring, of all its starts together
    step_seconds: float = 0.0  # of one training step alone, as its last start measured it; 0 = not known
    gpu_seconds: float = 0.0  # the same where a GPU was used, else 0
    peak_memory_bytes: int = 0
    weights: Path | None = None  # the LoRA file
    weights_sha256: str | None = None
    worker: str | None = None  # host:process, the last one at work on it
    started: datetime | None = None
    ended: datetime | None = None
    restarts: int = 0  # how often it was gone on with after a kill or Ctrl-C
    notes: Sequence[str] = ()  # what a reader must know: "batch halved after out of memory"

    @property
    def feasible(self) -> bool:
        """Whether every constraint holds."""
        return all(excess <= 0 for excess in self.constraints.values())


@dataclass(kw_only=True, slots=True, frozen=True)
class StudyRecord:
    """A study as it stands."""

    name: str
    folder: Path
    storage: str  # journal, or the URL without its password
    command: str  # the line that started it, and goes on
    objectives: Mapping[str, Direction]
    constraints: Mapping[str, str]  # metric -> "<= 23"
    dimensions: Sequence[Dimension]
    trials: Sequence[TrialRecord]  # of the search, by number
    confirmations: Sequence[TrialRecord] = ()
    sampler: str = "tpe"
    pruner: str = "asha"
    prune_on: str | None = "val_loss"  # None: nothing is pruned
    winner: str = "harmonic"
    num_trials: int | None = None  # the search's share of budget.trials
    num_confirmations: int = 0  # planned
    budget: Mapping[str, float] = field(default_factory=dict)  # as given: trials, hours, ...
    defaults: Mapping[str, object] = field(default_factory=dict)  # searched key -> its value in trial 0
    created: datetime | None = None
    stopped: str | None = (
        None  # why no more trials are started: "24 of 24 trials", "patience", a bug's traceback
    )
    notes: Sequence[str] = ()  # what a reader of all trials must know: "extended: ..."
    is_demo: bool = False
    device: str | None = None  # cpu, cuda of the first trial
    threads: int | None = None  # of each trial's training

    @property
    def begins_with_default(self) -> bool:
        """Whether trial 0 is the declared default; a plain grid begins with its first combination."""
        first = next((trial for trial in self.trials if trial.number == 0), None)
        return first is not None and all(
            first.params.get(key, value) == value for key, value in self.defaults.items()
        )

    def trial(self, number: int) -> TrialRecord:
        """The search trial of a number; KeyError if there is none."""
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise KeyError(number)
