"""The end of a start of a sweep: the table, the report, best.yaml, the winning file, wandb."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.answer.answer import answer_of
from sweeper.answer.best_file import copy_winner, write_best
from sweeper.answer.records import AnswerKind
from sweeper.answer.table import print_answer
from sweeper.answer.trials_csv import write_trials_csv
from sweeper.report.page import write_report
from sweeper.study.read import read_session, write_ended
from sweeper.study.records import StudyRecord, TrialState
from sweeper.tracking.controller_run import ControllerRun
from sweeper.work.after import BUG
from sweeper.work.plan import SweepPlan
from sweeper.work.session import open_session
from sweeper.work.trial import OUTPUT

if TYPE_CHECKING:
    from rich.console import Console

_LAST_LINES = 40  # of a failed trial's output


def conclude(
    plan: SweepPlan, tracked: ControllerRun, console: "Console", *, reason: str, died: Sequence[str]
) -> bool:
    """Say and write what the study says as it stands; False where no trial is complete.

    reason  why no more trials are started
    died    what ended workers that should not have ended
    """
    session = open_session(plan)
    write_ended(session.search, reason)
    record = read_session(session.folder, session.search, session.confirm)
    answer = answer_of(record)
    write_trials_csv(record, session.folder.table)
    files = write_best(record, answer, list(plan.space.groups))
    weights = copy_winner(record, answer)
    report = write_report(record, answer)  # the last: it names the files that are there
    print_answer(record, answer, console, files)
    output = _first_output(record) if answer.kind is AnswerKind.all_failed else None
    paths = (("output", output), ("weights", weights), ("report", report), ("table", session.folder.table))
    for label, path in paths:
        if path is not None:
            console.print(f"{label:<8} {path}", markup=False, highlight=False, soft_wrap=True)
    line = tracked.finish(record, answer)
    if line is not None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for cause in dict.fromkeys(died):
        print(f"a worker ended early: {cause}", file=sys.stderr)
    if reason.startswith(BUG):
        print(f"stopped: the first trials all ended alike. {reason}", file=sys.stderr)
        print(_last_output(record), file=sys.stderr)
    return any(trial.state is TrialState.complete for trial in record.trials)


def _first_output(record: StudyRecord) -> Path | None:
    """What the first trial printed, where nothing else tells why all failed."""
    paths = (trial.folder / OUTPUT for trial in record.trials)
    return next((path for path in paths if path.is_file()), None)


def _last_output(record: StudyRecord) -> str:
    """The traceback of the trial that failed last, as its own output has it."""
    failed = [trial for trial in record.trials if trial.state is TrialState.failed]
    path = failed[-1].folder / OUTPUT if failed else None
    if path is None or not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
