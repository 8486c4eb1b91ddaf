"""The pictures of a run: drawn by the base at the start, on the way, and by the result at the end."""

from collections.abc import Callable, Sequence

from rich.console import Console

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.data.caption_changes import settled_caption
from engine.sampling.draw import draw_pictures, draw_settings
from engine.sampling.prompt_file import load_prompts
from engine.sampling.sample_folder import SampleFolder, SamplePlan
from engine.training.clock import Clock
from engine.training.parts import Model
from engine.training.tracking import Trackers

BASE, FINAL = "base", "final"


def plan_samples(run: RunConfig, plan: Plan) -> SamplePlan:
    """The prompts, seeds and settings in force; without a prompt file the data set's captions are drawn."""
    config = run.sampling
    if plan.sources.prompts is not None:
        prompts = [prompt.text for prompt in load_prompts(plan.sources.prompts)]
    else:
        learnt = [picture for picture in plan.scan.pictures if not picture.is_reg]
        captions = [settled_caption(picture.caption, picture.subset.config) for picture in learnt]
        prompts = list(dict.fromkeys(captions))
    return SamplePlan(
        prompts=prompts[: config.num_prompts],
        seeds=list(config.seeds),
        settings=draw_settings(config, size=plan.scan.size),
        num_previews=config.preview_prompts,
    )


class Gallery:
    """Draws a run's pictures, saves them and shows them to the trackers."""

    def __init__(
        self, store: SampleFolder, model: Model, *, trackers: Trackers, clock: Clock, console: Console
    ) -> None:
        self._store = store
        self._plan = store.plan
        self._model = model
        self._trackers = trackers
        self._clock = clock
        self._console = console

    def draw_base(self) -> None:
        """What the base model makes of the prompts, unless it was drawn by an earlier start."""
        if not self._store.has(BASE):
            with self._model.network.disabled():
                self._draw_all(BASE, 0, "drawing with the base model")

    def draw_final(self, step: int) -> None:
        """The pictures that are scored."""
        self._draw_all(FINAL, step, "drawing with the LoRA")

    def draw_preview(self, step: int) -> None:
        """A few pictures on the way."""
        prompts = self._plan.prompts[: self._plan.num_previews]
        self._draw(f"step{step:06d}", step, prompts, self._plan.seeds[:1])

    def _draw_all(self, name: str, step: int, title: str) -> None:
        total = len(self._plan.prompts) * len(self._plan.seeds)
        with self._console.status(title) as status:
            self._draw(
                name,
                step,
                self._plan.prompts,
                self._plan.seeds,
                lambda done: status.update(f"{title}: {done} of {total}"),
            )

    def _draw(
        self,
        name: str,
        step: int,
        prompts: Sequence[str],
        seeds: Sequence[int],
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        if not prompts or not seeds:
            return
        family, network = self._model.family, self._model.network
        network.train(False)  # dropout belongs to training
        with self._clock.phase("drawing"):
            samples = draw_pictures(family, prompts, seeds, self._plan.settings, on_progress=on_progress)
        network.train(True)
        self._store.save(name, samples)
        self._trackers.pictures(step, name, samples)
