"""One run from its checked config to its weights, pictures and scores: the order of events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from filelock import FileLock, Timeout
from rich.console import Console

from engine.compose.plan import Plan
from engine.config import ConfigError, RunConfig
from engine.config.outcome import Outcome
from engine.config.sources import Sources
from engine.training.clock import Clock
from engine.training.failure import name_failure
from engine.training.interrupt import Interrupt
from engine.training.loop import run_loop
from engine.training.parts import Parts, load_parts
from engine.training.previews import Gallery, plan_samples
from engine.training.resume import drop_checkpoints
from engine.training.result import TrainResult, read_result, write_result
from engine.training.start import Start, open_folder, open_run_trackers, start_or_resume
from engine.training.tracking import Trackers
from engine.training.watch import Watch
from engine.training.weights import load_weights, save_weights

_ENDED = (Outcome.completed, Outcome.diverged, Outcome.pruned)


@dataclass(kw_only=True, slots=True, frozen=True)
class Hooks:
    """What the caller adds to a run."""

    on_validation: Callable[[int, float], bool] | None = None  # (step, val_loss) -> stop as pruned?
    score: Callable[[TrainResult], Mapping[str, float]] | None = None  # final pictures -> numbers to track


@dataclass(kw_only=True, slots=True, frozen=True)
class Job:
    """What is to be done, and where it is shown."""

    run: RunConfig
    plan: Plan
    sources: Sources
    console: Console
    hooks: Hooks
    clock: Clock


def train(
    run: RunConfig, plan: Plan, sources: Sources, *, console: Console, hooks: Hooks | None = None
) -> TrainResult:
    """Train, or go on, or point to what is finished; the outcome is in the result and in result.json.

    raises  ConfigError when the run cannot start; anything unforeseen is recorded as failed and raised again
    """
    job = Job(run=run, plan=plan, sources=sources, console=console, hooks=hooks or Hooks(), clock=Clock())
    plan.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(plan.folder / ".lock", timeout=0):
            return _train_alone(job)
    except Timeout as error:
        raise ConfigError(
            f"output_dir={run.output_dir}: another process is at work on {plan.folder}. "
            "Wait for it, or change an option."
        ) from error


def _train_alone(job: Job) -> TrainResult:
    earlier = None if job.run.force else read_result(job.plan.folder)
    fingerprints = open_folder(job.run, job.plan, job.sources)
    if earlier is not None and earlier.outcome in _ENDED:
        return _revisit(job, earlier)
    result = TrainResult(
        run_id=job.plan.run_id,
        name=job.run.name,
        folder=job.plan.folder,
        outcome=Outcome.failed,
        total_steps=job.plan.total_steps,
        fingerprints=fingerprints,
    )
    trackers: list[Trackers] = []
    try:
        with Interrupt() as interrupt:
            _events(job, result, interrupt, trackers)
    except BaseException as error:
        result.outcome, result.cause = name_failure(error)
        if result.outcome is Outcome.failed:
            raise
    finally:
        result.seconds, result.seconds_by_phase = job.clock.total(), job.clock.by_phase
        write_result(result)
        for opened in trackers:
            result.tracker_lines += opened.finish(result.outcome)
    return result


def _events(job: Job, result: TrainResult, interrupt: Interrupt, trackers: list[Trackers]) -> None:
    """Load, start or go on, draw the base, train, save, draw the result, score."""
    run, plan, clock = job.run, job.plan, job.clock
    parts = load_parts(run, plan, clock=clock, console=job.console)
    try:
        start = start_or_resume(run, plan, parts, result, clock=clock)
        trackers.append(open_run_trackers(run, plan, start, console=job.console))
        gallery = Gallery(plan.folder, plan_samples(run, plan, job.sources), parts, trackers[0], clock)
        watch = Watch(run, plan, parts, start, result, gallery=gallery, trackers=trackers[0], job_clock=clock)
        gallery.draw_base()
        with watch.showing(job.console), clock.phase("training"):
            result.outcome = run_loop(start.loop_plan, start.state, interrupt=interrupt, on_step=watch.on_step)
        if result.outcome is not Outcome.completed:
            watch.save()
            result.cause = interrupt.signal or "stopped by its validation loss"
            return
        result.weights = save_weights(run, plan, parts)
        gallery.draw_final(step=plan.total_steps)
        write_result(result)  # so that a kill while scoring costs no training
        drop_checkpoints(plan.folder / "checkpoints")
        _score(job, result, trackers[0])
    finally:
        parts.network.detach()
