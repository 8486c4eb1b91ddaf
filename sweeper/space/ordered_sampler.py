"""A sampler that sees ordered choices as places in a list, whatever sampler it is made of."""

import copy
from collections.abc import Container, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler
from optuna.trial import FrozenTrial, TrialState

from sweeper.space.names import parameter_names
from sweeper.space.suggest import distribution_of
from sweeper.study.records import Dimension


class OrderedSampler(BaseSampler):
    """Shows the inner sampler rank 4, 8, 16, 32 as the whole numbers 0, 1, 2, 3, and gives true values back.

    The study keeps true values in categorical distributions. Without this, samplers learn nothing about 16
    from 8 and 32. Two more things differ in what the inner sampler sees: intervals that were widened since
    are the present ones in earlier trials too, and ended trials that lie outside of the space (defaults that
    are none of the choices) are hidden: one trial without a parameter ends joint sampling of it for good.
    GridSampler and BruteForceSampler look values up, so they are shown the study as it is.
    """

    def __init__(self, inner: BaseSampler, dimensions: Sequence[Dimension]) -> None:
        self._inner = inner
        looks_up = isinstance(inner, GridSampler | BruteForceSampler)
        self._places = _Places(
            {} if looks_up else dict(zip(parameter_names(dimensions), dimensions, strict=True))
        )

    def __str__(self) -> str:
        return str(self._inner)

    def reseed_rng(self) -> None:
        """As the inner sampler does."""
        self._inner.reseed_rng()

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As the inner sampler does, on the study as it sees it."""
        self._inner.before_trial(self._view(study), self._places.shown(trial))

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The inner sampler's space, with the distributions that the study knows."""
        found = self._inner.infer_relative_search_space(self._view(study), self._places.shown(trial))
        return {name: self._places.stored(name, distribution) for name, distribution in found.items()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The inner sampler's proposal, as true values."""
        space = {name: self._places.distribution(name, one) for name, one in search_space.items()}
        found = self._inner.sample_relative(self._view(study), self._places.shown(trial), space)
        return {name: self._places.value(name, place) for name, place in found.items()}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The inner sampler's proposal for one parameter, as a true value."""
        distribution = self._places.distribution(param_name, param_distribution)
        place = self._inner.sample_independent(
            self._view(study), self._places.shown(trial), param_name, distribution
        )
        return self._places.value(param_name, place)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As the inner sampler does, on the study as it sees it."""
        self._inner.after_trial(self._view(study), self._places.shown(trial), state, values)

    def _view(self, study: optuna.Study) -> "optuna.Study":
        return _StudyView(study, self._places)


class _Places:
    """True values <-> places, and trials with places, each ended one made once."""

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        self.dimensions = dimensions
        self._choices = {
            name: list(distribution.choices)
            for name, one in dimensions.items()
            if one.ordered and isinstance(distribution := distribution_of(one), CategoricalDistribution)
        }
        self._present = {name: self._placed(name, distribution_of(one)) for name, one in dimensions.items()}
        self._always = {name for name, one in dimensions.items() if one.when is None}
        self._ended: dict[tuple[int, str, int], FrozenTrial | None] = {}

    def distribution(self, name: str, distribution: BaseDistribution) -> BaseDistribution:
        """What the inner sampler is shown for a distribution of the study."""
        return self._present.get(name, distribution)

    def stored(self, name: str, distribution: BaseDistribution) -> BaseDistribution:
        """What the study knows for a distribution that the inner sampler was shown."""
        return CategoricalDistribution(self._choices[name]) if name in self._choices else distribution

    def value(self, name: str, place: Any) -> Any:
        """What the study is told of a value that the inner sampler gave."""
        return self._choices[name][int(place)] if name in self._choices else place

    def shown(self, trial: FrozenTrial) -> FrozenTrial:
        """A trial as the inner sampler sees it."""
        inside = {name: value for name, value in trial.params.items() if self._is_inside(name, value)}
        mapped = copy.copy(trial)
        if trial.state is TrialState.PRUNED:
            # Reports are of another metric than the objectives: a sampler would rank by them, or raise with
            # several objectives. Without them a pruned trial counts as worse than all complete ones.
            mapped.intermediate_values = {}
        mapped.params = {name: self._place(name, value) for name, value in inside.items()}
        mapped.distributions = {
            name: self.distribution(name, trial.distributions[name]) for name in mapped.params
        }
        return mapped

    def shown_all(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """All trials that the inner sampler sees."""
        found = (self._remembered(study, trial) for trial in trials)
        return [trial for trial in found if trial is not None]

    def _remembered(self, study: optuna.Study, trial: FrozenTrial) -> FrozenTrial | None:
        if not trial.state.is_finished():
            return self.shown(trial)
        key = (study._study_id, study.study_name, trial._trial_id)
        if key not in self._ended:
            mapped = self.shown(trial)
            whole = self._always <= mapped.params.keys() and len(mapped.params) == len(trial.params)
            self._ended[key] = mapped if whole else None
        return self._ended[key]

    def _placed(self, name: str, distribution: BaseDistribution) -> BaseDistribution:
        return IntDistribution(0, len(self._choices[name]) - 1) if name in self._choices else distribution

    def _place(self, name: str, value: Any) -> Any:
        return self._choices[name].index(value) if name in self._choices else value

    def _is_inside(self, name: str, value: Any) -> bool:
        if name in self._choices:
            return value in self._choices[name]
        present = self._present.get(name)
        if present is None:
            return True
        try:
            return present._contains(present.to_internal_repr(value))
        except ValueError:
            return False


class _StudyView(optuna.Study):
    """A study whose trials have places; all else is the study's own."""

    def __init__(self, study: optuna.Study, places: _Places) -> None:
        # Not Study.__init__: that would ask the storage again, at every call of the sampler.
        self._study, self._shown = study, places
        self.study_name, self._study_id = study.study_name, study._study_id
        self._storage, self._directions = study._storage, study._directions
        self.sampler, self.pruner = study.sampler, study.pruner
        self._thread_local = study._thread_local

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials as the inner sampler sees them."""
        found = self._shown.shown_all(self._study, self._study.get_trials(deepcopy=False, states=states))
        return copy.deepcopy(found) if deepcopy else found

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        trials = self._study._get_trials(deepcopy=False, states=states, use_cache=use_cache)
        found = self._shown.shown_all(self._study, trials)
        return copy.deepcopy(found) if deepcopy else found

    def stop(self) -> None:
        """Ends the study's own loop."""
        self._study.stop()
