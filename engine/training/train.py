"""One run from its checked config to its weights, pictures and scores: the order of events."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from rich.console import Console

from engine.compose.plan import Plan
from engine.config import ConfigError, RunConfig
from engine.config.outcome import Outcome
from engine.models.placing import place_for_steps
from engine.sampling.sample_folder import SampleFolder
from engine.training.copies import copy_weights
from engine.training.failure import is_foreseen, name_failure
from engine.training.interrupt import Interrupt
from engine.training.job import Hooks, Job
from engine.training.loop import run_loop
from engine.training.parts import load_model, load_pictures
from engine.training.previews import Gallery, plan_samples
from engine.training.reader import PictureGoneError
from engine.training.result import TrainResult, read_result, write_result
from engine.training.resume import drop_checkpoints
from engine.training.revisit import is_finished, revisit
from engine.training.run_folder import held_folder, open_folder
from engine.training.setup import peak_memory_bytes
from engine.training.start import Start, open_run_trackers, start_or_resume
from engine.training.summary import GOES_ON
from engine.training.watch import Watch
from engine.training.weights import save_weights


def train(run: RunConfig, plan: Plan, *, console: Console, hooks: Hooks | None = None) -> TrainResult:
    """Train, or go on, or point to what is finished; the outcome is in the result and in result.json.

    raises  ConfigError when the run cannot start; anything unforeseen is recorded as failed and raised again
    """
    with held_folder(plan.folder):
        earlier = None if run.force else read_result(plan.folder)
        opened = open_folder(run, plan)
        torch.set_num_threads(opened.record.threads)
        job = Job(run=run, plan=plan, console=console, hooks=hooks or Hooks())
        if earlier is not None and is_finished(earlier):
            return revisit(job, earlier, opened)
        result = TrainResult(
            run_id=plan.run_id,
            name=run.name,
            folder=plan.folder,
            outcome=Outcome.failed,
            total_steps=plan.total_steps,
            fingerprints=opened.record.fingerprints,
        )
        with ExitStack() as closing, _named_outcome(job, result), Interrupt() as interrupt:
            _train(job, result, interrupt, closing)
        return result


def _train(job: Job, result: TrainResult, interrupt: Interrupt, closing: ExitStack) -> None:
    """Load, start or go on, draw the base, train, save, draw the result, score."""
    run, plan, clock, console = job.run, job.plan, job.clock, job.console
    model = load_model(run, plan, clock=clock, console=console)
    closing.callback(model.network.detach)
    result.num_parameters = model.network.num_parameters
    pictures = load_pictures(run, plan, model.family, clock=clock, console=console)
    result.skipped_pictures = pictures.skipped
    place_for_steps(model.family, run)
    start = start_or_resume(run, plan, model, pictures)
    clock.earlier = start.seconds
    if start.resumed_step is not None:
        console.print(f"going on after step {start.resumed_step}")
    trackers = open_run_trackers(run, plan, resumed_step=start.resumed_step, warn=job.warn)
    closing.callback(lambda: result.tracker_lines.extend(trackers.finish(result.outcome)))
    store = SampleFolder(plan.folder, plan_samples(run, plan))
    gallery = Gallery(store, model, job=job, trackers=trackers)
    gallery.draw_base()
    watch = Watch(job, model, pictures, start, gallery=gallery, trackers=trackers)
    try:
        with interrupt.patient(), watch.showing(), clock.phase("training"):
            outcome = _steps(start, watch, interrupt)
    finally:
        _note_progress(result, start, watch)
    if outcome is not Outcome.completed:
        result.outcome = outcome
        result.cause = interrupt.signal or "stopped by its validation loss"
        return
    weights = save_weights(run, model.network, folder=plan.folder, steps=plan.total_steps)
    watch.keep_final_losses()
    gallery.draw_final(plan.total_steps)
    result.outcome, result.weights = Outcome.completed, weights
    _close(job, result)  # before the scores: a kill while scoring costs no training
    drop_checkpoints(start.checkpoints)
    copy_weights(job, weights)
    job.score(result, trackers)


def _steps(start: Start, watch: Watch, interrupt: Interrupt) -> Outcome:
    """All steps, and a checkpoint of the last; also where the next step lacks a picture."""
    try:
        outcome = run_loop(start.loop_plan, start.state, interrupt=interrupt, on_step=watch.on_step)
    except PictureGoneError:
        watch.save()
        raise
    watch.save()
    return outcome


@contextmanager
def _named_outcome(job: Job, result: TrainResult) -> Iterator[None]:
    """Give an exception its outcome and write the result; only what nobody foresaw is raised again."""
    try:
        yield
    except BaseException as error:
        if result.outcome is Outcome.completed:  # the weights are there; what failed came after them
            raise
        result.outcome, result.cause = name_failure(error)
        if not is_foreseen(error):
            if not isinstance(error, ConfigError):  # that one is said as it is, and comes before any step
                job.warn(f"failed: {result.cause.rstrip('.')}. {GOES_ON}")
            raise
    finally:
        _close(job, result)


def _close(job: Job, result: TrainResult) -> None:
    result.seconds, result.seconds_by_phase = job.clock.total(), dict(job.clock.by_phase)
    result.peak_memory_bytes = max(result.peak_memory_bytes, peak_memory_bytes(torch.device(job.plan.device)))
    write_result(result)


def _note_progress(result: TrainResult, start: Start, watch: Watch) -> None:
    losses = start.state.losses
    result.steps_done = start.state.step
    result.val_losses = start.val_losses
    result.images_per_second = watch.images_per_second()
    if losses:
        tenth = max(1, len(losses) // 10)
        result.loss_first = sum(losses[:tenth]) / tenth
        result.loss_last = sum(losses[-tenth:]) / tenth
