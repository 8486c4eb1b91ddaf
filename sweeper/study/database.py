"""A study in a database: operations wait for a server that went away, and none is done twice."""

import time
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState, create_trial

if TYPE_CHECKING:
    import sqlalchemy
    from sqlalchemy import orm

Result = TypeVar("Result")

TOKEN = "sweeper:token"  # system attribute: which call made the trial
AT_MOST = "sweeper:at_most"  # system attribute of a template: refuse it where the study has as many trials
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0


class StudyIsFullError(Exception):
    """The study has as many trials as the template of a new one allows."""


class OnceStorage(RDBStorage):
    """Optuna's tables, where a trial with a token is made once and never beyond its limit.

    Both are decided in the transaction that makes the trial, behind its lock on the study's row: what was
    committed just before a connection broke is found again, by Optuna's own repetition too.
    """

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: "orm.Session"
    ) -> Any:
        from optuna.storages._rdb import models

        attributes = template_trial.system_attrs if template_trial else {}
        token, at_most = attributes.get(TOKEN), attributes.get(AT_MOST)
        trials = session.query(models.TrialModel).filter(models.TrialModel.study_id == study_id)
        if token is not None:
            made = (
                trials.join(models.TrialSystemAttributeModel)
                .filter(models.TrialSystemAttributeModel.key == TOKEN)
                .filter(models.TrialSystemAttributeModel.value_json == f'"{token}"')
                .one_or_none()
            )
            if made is not None:
                return made
        if isinstance(at_most, int) and trials.count() >= at_most:
            raise StudyIsFullError
        return super()._get_prepared_new_trial(study_id, template_trial, session)


class PatientStorage(BaseStorage):
    """Optuna's storage over SQLAlchemy, whose operations are repeated until the server is back.

    patience  seconds that the server may be away before its error is raised
    """

    def __init__(self, backend: OnceStorage, *, patience: float) -> None:
        self._cached = _CachedStorage(backend)
        self._backend = backend
        self.patience = patience

    @property
    def engine(self) -> "sqlalchemy.Engine":
        """The connections, for the lock of a study."""
        return self._backend.engine

    def _patiently(self, operation: Callable[[bool], Result]) -> Result:
        return patiently(operation, self.patience)

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        name = study_name or f"no-name-{uuid4()}"

        def create(is_repeated: bool) -> int:
            try:
                return self._cached.create_new_study(directions, name)
            except DuplicatedStudyError:
                if not is_repeated:
                    raise
                return self._cached.get_study_id_from_name(name)

        return self._patiently(create)

    def delete_study(self, study_id: int) -> None:
        def delete(is_repeated: bool) -> None:
            try:
                self._cached.delete_study(study_id)
            except KeyError:
                if not is_repeated:
                    raise

        self._patiently(delete)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._patiently(lambda _: self._cached.set_study_user_attr(study_id, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._patiently(lambda _: self._cached.set_study_system_attr(study_id, key, value))

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._patiently(lambda _: self._cached.get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._patiently(lambda _: self._cached.get_study_name_from_id(study_id))

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._patiently(lambda _: self._cached.get_study_directions(study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._patiently(lambda _: self._cached.get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._patiently(lambda _: self._cached.get_study_system_attrs(study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        return self._patiently(lambda _: self._cached.get_all_studies())

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        template = template_trial or create_trial(state=TrialState.RUNNING)
        if TOKEN not in template.system_attrs:
            template.system_attrs = {**template.system_attrs, TOKEN: uuid4().hex}
        return self._patiently(lambda _: self._cached.create_new_trial(study_id, template))

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        def write(is_repeated: bool) -> None:
            self._cached.set_trial_param(trial_id, param_name, param_value_internal, distribution)

        self._patiently(write)  # a second row of it is refused by the table, and Optuna lets that pass

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self._patiently(
            lambda _: self._cached.get_trial_id_from_study_id_trial_number(study_id, trial_number)
        )

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """True if the state is this one by this call; waiting -> running cannot tell after a lost connection.

        Whoever takes a waiting trial therefore writes its name into it first, and looks after whose it is.
        """

        def write(is_repeated: bool) -> bool:
            try:
                return self._cached.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if not is_repeated:
                    raise
                now = self._cached.get_trial(trial_id)
                if now.state is not state or (values is not None and list(values) != now.values):
                    raise
                return True

        return self._patiently(write)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self._patiently(
            lambda _: self._cached.set_trial_intermediate_value(trial_id, step, intermediate_value)
        )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._patiently(lambda _: self._cached.set_trial_user_attr(trial_id, key, value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._patiently(lambda _: self._cached.set_trial_system_attr(trial_id, key, value))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._patiently(lambda _: self._cached.get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._patiently(lambda _: self._cached.get_all_trials(study_id, deepcopy, states))

    def remove_session(self) -> None:
        self._backend.remove_session()


def patiently(operation: Callable[[bool], Result], patience: float) -> Result:
    """Run an operation until the server answers it; it is told whether an earlier try may have been done.

    patience  seconds that the server may be away before its error is raised
    """
    away_since: float | None = None
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            return operation(away_since is not None)
        except Exception as error:
            if not is_connection_lost(error):
                raise
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > patience:
                raise
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def is_connection_lost(error: BaseException) -> bool:
    """Whether the server could not be reached or went away; also a wait for a lock or the pool."""
    from sqlalchemy import exc

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, exc.TimeoutError | exc.PendingRollbackError):
            return True  # no free connection in the pool; or one that broke, and Optuna asked it once more
        if isinstance(seen, exc.DBAPIError):
            if "sqlite" in type(seen.orig).__module__:
                return "locked" in str(seen.orig)  # its other errors (disk full) do not pass by waiting
            lost = isinstance(seen, exc.OperationalError | exc.InterfaceError)
            return lost or seen.connection_invalidated
        seen = seen.__cause__
    return False
