"""What proposes the next settings: one of Optuna's samplers, drawn anew for each trial number."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from engine.config import ConfigError
from sweeper.config import SamplerConfig, SamplerKind
from sweeper.study.records import Dimension

if TYPE_CHECKING:
    import optuna


def build_sampler(
    config: SamplerConfig, dimensions: Sequence[Dimension], *, num_trials: int, num_objectives: int
) -> BaseSampler:
    """The sampler of a study; the same in each of its workers.

    num_trials  of the search in all: how long to draw at random follows from it
    raises      ConfigError for a grid with an interval
    """
    from sweeper.space.ordered_sampler import OrderedSampler

    if config.kind is SamplerKind.grid:
        _refuse_intervals(dimensions)
    startup = config.startup if config.startup is not None else startup_trials(num_trials)
    is_conditional = any(dimension.when is not None for dimension in dimensions)

    def build(number: int) -> BaseSampler:
        seed = seed_of(config.seed, number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of samplers that Optuna calls experimental
            if config.kind is SamplerKind.tpe:
                return _tpe(seed, startup, group=is_conditional and num_objectives == 1)
            if config.kind is SamplerKind.qmc:
                return _point_of_sequence(config.seed, seed, number)
            return _other(config.kind, seed, startup, num_trials)

    return OrderedSampler(NumberedSampler(build), dimensions)


def startup_trials(num_trials: int) -> int:
    """Trials drawn at random before a sampler learns: a quarter of them, 4 to 10.

    On a noisy toy of a LoRA (4 parameters, 40 seeds, median regret) 4, 6, 8, 10 of 18 come to .020-.026,
    all 18 at random to .051; of 36 trials .011-.018 and .027: it hardly matters between 4 and 10.
    """
    return min(10, max(4, num_trials // 4))


def seed_of(seed: int, number: int) -> int:
    """A seed of 32 bits for the draws of one trial."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")


class NumberedSampler(BaseSampler):
    """A sampler made anew for each trial, from the trial's number.

    Trial numbers are given once in a study, so no draw repeats: not by a worker that starts again, nor by
    two that start at one moment on two machines. One worker alone proposes the same, stopped or not.
    """

    def __init__(self, build: Callable[[int], BaseSampler]) -> None:
        self._build = build
        self._number = 0
        self._inner = build(0)

    def __str__(self) -> str:
        return type(self._inner).__name__

    def before_trial(self, study: "optuna.Study", trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        self._of(trial).before_trial(study, trial)

    def infer_relative_search_space(
        self, study: "optuna.Study", trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the inner sampler does."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: "optuna.Study", trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the inner sampler does."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: "optuna.Study",
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As the inner sampler does."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: "optuna.Study",
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As the inner sampler does."""
        self._of(trial).after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._inner = self._build(trial.number)
            self._number = trial.number
        return self._inner


def _tpe(seed: int, startup: int, *, group: bool) -> BaseSampler:
    """Optuna 5's own: joint for one objective, a parameter at a time for several; running trials are avoided.

    group  joint within each branch of a conditional space; for one objective only
    """
    from optuna.samplers import TPESampler

    if group:
        return TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True)
    return TPESampler(seed=seed, n_startup_trials=startup)


def _point_of_sequence(sequence: int, seed: int, number: int) -> BaseSampler:
    """The point of the scrambled Sobol sequence that belongs to a trial number.

    Optuna counts in an attribute of the study, which two workers may read before either has written.
    """
    from optuna.samplers import QMCSampler, RandomSampler

    class OnePoint(QMCSampler):
        def _find_sample_id(self, study: "optuna.Study", search_space: dict[str, BaseDistribution]) -> int:
            return number

    rest = RandomSampler(seed=seed)  # what is conditional, and before the first trial has ended
    return OnePoint(scramble=True, seed=sequence, independent_sampler=rest, warn_independent_sampling=False)


def _other(kind: SamplerKind, seed: int, startup: int, num_trials: int) -> BaseSampler:
    from optuna.samplers import GPSampler, NSGAIISampler, RandomSampler

    if kind is SamplerKind.gp:
        return GPSampler(
            seed=seed,
            n_startup_trials=startup,
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
        )
    if kind is SamplerKind.nsgaii:
        # Optuna's 50 would leave a usual budget in its first, random generation.
        return NSGAIISampler(seed=seed, population_size=min(50, max(8, num_trials // 4)))
    return RandomSampler(seed=seed)  # random; and grid, whose trials are all in the queue already


def _refuse_intervals(dimensions: Sequence[Dimension]) -> None:
    problems = [
        f"{dimension.key}=interval({dimension.low:g},{dimension.high:g}): a grid needs values to enumerate. "
        "Give choices, or take another hydra.sweeper.sampler."
        for dimension in dimensions
        if dimension.choices is None
    ]
    if problems:
        raise ConfigError(problems)
