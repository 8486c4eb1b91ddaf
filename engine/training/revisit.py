"""A finished run typed again: nothing is trained; what changed in its pictures or scores is made anew."""

from dataclasses import replace

from engine.config.outcome import Outcome
from engine.models.placing import place_for_steps
from engine.sampling.sample_folder import SampleFolder
from engine.training.copies import copy_weights
from engine.training.job import Job
from engine.training.parts import load_model, load_pictures
from engine.training.previews import BASE, FINAL, Gallery, plan_samples
from engine.training.result import TrainResult, write_result
from engine.training.run_folder import OpenedFolder
from engine.training.saves import tell_idle_saves
from engine.training.start import open_run_trackers
from engine.training.tracking import Trackers
from engine.training.validation_record import ValidationRecord, has_all_losses
from engine.training.weights import diffusers_path, load_weights, save_diffusers_weights

_FINAL_WORDS = (Outcome.diverged, Outcome.pruned)  # the same steps would end the same way


def is_finished(earlier: TrainResult) -> bool:
    """Whether there is nothing left to train; a completed run whose weights were removed is not finished."""
    if earlier.outcome is Outcome.completed:
        return earlier.weights is not None and earlier.weights.is_file()
    return earlier.outcome in _FINAL_WORDS


def revisit(job: Job, earlier: TrainResult, opened: OpenedFolder) -> TrainResult:
    """Draw, measure and score again where their options changed since; else only report what is there."""
    result = replace(earlier, reused=True)
    tell_idle_saves(job.run, job.plan, warn=job.warn)
    if earlier.outcome is not Outcome.completed:
        return result
    if earlier.weights is not None:
        copy_weights(job, earlier.weights)
        _name_for_diffusers(job)
    store = SampleFolder(job.plan.folder, plan_samples(job.run, job.plan))
    wanted = bool(store.plan.prompts and store.plan.seeds)
    draws = wanted and not (store.has(BASE) and store.has(FINAL))
    measures = not has_all_losses(job.run, job.plan.folder)
    scores = job.hooks.score is not None and wanted and (draws or measures or _has_other_scores(job, opened))
    if scores:  # those that are there are of other pictures, losses or options: a kill must not leave them
        (job.plan.folder / "scores.json").unlink(missing_ok=True)
    if measures:
        _measure(job)
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


def _name_for_diffusers(job: Job) -> None:
    """The file in diffusers' names, where it is asked for and not there."""
    path = diffusers_path(job.run, job.plan.folder)
    if path is None or path.is_file():
        return
    model = load_model(job.run, job.plan, clock=job.clock, console=job.console)
    try:
        load_weights(job.run, model.network, folder=job.plan.folder)
        save_diffusers_weights(job.run, model.network, folder=job.plan.folder)
    finally:
        model.network.detach()


def _measure(job: Job) -> None:
    model = load_model(job.run, job.plan, clock=job.clock, console=job.console)
    try:
        pictures = load_pictures(job.run, job.plan, model.family, clock=job.clock, console=job.console)
        place_for_steps(model.family, job.run)
        record = ValidationRecord(job, model, pictures.validation)
        record.take_base()
        load_weights(job.run, model.network, folder=job.plan.folder)
        record.keep_final(record.take())
    finally:
        model.network.detach()


def _draw(job: Job, store: SampleFolder, trackers: Trackers) -> None:
    model = load_model(job.run, job.plan, clock=job.clock, console=job.console)
    try:
        load_weights(job.run, model.network, folder=job.plan.folder)
        place_for_steps(model.family, job.run)
        gallery = Gallery(store, model, job=job, trackers=trackers)
        gallery.draw_base()
        gallery.draw_final(job.plan.total_steps)
    finally:
        model.network.detach()
