"""The study as one run of wandb: best so far, at its end the trials in a table and the answer."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.tracking import TrackingConfig
from engine.training.tracker import TrackedRun
from engine.training.wandb_tracker import open_run, staged_in
from sweeper.answer.records import Answer, AnswerKind
from sweeper.study.records import StudyRecord
from sweeper.tracking.names import controller_part
from sweeper.tracking.study_tables import (
    Rows,
    best_so_far,
    importance_rows,
    study_facts,
    trial_rows,
    verdict_values,
)
from sweeper.tracking.sync_lines import sync_all_command

if TYPE_CHECKING:
    import wandb

_PAUSE_SECONDS = 10.0  # between two looks at the trials
_STEPS_A_TRIAL = 2  # wandb's own steps: an even one for the trial, the odd one after it for tables


def open_controller_run(
    config: TrackingConfig,
    record: StudyRecord,
    *,
    warn: Callable[[str], None],
    pause_seconds: float = _PAUSE_SECONDS,
) -> "ControllerRun":
    """Open sweeps/<study>/wandb, or go on in it, as config says; a run that does nothing where it is off.

    pause_seconds  how long a call of log_trials that follows another one waits for the next one instead
    warn           one line for the user; whatever wandb raises is shown there and never raised
    """
    part = controller_part(record.name, sampler=record.sampler)
    tracked = TrackedRun(
        folder=record.folder,
        name=part.tracked_id,
        run_id=part.tracked_id,
        config=study_facts(record),
        is_demo=record.is_demo,
        part_of=part,
    )
    made = ControllerRun(record.folder / "wandb", warn=warn, pause_seconds=pause_seconds)

    def open_here() -> "wandb.Run | None":
        record.folder.mkdir(parents=True, exist_ok=True)  # wandb would go elsewhere where it is missing
        return open_run(config, tracked, warn)

    made.open(open_here)
    return made


class ControllerRun:
    """What is told about the study goes to wandb; once wandb fails, nothing is told it any more.

    Stateless beyond the step: each start tells the whole history from the study's record, and a server
    drops the steps that it has already. A kill costs at most the last second of it, until the next start.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], None], pause_seconds: float) -> None:
        """Without a run as yet; its files are to lie in folder."""
        self._folder = folder
        self._warn = warn
        self._pause = pause_seconds
        self._run: wandb.Run | None = None
        self._next_trial = 0
        self._told_at: float | None = None

    def open(self, open_wandb_run: "Callable[[], wandb.Run | None]") -> None:
        """Take the run that this opens; None = wandb is switched off."""

        def start() -> None:
            run = self._run = open_wandb_run()
            if run is not None:
                run.define_metric("trial")
                for names in ("trial/*", "best/*"):
                    run.define_metric(names, step_metric="trial")

        self._guard(start)

    @property
    def is_due(self) -> bool:
        """Whether log_trials would do something now: what it needs need not be computed otherwise."""
        waited = self._told_at is None or time.monotonic() - self._told_at >= self._pause
        return self._run is not None and waited

    def log_trials(self, record: StudyRecord, answer: Answer) -> None:
        """Tell of the trials that ended since the last call, and what the study says by now."""
        if self.is_due:
            self._told_at = time.monotonic()
            self._tell(lambda run: self._log_trials(run, record, answer, wait=True))

    def finish(self, record: StudyRecord, answer: Answer) -> str | None:
        """The rest of the history, the tables and the answer.

        Returns the run's address, or the one line that uploads all runs of the study.
        """
        lines: list[str] = []
        is_over = record.stopped is not None
        self._tell(lambda run: self._log_trials(run, record, answer, wait=not is_over))
        self._tell(lambda run: self._log_tables(run, record, answer))
        self._tell(lambda run: lines.append(self._close(run, failed=answer.kind is AnswerKind.all_failed)))
        self._run = None
        return lines[0] if lines else None

    def _log_trials(self, run: "wandb.Run", record: StudyRecord, answer: Answer, *, wait: bool) -> None:
        for number, values in best_so_far(record, wait=wait):
            if number >= self._next_trial:
                run.log({"trial": number} | values, step=number * _STEPS_A_TRIAL, commit=True)
                self._next_trial = number + 1
        run.summary.update(verdict_values(record, answer))

    def _log_tables(self, run: "wandb.Run", record: StudyRecord, answer: Answer) -> None:
        import wandb

        values: dict[str, object] = {"study/trials": _table(trial_rows(record))}
        shares = importance_rows(answer)
        if shares.rows:
            title = f"What decides {answer.importances.of}" if answer.importances.of else "Importances"
            values["study/importances"] = _table(shares)
            values["study/importance_bars"] = wandb.plot.bar(_table(shares), "key", "share", title=title)
        with staged_in(self._folder):
            run.log(values, step=max(0, self._next_trial - 1) * _STEPS_A_TRIAL + 1, commit=True)

    def _close(self, run: "wandb.Run", *, failed: bool) -> str:
        run.finish(exit_code=1 if failed else 0)
        sync = sync_all_command(self._folder.parent) if run.offline else None
        return sync or f"wandb: {run.url}"

    def _tell(self, call: "Callable[[wandb.Run], None]") -> None:
        run = self._run
        if run is not None:
            self._guard(lambda: call(run))

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except AssertionError:
            raise  # our own mistake, not wandb's
        except Exception as error:
            self._warn(f"wandb: {error.__class__.__name__}: {error}; the sweep goes on without its own run")
            left, self._run = self._run, None
            if left is not None:
                with suppress(Exception):  # it was told already that wandb failed
                    left.finish(exit_code=1)


def _table(rows: Rows) -> "wandb.Table":
    import wandb

    return wandb.Table(columns=list(rows.columns), data=rows.rows, allow_mixed_types=True)
