"""Stops trials that are behind: Optuna's pruners on the metric that prune.on names, for any objectives."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeper.config import Direction, PruneConfig, PrunerConfig, PrunerKind

if TYPE_CHECKING:
    from optuna.study._frozen import FrozenStudy

STOP_AT = "stop_at"  # trial attribute: the step at which it was decided that it stops


def build_pruner(config: PrunerConfig, prune: PruneConfig | None, total_steps: int) -> BasePruner:
    """The pruner of a study; not stored, so each worker makes the same one.

    prune        None: nothing is pruned
    total_steps  of a trial; the first decision is after a ninth of them where prune.min is null
    """
    import warnings

    from optuna import pruners

    assert config.kind is not PrunerKind.auto, "it is decided when the settings are read"
    if prune is None or config.kind is PrunerKind.none:
        return pruners.NopPruner()
    first = prune.min if prune.min is not None else max(1, total_steps // 9)
    if config.kind is PrunerKind.asha:
        return pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=prune.eta)
    if config.kind is PrunerKind.hyperband:
        return pruners.HyperbandPruner(
            min_resource=first, max_resource=max(first, total_steps), reduction_factor=prune.eta
        )
    median = pruners.MedianPruner(n_startup_trials=config.startup, n_warmup_steps=first)
    if config.kind is PrunerKind.median:
        return median
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls it experimental
        return pruners.PatientPruner(median, patience=config.patience)


class Judge:
    """Keeps what a trial reports, and says whether it stops.

    The pruner sees a view of the study with one objective, the reported metric, whatever the study's own are:
    one way for one objective and for several, where Optuna's own raises. What the pruner keeps of a trial
    (the rungs of successive halving) goes into the study's storage, so all workers share it.
    """

    def __init__(self, study: optuna.Study, pruner: BasePruner, direction: Direction) -> None:
        self._storage = study._storage
        self._study_id = study._study_id
        self._pruner = pruner
        view = _OneObjective(study._storage, StudyDirection[direction.name.upper()])
        self._view = optuna.Study(study_name=study.study_name, storage=view, pruner=pruner)

    def report_and_ask(
        self, trial: optuna.Trial, step: int, value: float, *, total_steps: int, is_kept: bool = False
    ) -> bool:
        """Keep a report; True if the trial stops here.

        is_kept  reports count for the others, but it runs to its end itself: the baseline
        The last report stops nothing: all training is done by then. A trial that goes on after a kill may
        report a step again, and a decision to stop that could not be told is not forgotten.
        """
        try:
            self._storage.set_trial_intermediate_value(trial._trial_id, step, float(value))
            stored = self._storage.get_trial(trial._trial_id)
            decided = stored.user_attrs.get(STOP_AT)
            if isinstance(decided, int) and step >= decided and not is_kept:
                return True
            if step >= total_steps or not self._pruner.prune(self._view, stored) or is_kept:
                return False
            self._storage.set_trial_user_attr(trial._trial_id, STOP_AT, step)
            return True
        except UpdateFinishedTrialError:
            return True  # it was taken over and ended by another


class _OneObjective(BaseStorage):
    """A storage whose studies have one objective, in the direction of the reports; else the true one."""

    def __init__(self, storage: BaseStorage, direction: StudyDirection) -> None:
        self._storage = storage
        self._direction = direction

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return [self._direction]

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        return self._storage.create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        self._storage.delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._storage.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._storage.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._storage.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._storage.get_study_name_from_id(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._storage.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._storage.get_study_system_attrs(study_id)

    def get_all_studies(self) -> "list[FrozenStudy]":
        return self._storage.get_all_studies()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        return self._storage.create_new_trial(study_id, template_trial)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        self._storage.set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        return self._storage.set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self._storage.set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._storage.set_trial_system_attr(trial_id, key, value)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._storage.get_trial(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._storage.get_all_trials(study_id, deepcopy, states)
