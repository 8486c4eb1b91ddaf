"""A sweep from its command line to its answer: the order of events."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.compose.refusal import INTERRUPTED
from engine.config import ConfigError
from sweeper.work.check import check_sweep
from sweeper.work.dry_run import print_examples, print_plan
from sweeper.work.full_disk import is_full_disk
from sweeper.work.places import num_workers, threads_of_a_trial, workers_words
from sweeper.work.plan import Request, SweepPlan, collected, plan_sweep, read_settings

if TYPE_CHECKING:
    from rich.console import Console

    from sweeper.tracking.controller_run import ControllerRun
    from sweeper.work.worker import WorkerReport

__all__ = ["Request", "run_sweep"]


def run_sweep(request: Request) -> None:
    """Search, confirm, answer; leaves the program with 1 where no trial completed, 130 after Ctrl-C.

    raises  ConfigError with everything that prevents the sweep, before anything is made
    """
    from rich.console import Console

    settings = read_settings(request.config)
    problems: list[str] = []
    workers = collected(problems, lambda: num_workers(request.config, settings))
    plan = collected(problems, lambda: check_sweep(plan_sweep(request, settings)))
    if workers is None or plan is None:
        raise ConfigError(list(dict.fromkeys(problems)))
    console = Console(file=sys.stdout)
    print_plan(plan, console, workers=workers_words(request.config, workers))
    if request.config.dry_run:
        print_examples(plan, console)
        return
    try:
        _work(request, plan, workers, console)
    except OSError as error:
        if not is_full_disk(error):
            raise
        print(f"stopped: {error}. Make room; the same command goes on: {plan.command}", file=sys.stderr)
        sys.exit(1)


def _work(request: Request, plan: SweepPlan, workers: int, console: "Console") -> None:
    """Make the study, or go on in it, until the launcher's workers have ended; then the answer."""
    from sweeper.work.session import make_study, reopen
    from sweeper.work.showing import showing

    asked = plan.name
    plan = make_study(plan, threads=threads_of_a_trial(request.config, workers))
    if plan.name != asked:
        console.print(f"forked: {plan.folder}", markup=False, highlight=False, soft_wrap=True)
    reopen(plan)
    with showing(plan, console) as tracked:
        reports = _launch(request, plan, workers)
    _conclude(plan, reports, tracked, console)


def _launch(request: Request, plan: SweepPlan, workers: int) -> "Sequence[WorkerReport]":
    """Have the launcher run the workers, whatever it is."""
    from hydra.core.plugins import Plugins

    from sweeper.work.worker import Worker

    _let_children_import()
    worker = Worker(plan=replace(plan, composer=plan.composer.fresh()))
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=request.context, task_function=worker, config=request.config
    )
    try:
        returns = launcher.launch([[] for _ in range(workers)], initial_job_idx=0)
    except KeyboardInterrupt:
        return [_interrupted()]
    return [_report(done) for done in returns]


def _let_children_import() -> None:
    """Processes on other machines or of other launchers find this checkout, installed or not."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    if root not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, known)))


def _nothing_left(plan: SweepPlan) -> str:
    from sweeper.work.nothing_left import nothing_left
    from sweeper.work.session import open_session

    session = open_session(plan)
    return nothing_left(plan, session.search, session.confirm)


def _report(done: object) -> "WorkerReport":
    from hydra.core.utils import JobReturn, JobStatus

    from sweeper.work.worker import WorkerEnd, WorkerReport

    assert isinstance(done, JobReturn)
    if done.status is JobStatus.COMPLETED and isinstance(done.return_value, WorkerReport):
        return done.return_value
    cause = done._return_value
    return WorkerReport(
        end=WorkerEnd.died, reason=f"{type(cause).__name__}: {cause}", num_trials=0, idle_seconds=0
    )


def _interrupted() -> "WorkerReport":
    from sweeper.work.worker import WorkerEnd, WorkerReport

    return WorkerReport(end=WorkerEnd.interrupted, reason="Ctrl-C", num_trials=0, idle_seconds=0.0)


def _conclude(
    plan: SweepPlan, reports: "Sequence[WorkerReport]", tracked: "ControllerRun", console: "Console"
) -> None:
    from sweeper.work.conclude import conclude
    from sweeper.work.worker import WorkerEnd

    ends = {report.end for report in reports}
    died = [report.reason for report in reports if report.end is WorkerEnd.died]
    reason = next((report.reason for report in reports if report.end is not WorkerEnd.died), "")
    nothing = ends == {WorkerEnd.finished} and not sum(report.num_trials for report in reports)
    words = _nothing_left(plan) if nothing else f"ended: {reason}" if reason else ""
    console.print(words, markup=False, highlight=False, soft_wrap=True)
    completed = conclude(plan, tracked, console, reason=reason, died=died)
    if WorkerEnd.interrupted in ends or ends == {WorkerEnd.died}:
        console.print(
            f"The same command goes on: {plan.command}", markup=False, highlight=False, soft_wrap=True
        )
    if WorkerEnd.interrupted in ends:
        sys.exit(INTERRUPTED)
    if not completed or ends == {WorkerEnd.died}:
        sys.exit(1)
