"""The answer of a sweep as plain data: what the report, wandb and the terminal read; no logic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Verdict(Enum):
    """What a difference to the baseline says."""

    better = "better"  # its interval lies on the good side of 0
    worse = "worse"
    within_noise = "within the noise"  # its interval holds 0
    unknown = "no interval"  # a single training seed


class AnswerKind(Enum):
    """What the sentence of the answer says."""

    better = "better"  # a confirmed setting beats the default in an objective, and loses in none
    trade = "trade"  # it gains in one objective and loses in another
    within_noise = "within_noise"  # nothing found beats the default
    default_best = "default_best"  # trial 0 is the best of what was confirmed, or tried
    no_comparison = "no_comparison"  # the default did not complete
    waiting = "waiting"  # confirmation runs are still missing
    unconfirmed = "unconfirmed"  # a grid, or no budget for it: the best of one seed each
    single = "single"  # only the default has completed
    infeasible = "infeasible"  # trials completed, all against a constraint
    none_complete = "none_complete"  # trials ended, none complete
    all_failed = "all_failed"
    nothing_yet = "nothing_yet"  # no trial has ended


@dataclass(kw_only=True, slots=True, frozen=True)
class Ranked:
    """The place of a complete, feasible search trial; the best comes first."""

    number: int
    rank_value: float  # what it was ranked by, see Answer.rule; higher is better
    is_front: bool  # no other trial is at least as good everywhere and better somewhere
    behind: str | None = None  # why it stands behind all that have None here: "adherence below the base's"
    anchored: Mapping[str, float] = field(default_factory=dict)  # objective -> 0 = base, 1 = true pictures


@dataclass(kw_only=True, slots=True, frozen=True)
class ConfirmedDifference:
    """A setting minus the baseline in one objective, over the fresh training seeds that both have."""

    value: float  # the mean over those seeds
    num_seeds: int
    half_width: float | None  # the larger of the two below: 95 %; None: a single training seed
    over_seeds: float | None  # half-width of the t interval over training seeds
    over_prompts: float | None  # half-width over prompts, of differences averaged over the seeds
    verdict: Verdict


@dataclass(kw_only=True, slots=True, frozen=True)
class ConfirmedSetting:
    """The settings of a search trial, trained again with fresh seeds."""

    of: int  # the search trial; 0 = the baseline
    seeds: tuple[int, ...]  # of the confirmations that completed, rising
    num_missing: int  # not ended yet
    num_failed: int  # ended otherwise than complete, or against a constraint: then it can't win
    means: Mapping[str, float]  # objective -> mean over training seeds
    spreads: Mapping[str, float | None]  # half-width of the 95 % t interval of that mean; None: one seed
    values: Mapping[str, tuple[float, ...]]  # objective -> value of each seed, in the order of seeds
    rank_value: float | None  # by the same rule as Ranked.rank_value; None: no confirmation completed
    differences: Mapping[str, ConfirmedDifference]  # to the baseline; empty for it and where it has none
    optimism: Mapping[
        str, float
    ]  # how much better the search had shown it than confirmed (as a gain over the baseline where known)


@dataclass(kw_only=True, slots=True, frozen=True)
class Importances:
    """How much of what the ranking rewards each searched key decides."""

    shares: Mapping[str, float] = field(default_factory=dict)  # key -> share, largest first; sum 1, or empty
    num_trials: int = 0  # complete trials that it was read from
    of: str = ""  # what the shares are of, in words: "likeness"
    reason: str | None = None  # why there are none


@dataclass(kw_only=True, slots=True, frozen=True)
class PrunedTrial:
    """A trial that the pruner stopped."""

    number: int
    step: int  # at which it stopped
    total_steps: int
    signal: float | None  # the last value that was looked at
    saved_seconds: float  # the rest of its steps, at its own time a training step


@dataclass(kw_only=True, slots=True, frozen=True)
class Pruned:
    """What pruning stopped and saved."""

    trials: tuple[PrunedTrial, ...] = ()
    saved_steps: int = 0
    saved_seconds: float = 0.0  # of training; 0 where no trial's time a step is known
    share_of_steps: float = 0.0  # saved steps / all steps that the search would have trained


@dataclass(kw_only=True, slots=True, frozen=True)
class SignalCheck:
    """Did the pruning signal rank the complete trials as an objective did? Spearman's rank correlation."""

    objective: str
    step: int  # of the training; the last one is the end
    correlation: float | None  # 1 = the same order (good signal, good objective), -1 = the opposite
    n: int  # complete trials that were looked at there
    is_last: bool = False  # the last step that was looked at
    reason: str | None = None  # why there is no correlation


@dataclass(kw_only=True, slots=True, frozen=True)
class Answer:
    """Everything that a study says, as it stands."""

    kind: AnswerKind
    sentence: str  # the answer, for the head of a page
    details: tuple[str, ...] = ()  # further sentences below it
    notices: tuple[str, ...] = ()  # what a reader of the numbers must know; warnings
    rule: str = ""  # how the best was chosen, in words
    ranking: tuple[Ranked, ...] = ()  # the complete, feasible search trials; the best first
    front: tuple[int, ...] = ()  # numbers of the Pareto front, rising
    search_best: int | None = None  # best of the search, one seed
    winner: int | None = None  # search trial whose settings are the answer; confirmed where is_confirmed
    is_confirmed: bool = False
    winner_seeds: int = 0  # confirmations of the winner
    has_baseline: bool = False  # trial 0 is complete
    confirmed: tuple[ConfirmedSetting, ...] = ()  # the best first; those without a result last
    num_missing: int = 0  # confirmations that have not ended
    importances: Importances = field(default_factory=Importances)  # of what decides the winner
    importances_by_objective: Mapping[str, Importances] = field(default_factory=dict)
    pruned: Pruned = field(default_factory=Pruned)
    signal: tuple[SignalCheck, ...] = ()  # per objective and step, rising
    short_names: Mapping[str, str] = field(default_factory=dict)  # network.rank -> rank
    settings: str = ""  # the winner's: "rank 16, lr 0.003"
    command: str = ""  # the one line that makes the winner's file
    weights: Path | None = None  # the winner's LoRA file, in its trial's folder
    counts: Mapping[str, int] = field(default_factory=dict)  # outcome or state -> search trials
