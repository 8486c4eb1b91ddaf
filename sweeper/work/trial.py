"""One trial: the run that its settings mean, in its own folder, watched and perhaps stopped."""

import copy
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobStatus, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from engine.compose.placed import placed_in
from engine.compose.plan import Plan
from engine.config import ConfigError
from engine.config.outcome import Outcome
from engine.training.job import Hooks, hooked
from engine.training.result import TrainResult, read_result
from engine.training.run_folder import FolderInUseError
from engine.training.tracker import PartOf, tracked_as
from sweeper.work.full_disk import is_full_disk

HELD = "the worker that had it before still holds its folder"
OUTPUT = "output.log"  # what the trial would have shown on a terminal


@dataclass(kw_only=True, slots=True, frozen=True)
class Place:
    """Where and as what a trial runs."""

    folder: Path
    number: int
    part: PartOf
    context: HydraContext
    task: TaskFunction
    on_plan: Callable[[Plan], None]


@dataclass(kw_only=True, slots=True, frozen=True)
class Ended:
    """How a trial came back."""

    outcome: Outcome
    cause: str | None = None
    details: str = ""  # the traceback of what nobody foresaw
    result: TrainResult | None = None  # None: it did not come as far as training


def run_trial(place: Place, config: DictConfig, hooks: Hooks) -> Ended:
    """Train, draw and score, or go on; whatever happens in it comes back as an Ended.

    config  of the run, Hydra's section included
    raises  KeyboardInterrupt where it was stopped before or after the training; the error that says so
            where the disk is full
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    _forget_unfinished(place.folder)
    job = _placed(config, place)
    with ExitStack() as stack:
        stack.enter_context(_output_to(place.folder / OUTPUT))
        stack.enter_context(placed_in(place.folder, place.on_plan))
        stack.enter_context(hooked(hooks))
        stack.enter_context(tracked_as(place.part))
        failure = _attempt(place, job)
        if failure is not None and is_full_disk(failure):
            raise failure
        if failure is not None and not isinstance(failure, ConfigError | SystemExit):
            traceback.print_exception(failure)
    return _ended(place.folder, failure)


def import_training(moved: Callable[[], None]) -> None:
    """Import what every trial needs, with a sign of progress after each part.

    A slow disk is no hang; and an import that is interrupted leaves a process in which every trial fails.
    """
    import torch

    moved()
    import torch._dynamo  # noqa: F401  # torch's optimizers import it when the first one is made

    moved()
    import engine.training.train  # noqa: F401

    moved()
    import evaluation.in_run  # noqa: F401

    moved()


def _attempt(place: Place, job: DictConfig) -> BaseException | None:
    """Hydra's own run of a job; what it was ended by, or None."""
    try:
        done = run_job(
            task_function=place.task,
            config=job,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key=None,
            hydra_context=place.context,
            configure_logging=False,
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit in a job must not end the sweep
        return error
    return None if done.status is JobStatus.COMPLETED else done._return_value


def _ended(folder: Path, failure: BaseException | None) -> Ended:
    if isinstance(failure, FolderInUseError):
        return Ended(outcome=Outcome.interrupted, cause=HELD)
    if isinstance(failure, ConfigError):
        return Ended(outcome=Outcome.failed, cause="; ".join(failure.problems))
    result = _result_of(folder)
    details = "".join(traceback.format_exception(failure)) if failure is not None else ""
    if result is None:
        words = "it left no result" if failure is None else f"{type(failure).__name__}: {failure}"
        return Ended(outcome=Outcome.failed, cause=words, details=details)
    if result.outcome is Outcome.completed and failure is not None and not isinstance(failure, SystemExit):
        words = f"{type(failure).__name__}: {failure}"
        return Ended(outcome=Outcome.failed, cause=words, details=details, result=result)
    unforeseen = details if result.outcome is Outcome.failed else ""
    return Ended(outcome=result.outcome, cause=result.cause, details=unforeseen, result=result)


def _forget_unfinished(folder: Path) -> None:
    """The end of an earlier start is not the end of this one."""
    earlier = _result_of(folder)
    if earlier is not None and earlier.outcome not in (Outcome.completed, Outcome.pruned, Outcome.diverged):
        (folder / "result.json").unlink(missing_ok=True)


def _result_of(folder: Path) -> TrainResult | None:
    try:
        return read_result(folder)
    except (ValueError, KeyError, TypeError, OSError):
        return None


def _placed(config: DictConfig, place: Place) -> DictConfig:
    job = copy.deepcopy(config)
    with open_dict(job):
        job.hydra.sweep.dir = str(place.folder)
        job.hydra.job.num = place.number
        job.hydra.job.id = place.folder.name
    return job


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """What is printed goes to a file, so that the live display of the sweep stays whole."""
    with path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1) as stream:
        for terminal in (sys.stdout, sys.stderr):
            terminal.flush()
        with redirect_stdout(stream), redirect_stderr(stream):
            yield
