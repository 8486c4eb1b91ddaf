"""python -m sweeper stop: workers start nothing more; with now=true what runs here is saved and ended."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from engine.config.errors import ConfigError
from sweeper.answer.answer import answer_of
from sweeper.commands.arguments import Arguments
from sweeper.commands.state import Activity, state_of
from sweeper.commands.studies import OpenStudy, chosen_study, open_study, readable
from sweeper.display.worker_status import WorkerStatus, read_workers
from sweeper.study.claim import request_stop
from sweeper.study.process import is_surely_dead, this_process
from sweeper.study.records import Phase

REASON = "python -m sweeper stop"  # what the study says of it
_ENDS_WITHIN = 120.0  # seconds that a worker is waited for: its step, its checkpoint
_POLL_SECONDS = 0.2


def stop(arguments: Arguments) -> int:
    """Ask for it, say who still works and how to go on; 1 where a worker did not end in time."""
    study = open_study(chosen_study(arguments), arguments.storage)
    if study.search is None:
        raise ConfigError(f"study={study.record.name}: it has not begun: there is nothing to stop.")
    state = state_of(study, answer_of(study.record))
    if state.activity is Activity.finished:
        print(f"{study.record.name} is finished ({state.reason}): nothing to stop")
        return 0
    with readable(study.folder):
        request_stop(study.search, REASON)
    print(f"{study.record.name}: no more trials are started")
    if not state.num_at_work:
        print("  nobody is at work on it, as far as this machine can see")
    late = _interrupt(study) if arguments.is_on("now") else _tell_running(study)
    print(f"The same command goes on:\n  {study.record.command}")
    return 1 if late else 0


def is_here(process: Mapping[str, object]) -> bool:
    """Whether it is a living process of this machine and this container, and no other with its number."""
    here = this_process().as_json()
    same = all(process.get(key) == here[key] for key in ("host", "machine", "boot", "space"))
    return same and not is_surely_dead(process, last_sign=time.time())


def _tell_running(study: OpenStudy) -> bool:
    for worker in study.workers:
        print(f"  {_words(worker)}: goes on to its end")
    if any(is_here(worker.process) for worker in study.workers):
        print("  now=true has them save and end at once")
    return False


def _interrupt(study: OpenStudy) -> bool:
    """Ctrl-C for each worker of this machine, then wait for them; whether some did not end."""
    asked = [worker for worker in study.workers if is_here(worker.process)]
    for worker in study.workers:
        if worker not in asked:
            print(f"  {_words(worker)}: of another machine; type the command there, or let it end")
    for worker in asked:
        _signal(worker)
    deadline = time.monotonic() + _ENDS_WITHIN
    while (left := _still_at_work(study, asked)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for worker in asked:
        words = "still at it" if worker.worker in left else "saved, and waits to be gone on with"
        print(f"  {_words(worker)}: {words}", file=sys.stderr if worker.worker in left else sys.stdout)
    return bool(left)


def _signal(worker: WorkerStatus) -> None:
    try:
        os.kill(int(str(worker.process["pid"])), signal.SIGINT)
    except ProcessLookupError:  # it just ended
        return
    except PermissionError as error:
        raise ConfigError(
            f"now=true: {worker.worker} is another user's. Ask them, or leave now out."
        ) from error


def _still_at_work(study: OpenStudy, asked: Sequence[WorkerStatus]) -> set[str]:
    names = {worker.worker for worker in asked}
    return {worker.worker for worker in read_workers(study.folder) if worker.worker in names}


def _words(worker: WorkerStatus) -> str:
    """host:17, trial 7."""
    kind = "trial" if worker.phase is Phase.search else "confirm"
    return worker.worker if worker.trial is None else f"{worker.worker}, {kind} {worker.trial}"
