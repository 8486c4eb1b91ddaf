"""A worker: asks the shared study for a trial, runs it, tells how it ended, until there is nothing to do."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from engine.training.interrupt import Interrupt
from sweeper.display.worker_status import StatusFile
from sweeper.slots.preemption import preemptible
from sweeper.study.budget import Budget
from sweeper.study.claim import Claim, NoTrial, NoTrialKind, TrialQueue
from sweeper.study.records import Phase
from sweeper.work.confirming import enqueue_confirmations
from sweeper.work.plan import SweepPlan
from sweeper.work.session import Session, open_session
from sweeper.work.work_trial import TrialWork

_POLL_SECONDS = 0.5


class WorkerEnd(Enum):
    """Why a worker stopped."""

    finished = "finished"  # there is nothing left to do
    died = "died"  # what nobody foresaw ended it
    interrupted = "interrupted"  # Ctrl-C or a signal: its trial waits to be gone on with
    stopped = "stopped"  # python -m sweeper stop, or a bug in the first trials


@dataclass(kw_only=True, slots=True, frozen=True)
class WorkerReport:
    """What a worker did."""

    end: WorkerEnd
    reason: str
    num_trials: int
    idle_seconds: float  # in which it waited for others


@dataclass(kw_only=True, slots=True)
class Worker:
    """The job that a launcher runs: called in its process with the config of the sweep itself."""

    plan: SweepPlan

    def __call__(self, config: DictConfig) -> WorkerReport:
        """Work until the study needs nothing more."""
        from engine.compose.register import register

        register()  # a fresh process knows no resolvers
        loop = _Loop(self.plan, open_session(self.plan))
        with preemptible(), Interrupt():
            try:
                return loop.run()
            except KeyboardInterrupt:
                return loop.report(WorkerEnd.interrupted, "stopped")
            finally:
                loop.status.close()


@dataclass(slots=True)
class _Loop:
    plan: SweepPlan
    session: Session
    num_trials: int = 0
    idle_seconds: float = 0.0
    status: StatusFile = field(init=False)
    _queues: Mapping[Phase, TrialQueue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan, session = self.plan, self.session
        self.status = StatusFile(session.folder, slot=HydraConfig.get().job.num, device=_device())
        budget = plan.settings.budget
        hours = Budget(hours=budget.hours, gpu_hours=budget.gpu_hours)
        searching = replace(hours, trials=plan.num_search, patience=budget.patience)
        self._queues = {
            Phase.search: TrialQueue(
                session.search,
                session.folder,
                phase=Phase.search,
                budget=searching,
                lease=plan.settings.lease,
                others=(session.confirm,),
            ),
            Phase.confirm: TrialQueue(
                session.confirm,
                session.folder,
                phase=Phase.confirm,
                budget=hours,
                lease=plan.settings.lease,
                others=(session.search,),
            ),
        }

    def run(self) -> WorkerReport:
        """The loop itself."""
        while True:
            claim, phase, reason = self._next()
            if claim is not None:
                self.status.begin(claim.number, phase)
                work = TrialWork(self.plan, self.session, self._queues[phase], claim, phase, self.status)
                end = work.run()
                self.num_trials += 1
                if end is not None:
                    return self.report(WorkerEnd.interrupted, end)
            elif reason.kind is NoTrialKind.wait:
                self.status.idle("waiting for others")
                time.sleep(_POLL_SECONDS)
                self.idle_seconds += _POLL_SECONDS
            else:
                ends = {NoTrialKind.stopped: WorkerEnd.stopped}
                return self.report(ends.get(reason.kind, WorkerEnd.finished), reason.reason)

    def report(self, end: WorkerEnd, reason: str) -> WorkerReport:
        """What was done up to here."""
        return WorkerReport(
            end=end, reason=reason, num_trials=self.num_trials, idle_seconds=self.idle_seconds
        )

    def _next(self) -> tuple[Claim | None, Phase, NoTrial]:
        """A trial of the search; when it has enough, a confirmation; else why there is neither."""
        nothing = NoTrial(kind=NoTrialKind.full, reason="nothing is to be confirmed")
        found = self._queues[Phase.search].next_trial()
        if isinstance(found, Claim):
            return found, Phase.search, nothing
        if found.kind is NoTrialKind.stopped or self.plan.num_trials == self.plan.num_search:
            return None, Phase.search, found
        enqueue_confirmations(self.plan, self.session, searching=found.kind is NoTrialKind.wait)
        confirmation = self._queues[Phase.confirm].next_trial()
        if isinstance(confirmation, Claim):
            return confirmation, Phase.confirm, nothing
        waits = found if found.kind is NoTrialKind.wait else confirmation
        if waits.kind is NoTrialKind.full:
            return None, Phase.search, found
        return None, Phase.confirm, waits


def _device() -> str:
    import os

    gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
    return f"gpu {gpu}" if gpu else ""
