"""The pictures of a run: drawn at the start, on the way and at the end, and listed in samples/samples.json."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.config.sources import Sources
from engine.sampling.draw import DrawSettings, Sample, draw_pictures, draw_settings
from engine.sampling.prompt_file import load_prompts
from engine.training.clock import Clock
from engine.training.parts import Parts
from engine.training.result import write_json
from engine.training.tracking import Trackers

SCHEMA = 1
BASE, FINAL = "base", "final"


@dataclass(kw_only=True, slots=True, frozen=True)
class SamplePlan:
    """What is drawn: every prompt with every seed."""

    prompts: list[str]
    seeds: list[int]
    settings: DrawSettings
    num_previews: int  # prompts of a preview, drawn with the first seed


def plan_samples(run: RunConfig, plan: Plan, sources: Sources) -> SamplePlan:
    """The prompts, seeds and settings in force; without a prompt file the data set's own captions are drawn."""
    config = run.sampling
    if sources.prompts is not None:
        prompts = [prompt.text for prompt in load_prompts(sources.prompts)]
    else:
        prompts = list(dict.fromkeys(picture.caption for picture in plan.scan.pictures))
    return SamplePlan(
        prompts=prompts[: config.num_prompts],
        seeds=list(config.seeds),
        settings=draw_settings(config, resolution=run.dataset.resolution),
        num_previews=config.preview_prompts,
    )


class Gallery:
    """Draws a run's pictures, saves them and shows them to the trackers."""

    def __init__(
        self, store: "SampleFolder", plan: SamplePlan, parts: Parts, *, trackers: Trackers | None, clock: Clock
    ) -> None:
        self._store = store
        self._plan = plan
        self._parts = parts
        self._trackers = trackers
        self._clock = clock

    def draw_base(self, console: Console) -> None:
        """What the base model makes of the prompts, unless it was drawn by an earlier start."""
        if not self._store.has(BASE):
            with self._parts.network.disabled(), console.status("drawing with the base model"):
                self._draw(BASE, 0, self._plan.prompts, self._plan.seeds)

    def draw_final(self, step: int, console: Console) -> None:
        """The pictures that are scored."""
        with console.status("drawing the result"):
            self._draw(FINAL, step, self._plan.prompts, self._plan.seeds)

    def draw_preview(self, step: int) -> None:
        """A few pictures on the way."""
        prompts = self._plan.prompts[: self._plan.num_previews]
        self._draw(f"step{step:06d}", step, prompts, self._plan.seeds[:1])

    def _draw(self, name: str, step: int, prompts: Sequence[str], seeds: Sequence[int]) -> None:
        if not prompts or not seeds:
            return
        network = self._parts.network
        network.train(False)  # dropout belongs to training
        with self._clock.phase("drawing"):
            samples = draw_pictures(self._parts.family, prompts, seeds, self._plan.settings)
        network.train(True)
        self._store.save(name, samples)
        if self._trackers is not None:
            self._trackers.pictures(step, name, samples)


class SampleFolder:
    """samples/ of one run; a set of pictures is listed only after all of it is on the disk."""

    def __init__(self, folder: Path, plan: SamplePlan) -> None:
        self._folder = folder / "samples"
        self._plan = plan
        self._index = self._folder / "samples.json"

    def has(self, name: str) -> bool:
        """Whether this set was drawn for the same prompts, seeds and settings."""
        listing = self._read()
        return listing is not None and name in listing["sets"]

    def save(self, name: str, samples: Sequence[Sample]) -> None:
        """Write the pictures of one set, then list them."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for sample in samples:
            file = f"{name}/p{sample.prompt_index:02d}_s{sample.seed}.png"
            sample.image.save(self._folder / file)
            rows.append(
                {
                    "prompt_index": sample.prompt_index,
                    "prompt": sample.prompt,
                    "seed": sample.seed,
                    "file": file,
                }
            )
        listing = self._read() or {"schema": SCHEMA, **self._header(), "sets": {}}
        listing["sets"][name] = rows
        write_json(self._index, listing)

    def _read(self) -> dict[str, Any] | None:
        """The listing, unless it was made for other prompts, seeds or settings."""
        if not self._index.exists():
            return None
        listing: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        header = self._header()
        return listing if {key: listing.get(key) for key in header} == header else None

    def _header(self) -> dict[str, object]:
        settings = asdict(self._plan.settings)
        del settings["batch_size"]  # changes no picture
        settings["sampler"] = self._plan.settings.sampler.value
        return {"prompts": self._plan.prompts, "seeds": self._plan.seeds, "settings": settings}
