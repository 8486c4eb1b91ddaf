"""Hands out trials and takes their ends under the study's lock: none lost, doubled, or beyond the budget."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from engine.config.outcome import Outcome
from sweeper.study.budget import Budget, has_begun, is_enough, time_is_up
from sweeper.study.facts import (
    FACTS,
    STARTS,
    TOLD,
    Start,
    facts_json,
    latest_of,
    record_of,
    starts_json,
    starts_of,
)
from sweeper.study.folder import StudyFolder
from sweeper.study.lock import study_lock
from sweeper.study.process import this_process
from sweeper.study.records import Phase, TrialRecord, TrialState
from sweeper.study.staleness import StalenessWatch, last_sign_of, renewal_seconds

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

STOP = "stop"  # study attribute: why workers shall start nothing more; None or absent: go on
MAX_DEATHS = 3  # a trial whose worker died more often is failed: it may be what kills them


class NoTrialKind(Enum):
    """Why there is no trial."""

    full = "full"  # a budget is reached and nobody is at work: the phase is over
    wait = "wait"  # others are at work: one of their trials may come back, or their ends change the answer
    stopped = "stopped"  # someone asked for it: python -m sweeper stop, or a bug


@dataclass(kw_only=True, slots=True, frozen=True)
class NoTrial:
    """There is nothing to do, and why."""

    kind: NoTrialKind
    reason: str  # "24 of 24 trials"


@dataclass(kw_only=True, slots=True, frozen=True)
class Claim:
    """A trial that belongs to this worker until it is told, given back or taken over."""

    trial: "optuna.Trial"
    token: str
    record: TrialRecord  # what is known of it; of a restart, the facts of the starts before
    is_restart: bool

    @property
    def number(self) -> int:
        """The trial's number: its folder, its job number. Of a retry that of the trial before it."""
        return self.record.number


class TrialQueue:
    """One worker's view of a study's trials.

    phase    search: proposes settings where nothing waits in the queue; confirm: only what was put into it
    budget   totals as this start states them: a larger total goes on, a smaller one stops
    lease    seconds without progress after which a trial is taken from its worker
    others   further studies whose hours and requests to stop count too (search <-> confirmations)
    """

    def __init__(
        self,
        study: "optuna.Study",
        folder: StudyFolder,
        *,
        phase: Phase,
        budget: Budget,
        lease: float,
        others: Sequence["optuna.Study"] = (),
    ) -> None:
        self._study = study
        self._storage = study._storage
        self._folder = folder
        self._phase = phase
        self._budget = budget
        self._others = tuple(others)
        self._watch = StalenessWatch(lease=lease, renewal=renewal_seconds(lease))

    def next_trial(self) -> Claim | NoTrial:
        """The next trial to work on, claimed for this process; or why there is none."""
        from sweeper.study.database import StudyIsFullError

        while True:
            with self._lock():
                try:
                    answer = self._next(self._put_back_stale())
                except StudyIsFullError:  # the lock was lost with the server; another took the last one
                    answer = None
            if answer is not None:
                return answer

    def give_back(self, claim: Claim, record: TrialRecord) -> bool:
        """Let the trial wait for whoever goes on with it from its checkpoint; False if it was taken over."""
        with self._lock():
            trial = self._own(claim)
            if trial is None:
                return False
            self._storage.set_trial_user_attr(trial._trial_id, FACTS, facts_json(record))
            self._close(trial, how="stopped", ended=time.time())
            self._set_state(trial, "WAITING")
            return True

    def save(self, claim: Claim, record: TrialRecord) -> bool:
        """Write facts that are known already (run id, command, seed); False if it was taken over."""
        with self._lock():
            trial = self._own(claim)
            if trial is not None:
                self._storage.set_trial_user_attr(trial._trial_id, FACTS, facts_json(record))
            return trial is not None

    def tell(self, claim: Claim, record: TrialRecord) -> bool:
        """End the trial as the record says; False if it was taken over: its end is then another's to tell.

        record  its state is complete, pruned or failed; values by objective, constraints by name (<= 0 holds)

        All facts are stored before the state. A worker that dies in between has told its trial: who next asks
        finds the end in it and sets the state.
        """
        with self._lock():
            trial = self._storage.get_trial(claim.trial._trial_id)
            starts = starts_of(trial.user_attrs)
            if not starts or starts[-1].token != claim.token:
                return False
            if trial.state.is_finished():
                return starts[-1].how == "told"
            if trial.state.name != "RUNNING":
                return False
            self._write_constraints(trial, record.constraints)
            self._storage.set_trial_user_attr(trial._trial_id, FACTS, facts_json(record))
            values = self._values(record) if record.state is TrialState.complete else None
            told = {"token": claim.token, "state": _STATES[record.state], "values": values}
            self._storage.set_trial_user_attr(trial._trial_id, TOLD, told)
            self._close(trial, how="told", ended=time.time())
            self._set_state(trial, _STATES[record.state], values)
            return True

    def _values(self, record: TrialRecord) -> list[float]:
        names = self._study.metric_names or list(record.values)
        return [float(record.values[name]) for name in names]

    def put_back_stale(self) -> None:
        """Let trials wait again whose workers are gone; asking for a trial does it too."""
        with self._lock():
            self._put_back_stale()

    def _lock(self) -> "AbstractContextManager[None]":
        return study_lock(self._storage, self._folder, self._folder.root.name)

    def _trials(self) -> list["FrozenTrial"]:
        return self._storage.get_all_trials(self._study._study_id, deepcopy=False)

    def _put_back_stale(self) -> list["FrozenTrial"]:
        trials = self._trials()
        gone = [trial for trial in trials if trial.state.name == "RUNNING" and self._watch.is_gone(trial)]
        for trial in gone:
            self._put_back(trial)
        return self._trials() if gone else trials

    def _put_back(self, trial: "FrozenTrial") -> None:
        starts = list(starts_of(trial.user_attrs))
        told = trial.user_attrs.get(TOLD)
        if starts and isinstance(told, dict) and told["token"] == starts[-1].token:
            if starts[-1].ended is None:
                self._close(trial, how="told", ended=last_sign_of(trial, starts[-1]))
            self._set_state(trial, told["state"], told["values"])
            return
        if starts and starts[-1].ended is None:
            starts = self._close(trial, how="died", ended=last_sign_of(trial, starts[-1]))
        deaths = sum(start.how == "died" for start in starts)
        if deaths <= MAX_DEATHS:
            self._set_state(trial, "WAITING")
            return
        cause = f"its worker died {deaths} times (the last one: {starts[-1].worker}); see output.log"
        record = record_of(trial, self._folder, self._phase)
        failed = replace(record, outcome=Outcome.failed, cause=cause, state=TrialState.failed)
        self._storage.set_trial_user_attr(trial._trial_id, FACTS, facts_json(failed))
        self._set_state(trial, "FAIL")

    def _next(self, trials: list["FrozenTrial"]) -> Claim | NoTrial:
        for study in (self._study, *self._others):
            if (stop := stop_reason(study)) is not None:
                return NoTrial(kind=NoTrialKind.stopped, reason=stop)
        elsewhere = [trial for study in self._others for trial in study.get_trials(deepcopy=False)]
        if (up := time_is_up(self._budget, [*trials, *elsewhere])) is not None:
            return NoTrial(kind=NoTrialKind.full, reason=up)
        waiting = [trial for trial in trials if trial.state.name == "WAITING"]
        for trial in waiting:
            if has_begun(trial) and (claim := self._take(trial)):
                return claim  # what was begun is always gone on with: it is in the count already
        if (enough := is_enough(self._budget, trials, self._study.directions)) is not None:
            return self._none(trials, enough)
        for trial in waiting:
            if not has_begun(trial) and (claim := self._take(trial)):
                return claim
        if self._phase is Phase.search and not self._budget.only_queued:
            return self._create(num_retried=len(trials) - len(latest_of(trials)))
        return self._none(trials, f"all {len(trials)} trials of the queue")

    def _none(self, trials: Sequence["FrozenTrial"], reason: str) -> NoTrial:
        running = sum(trial.state.name == "RUNNING" for trial in trials)
        if running:
            return NoTrial(kind=NoTrialKind.wait, reason=f"{reason}, {running} of them at work elsewhere")
        return NoTrial(kind=NoTrialKind.full, reason=reason)

    def _take(self, trial: "FrozenTrial") -> Claim | None:
        """Claim a waiting trial: the name first, then the state, so that none ever runs without a name."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState as State

        before = [start for start in starts_of(trial.user_attrs) if start.ended is not None]
        mine = _new_start()
        try:
            self._storage.set_trial_user_attr(trial._trial_id, STARTS, starts_json([*before, mine]))
            self._storage.set_trial_state_values(trial._trial_id, State.RUNNING)
        except UpdateFinishedTrialError:
            return None
        now = self._storage.get_trial(trial._trial_id)
        is_mine = now.state is State.RUNNING and starts_of(now.user_attrs)[-1].token == mine.token
        return self._claim(now, mine.token) if is_mine else None

    def _create(self, *, num_retried: int) -> Claim:
        from optuna.trial import TrialState as State
        from optuna.trial import create_trial

        from sweeper.study.database import AT_MOST, TOKEN

        mine = _new_start()
        at_most = None if self._budget.trials is None else self._budget.trials + num_retried
        marks: dict[str, object] = {TOKEN: mine.token, AT_MOST: at_most}
        template = create_trial(
            state=State.RUNNING, user_attrs={STARTS: starts_json([mine])}, system_attrs=marks
        )
        trial_id = self._storage.create_new_trial(self._study._study_id, template)
        return self._claim(self._storage.get_trial(trial_id), mine.token)

    def _claim(self, trial: "FrozenTrial", token: str) -> Claim:
        import optuna

        self._study._thread_local.cached_all_trials = None  # as Study.ask does: the sampler sees all ends
        record = record_of(trial, self._folder, self._phase)
        return Claim(
            trial=optuna.Trial(self._study, trial._trial_id),
            token=token,
            record=record,
            is_restart=record.restarts > 0,
        )

    def _own(self, claim: Claim) -> "FrozenTrial | None":
        """The trial as it is stored, if it still belongs to the claim."""
        trial = self._storage.get_trial(claim.trial._trial_id)
        starts = starts_of(trial.user_attrs)
        is_mine = trial.state.name == "RUNNING" and bool(starts) and starts[-1].token == claim.token
        return trial if is_mine else None

    def _close(self, trial: "FrozenTrial", *, how: str, ended: float) -> list[Start]:
        *before, last = starts_of(trial.user_attrs)
        starts = [*before, replace(last, ended=max(ended, last.began), how=how)]
        self._storage.set_trial_user_attr(trial._trial_id, STARTS, starts_json(starts))
        return starts

    def _write_constraints(self, trial: "FrozenTrial", constraints: Mapping[str, float]) -> None:
        for name, excess in constraints.items():  # as Trial.set_constraint, which refuses a second time
            self._storage.set_trial_system_attr(trial._trial_id, f"constraints:{name}", float(excess))

    def _set_state(self, trial: "FrozenTrial", state: str, values: Sequence[float] | None = None) -> None:
        """Not Study.tell: it gives a pruned trial its last report as a value, another metric here."""
        from optuna.trial import TrialState as State

        self._storage.set_trial_state_values(trial._trial_id, State[state], values)
        self._study._thread_local.cached_all_trials = None


_STATES = {TrialState.complete: "COMPLETE", TrialState.pruned: "PRUNED", TrialState.failed: "FAIL"}


def request_stop(study: "optuna.Study", reason: str) -> None:
    """Have workers start nothing more; what runs goes on to its end."""
    study.set_user_attr(STOP, reason)


def clear_stop(study: "optuna.Study") -> None:
    """Typing the sweep's command again takes a request to stop back."""
    if stop_reason(study) is not None:
        study.set_user_attr(STOP, None)


def stop_reason(study: "optuna.Study") -> str | None:
    """Why workers shall start nothing more; None: they shall."""
    return cast("str | None", study.user_attrs.get(STOP))


def _new_start() -> Start:
    process = this_process()
    return Start(token=uuid4().hex, worker=process.label, process=process.as_json(), began=time.time())
