"""A finished run typed again: nothing is trained; what changed in its pictures or scores is made anew."""

from dataclasses import replace

from engine.config.outcome import Outcome
from engine.sampling.sample_folder import SampleFolder
from engine.training.job import Job
from engine.training.parts import load_model
from engine.training.previews import BASE, FINAL, Gallery, plan_samples
from engine.training.result import TrainResult, write_result
from engine.training.run_folder import OpenedFolder
from engine.training.start import open_run_trackers
from engine.training.tracking import Trackers
from engine.training.weights import load_weights

_FINAL_WORDS = (Outcome.diverged, Outcome.pruned)  # the same steps would end the same way


def is_finished(earlier: TrainResult) -> bool:
    """Whether there is nothing left to train; a completed run whose weights were removed is not finished."""
    if earlier.outcome is Outcome.completed:
        return earlier.weights is not None and earlier.weights.is_file()
    return earlier.outcome in _FINAL_WORDS


def revisit(job: Job, earlier: TrainResult, opened: OpenedFolder) -> TrainResult:
    """Draw and score again where sampling or evaluation changed since; else only report what is there."""
    result = replace(earlier, reused=True)
    if earlier.outcome is not Outcome.completed:
        return result
    store = SampleFolder(job.plan.folder, plan_samples(job.run, job.plan))
    wanted = bool(store.plan.prompts and store.plan.seeds)
    draws = wanted and not (store.has(BASE) and store.has(FINAL))
    scores = job.hooks.score is not None and wanted and (draws or _has_other_scores(job, opened))
    if not draws and not scores:
        return result
    trackers = open_run_trackers(job.run, job.plan, resumed_step=earlier.total_steps, warn=job.warn)
    try:
        if draws:
            _draw(job, store, trackers)
        if scores:
            job.score(result, trackers)
    finally:
        result.tracker_lines = trackers.finish(Outcome.completed)
    write_result(result)
    return result


def _has_other_scores(job: Job, opened: OpenedFolder) -> bool:
    """No scores yet, or scores of another encoder or other references."""
    earlier, now = opened.earlier, opened.record
    return (
        earlier is None
        or not (job.plan.folder / "scores.json").is_file()
        or (earlier.sources, earlier.config["evaluation"]) != (now.sources, now.config["evaluation"])
    )


def _draw(job: Job, store: SampleFolder, trackers: Trackers) -> None:
    model = load_model(job.run, job.plan, clock=job.clock, console=job.console)
    try:
        load_weights(job.run, model.network, folder=job.plan.folder)
        gallery = Gallery(store, model, trackers=trackers, clock=job.clock, console=job.console)
        gallery.draw_base()
        gallery.draw_final(job.plan.total_steps)
    finally:
        model.network.detach()
