"""What the controlling process does meanwhile: the live display, and the study's own wandb run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sweeper.answer.answer import answer_of
from sweeper.display.live import SweepDisplay
from sweeper.study.read import read_session
from sweeper.study.records import StudyRecord
from sweeper.tracking.controller_run import ControllerRun, open_controller_run
from sweeper.work.plan import SweepPlan
from sweeper.work.session import Session, open_session

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def showing(plan: SweepPlan, console: "Console") -> Iterator[ControllerRun]:
    """Shows the study as it grows; yields its wandb run, which is to be finished by the caller."""
    session = open_session(plan)  # of its own: the display reads it in a thread
    run = open_controller_run(plan.defaults.tracking, _record(session), warn=console.print)

    def read() -> StudyRecord:
        record = _record(session)
        if run.is_due:
            run.log_trials(record, answer_of(record))
        return record

    with SweepDisplay(read, session.folder, console):
        yield run


def _record(session: Session) -> StudyRecord:
    return read_session(session.folder, session.search, session.confirm)
