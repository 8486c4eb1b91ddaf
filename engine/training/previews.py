"""The pictures of a run: drawn by the base at the start, on the way, and by the result at the end."""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.sampling.draw import Wanted, draw_settings
from engine.sampling.draw_set import Drawer, Drawn, draw_set
from engine.sampling.drawing_bar import drawing_bar
from engine.sampling.picture_cache import BASE_PICTURES, PictureCache
from engine.sampling.sample_folder import SampleFolder, SamplePlan
from engine.training.job import Job, Moment
from engine.training.parts import Model
from engine.training.tracking import Trackers

BASE, FINAL = "base", "final"


def plan_samples(run: RunConfig, plan: Plan) -> SamplePlan:
    """The prompts, seeds and settings in force; previews are of prompts that are about the concept."""
    config, chosen = run.sampling, plan.drawing.chosen
    return SamplePlan(
        prompts=[prompt.text for prompt in chosen.prompts],
        known=chosen.prompts,
        seeds=list(config.seeds),
        settings=draw_settings(config, size=plan.scan.size),
        num_previews=min(config.preview_prompts, len(chosen.listed)),
    )


class Gallery:
    """Draws a run's pictures, saves them and shows them to the trackers."""

    def __init__(self, store: SampleFolder, model: Model, *, job: Job, trackers: Trackers) -> None:
        self._store = store
        self._plan = store.plan
        self._model = model
        self._job = job
        self._trackers = trackers

    def draw_base(self) -> None:
        """What the base model makes of the prompts: drawn once for all runs that share it."""
        if self._store.has(BASE):
            return
        cache = PictureCache(Path(self._job.run.cache_dir) / BASE_PICTURES)
        with self._model.network.disabled():
            drawn = self._draw_all(BASE, 0, "drawing with the base model", cache)
        for line in drawn.lines("base pictures"):
            self._job.console.print(line, highlight=False, markup=False)

    def draw_final(self, step: int) -> None:
        """The pictures that are scored."""
        self._draw_all(FINAL, step, "drawing with the LoRA")

    def draw_preview(self, step: int) -> None:
        """A few pictures on the way."""
        self._draw(f"step{step:06d}", step, self._plan.previewed())

    def _draw_all(self, name: str, step: int, title: str, cache: PictureCache | None = None) -> Drawn:
        wanted = self._plan.wanted()
        with drawing_bar(self._job.console, title, total=len(wanted)) as show:

            def on_progress(done: int) -> None:
                show(done)
                self._job.tell(Moment(doing="drawing", step=done, total_steps=len(wanted)))

            return self._draw(name, step, wanted, cache, on_progress)

    def _draw(
        self,
        name: str,
        step: int,
        wanted: Sequence[Wanted],
        cache: PictureCache | None = None,
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> Drawn:
        if not wanted:
            return Drawn()
        drawer = Drawer(family=self._model.family, settings=self._plan.settings, cache=cache)
        self._model.network.train(False)  # dropout belongs to training
        with self._job.clock.phase("drawing"), self._store.filling(name) as filling:
            drawn = draw_set(drawer, wanted, filling, on_progress=on_progress)
        self._model.network.train(True)
        self._trackers.pictures(step, name, self._store.pictures(name))
        return drawn
