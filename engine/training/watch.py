"""What happens around the steps: log, progress, validation, previews, saves, checkpoints."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from engine.training.job import Job, Moment
from engine.training.loop import StepReport
from engine.training.parts import Model, Pictures
from engine.training.previews import Gallery
from engine.training.progress import TrainingProgress
from engine.training.resume import Checkpoint, save_checkpoint
from engine.training.saves import Saves
from engine.training.start import Start
from engine.training.tracking import Trackers
from engine.training.validation_record import ValidationRecord
from engine.validation import ValidationLosses

_SPEED_STEPS = 20  # steps over which the shown speed is smoothed


class Watch:
    """Called after every step of the loop."""

    def __init__(
        self,
        job: Job,
        model: Model,
        pictures: Pictures,
        start: Start,
        *,
        gallery: Gallery,
        trackers: Trackers,
    ) -> None:
        self._job = job
        self._run = job.run
        self._model = model
        self._record = ValidationRecord(job, model, pictures.validation)
        self._saves = Saves(job.run, job.plan, model.network)
        self._last: ValidationLosses | None = None  # of the weights after the last step
        self._start = start
        self._gallery = gallery
        self._trackers = trackers
        self._progress: TrainingProgress | None = None
        self._seconds_per_image = 0.0  # as shown: a running mean
        self._num_images = 0  # trained on by this start
        self._seconds = 0.0  # spent in steps by this start

    def images_per_second(self) -> float | None:
        """Pictures trained on a second of the steps of this start; None before the first."""
        return self._num_images / self._seconds if self._seconds else None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the live line in this block; the base's validation loss is taken first, if it is not known."""
        state = self._start.state
        total = self._start.loop_plan.total_steps
        with TrainingProgress(self._job.console, total=total, done=state.step) as self._progress:
            if state.step == 0:
                self._note(0, self._record.take_base())
            elif not self._record.has_base():
                self._record.take_base()
            yield

    def on_step(self, report: StepReport) -> bool:
        """Note the step; true when the caller's on_validation asks to stop."""
        self._num_images += report.num_images
        self._seconds += report.seconds
        speed = self._speed(report)
        assert self._progress is not None
        self._progress.step(report.step, loss=report.loss, speed=speed)
        self._tell(report)
        values = {"loss": report.loss, "lr": report.lr, "grad_norm": report.grad_norm}
        self._trackers.log(report.step, values | {"images_per_second": speed})
        last = report.step == self._start.loop_plan.total_steps
        stop = False
        if last or _is_due(report.step, self._run.training.validate_every):
            losses = self._record.take()
            self._last = losses if last else None
            stop = self._asks_to_stop(report.step, self._note(report.step, losses))
        if not last and _is_due(report.step, self._run.sampling.preview_every):
            self._gallery.draw_preview(report.step)
        if self._saves.is_due(report.step):  # before a checkpoint: a run that goes on has all earlier ones
            with self._job.clock.phase("saving"):
                self._saves.write(report.step)
        if not last and _is_due(report.step, self._run.training.checkpoint_every):
            self.save()
        return stop

    def save(self) -> None:
        """Write a checkpoint of the step that is done."""
        state = self._start.state
        scaler = state.accelerator.scaler
        with self._job.clock.phase("checkpoints"):
            save_checkpoint(
                self._start.checkpoints,
                Checkpoint(
                    step=state.step,
                    network=self._model.network.state(),
                    optimizer=state.optimizer.state_dict(),
                    lr_schedule=state.lr_schedule.state_dict(),
                    grad_scaler=None if scaler is None else scaler.state_dict(),
                    losses=state.losses,
                    val_losses=self._start.val_losses,
                    seconds=self._job.clock.total(),
                ),
            )

    def keep_final_losses(self) -> None:
        """Write the validation losses of the saved weights; an earlier start may have made the last step."""
        self._record.keep_final(self._last or self._record.take())

    def _tell(self, report: StepReport) -> None:
        total = self._start.loop_plan.total_steps
        self._job.tell(Moment(doing="training", step=report.step, total_steps=total, loss=report.loss))

    def _note(self, step: int, losses: ValidationLosses) -> float:
        value = losses.mean()
        self._start.val_losses.append((step, value))
        self._trackers.log(step, {"val_loss": value})
        return value

    def _asks_to_stop(self, step: int, val_loss: float) -> bool:
        on_validation = self._job.hooks.on_validation
        return on_validation is not None and on_validation(step, val_loss)

    def _speed(self, report: StepReport) -> float:
        """Pictures a second, as a running mean."""
        now = report.seconds / report.num_images
        share = 1 / _SPEED_STEPS if self._seconds_per_image else 1.0
        self._seconds_per_image += share * (now - self._seconds_per_image)
        return 1 / self._seconds_per_image if self._seconds_per_image else math.inf


def _is_due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
