"""A claimed trial from its settings to its told end."""

import gc
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.compose.plan import Plan
from engine.config import ConfigError, RunConfig
from engine.config.outcome import Outcome
from engine.training.job import Hooks, Moment
from sweeper.config import PrunerKind
from sweeper.display.worker_status import StatusFile
from sweeper.space.suggest import suggest, suggest_given
from sweeper.study.claim import Claim, TrialQueue
from sweeper.study.lease import Lease
from sweeper.study.pruning import Judge, build_pruner
from sweeper.study.records import Phase, TrialRecord
from sweeper.tracking.names import trial_part
from sweeper.work.after import after_end, before_end
from sweeper.work.command import command_of
from sweeper.work.confirming import confirmation_overrides
from sweeper.work.defaults import values_of
from sweeper.work.ending import END_STATES, ended_record
from sweeper.work.full_disk import is_full_disk
from sweeper.work.losing import Ender
from sweeper.work.plan import SweepPlan
from sweeper.work.session import OF, SEED, SETTINGS, Session
from sweeper.work.trial import HELD, OUTPUT, Ended, Place, import_training, run_trial

HALVED = "the batch was halved after the first attempt ran out of memory"
_HUNG = "it hung once"
_HELD_SECONDS = 60.0  # between two tries to take a trial whose former worker is still there


@dataclass(slots=True)
class TrialWork:
    """One trial in one worker."""

    plan: SweepPlan
    session: Session
    queue: TrialQueue
    claim: Claim
    phase: Phase
    status: StatusFile
    record: TrialRecord = field(init=False)
    _began: float = field(default_factory=time.monotonic)
    _device: str = ""
    _is_training: bool = False
    _first_step: int = 0  # where this start went on from
    _seed: int = 0

    def run(self) -> str | None:
        """Run and tell; the name of the signal where the worker is to end, else None."""
        self.record = self.claim.record
        ender = Ender(self.plan.settings.lease)
        with Lease(self.claim, self.plan.settings.lease, ender) as lease:
            try:
                ended = self._attempts(lease)
            except KeyboardInterrupt:
                ended = Ended(outcome=Outcome.interrupted, cause="stopped at once")
            except ConfigError as error:
                ended = Ended(outcome=Outcome.failed, cause="; ".join(error.problems))
            except Exception as error:
                if is_full_disk(error):
                    self.queue.give_back(self.claim, self.record)
                raise  # this worker ends by it
            finally:
                ender.done()
        return self._tell(ended, ender.reason)

    def _attempts(self, lease: Lease) -> Ended:
        """The run; once more with half the batch where memory ran out."""
        import_training(lease.moved)
        overrides = self.record.overrides or self._first_overrides()
        ended = self._attempt(overrides, lease)
        if ended.outcome is Outcome.out_of_memory and HALVED not in self.record.notes:
            halved = self._halved(overrides)
            if halved is not None:
                self.record = replace(self.record, notes=(*self.record.notes, HALVED))
                _forget_attempt(self.record.folder)
                self._is_training, self._first_step = False, 0
                gc.collect()
                ended = self._attempt(halved, lease)
        return ended

    def _first_overrides(self) -> tuple[str, ...]:
        """The settings, drawn or given, as overrides; stored before anything runs."""
        trial, space, composer = self.claim.trial, self.plan.space, self.plan.composer
        given = trial.user_attrs.get(SETTINGS)
        if given is None:
            settings = suggest(trial, space, composer.look)
        elif self.phase is Phase.search:
            settings = suggest_given(trial, space, given, composer.look)
        else:
            settings = dict(given)
        if given is None:
            trial.set_user_attr(SETTINGS, settings)
        self.record = replace(
            self.record, params=values_of(space, composer, settings), of=trial.user_attrs.get(OF)
        )
        more = [] if self.plan.has_own_threads else [f"training.threads={self.session.threads}"]
        if self.phase is Phase.confirm:
            more += confirmation_overrides(self.plan, composer.run(settings), int(trial.user_attrs[SEED]))
        return composer.explicit(composer.overrides(settings, *more))

    def _attempt(self, overrides: tuple[str, ...], lease: Lease) -> Ended:
        composer = self.plan.composer
        config = composer.compose(overrides)
        self._seed = int(config.seed)
        self.record = replace(self.record, overrides=overrides)
        hooks = Hooks(on_validation=self._judge(), on_moment=lambda moment: self._moved(lease, moment))
        sampler = self.plan.settings.sampler.kind.value
        place = Place(
            folder=self.record.folder,
            number=self.claim.number,
            part=trial_part(
                self.plan.name,
                self.claim.number,
                phase=self.phase,
                sampler=sampler,
                settings=self.record.params,
            ),
            context=composer.context,
            task=self.plan.task,
            on_plan=self._on_plan,
        )
        return run_trial(place, config, hooks)

    def _on_plan(self, plan: Plan) -> None:
        """The run can start: what it is goes into the storage, so that a restart and a report know it."""
        self._device = plan.device
        self.record = replace(
            self.record,
            run_id=plan.run_id,
            seed=self._seed,
            total_steps=plan.total_steps,
            command=command_of(self.record.overrides, device=plan.device),
        )
        self.queue.save(self.claim, self.record)

    def _run_config(self) -> RunConfig:
        from engine.compose.load import load

        return load(self.plan.composer.task_config(self.record.overrides))

    def _judge(self) -> Callable[[int, float], bool] | None:
        """What decides at each validation whether the trial stops; the first trials only report.

        A good default would otherwise stop nearly all of a small sweep: with few trials at a rung, successive
        halving lets only the best so far go on, and a sampler would have nothing complete to learn from.
        """
        settings, search = self.plan.settings, self.session.search
        if settings.prune is None or self.phase is Phase.confirm:
            return None
        prune = settings.prune
        kind = replace(settings.pruner, kind=PrunerKind.none) if self.plan.is_grid else settings.pruner

        def stops(step: int, value: float) -> bool:
            total = self.record.total_steps
            judge = Judge(search, build_pruner(kind, prune, total), prune.direction)
            is_kept = self.claim.number < max(1, settings.pruner.startup)  # the default among them
            return judge.report_and_ask(self.claim.trial, step, value, total_steps=total, is_kept=is_kept)

        return stops

    def _moved(self, lease: Lease, moment: Moment) -> None:
        """A sign of progress, for the lease and for the display."""
        if moment.doing != "training" or not moment.total_steps:
            lease.moved()
            self.status.activity(moment.doing)
            return
        if not self._is_training:
            self._is_training, self._first_step = True, moment.step - 1
            self.status.resume(self._first_step, moment.total_steps)
        lease.moved(moment.step, moment.total_steps)
        self.status.step(moment.step, moment.loss or 0.0)

    def _halved(self, overrides: tuple[str, ...]) -> tuple[str, ...] | None:
        run = self._run_config()
        size, accumulation = run.dataset.batch_size, run.training.gradient_accumulation
        if size < 2 or run.dataset.config_file is not None:
            return None
        halved = (
            f"dataset.batch_size={size // 2}",
            f"training.gradient_accumulation={accumulation * -(-size // (size // 2))}",
        )
        return self.plan.composer.explicit(self.plan.composer.overrides({}, *overrides, *halved))

    def _tell(self, ended: Ended, lost: str | None) -> str | None:
        """Hand the end to the study; the reason for the worker to end, or None."""
        seconds = self.record.seconds + time.monotonic() - self._began
        self.record = replace(self.record, seconds=seconds)
        if lost is not None and lost.startswith("no progress"):
            if _HUNG in self.record.notes:
                ended = Ended(outcome=Outcome.failed, cause=f"{lost}, for the second time")
            else:
                self.record = replace(self.record, notes=(*self.record.notes, _HUNG))
        if ended.cause == HELD:  # stopped or waiting for a disk: it lets go when it wakes, or when it dies
            self.queue.give_back(self.claim, self.record)
            time.sleep(min(_HELD_SECONDS, self.plan.settings.lease / 4))
            return None
        if ended.outcome is Outcome.interrupted:
            done = ended.result.steps_done if ended.result is not None else self.record.steps_done
            self.queue.give_back(self.claim, replace(self.record, steps_done=done))
            return None if lost is not None else (ended.cause or "stopped")
        self.record = ended_record(
            self.plan, self.record, ended, device=self._device, first_step=self._first_step
        )
        assert self.record.state in END_STATES
        before_end(self.session, self.claim, self.record)
        if self.queue.tell(self.claim, self.record):
            after_end(self.session, self.record)
        return None


def _forget_attempt(folder: Path) -> None:
    """A run with another batch is another run: nothing of the first attempt may be gone on with."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != OUTPUT:
            path.unlink()
