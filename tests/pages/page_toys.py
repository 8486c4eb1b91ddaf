"""Run folders as a run leaves them, made with the writers of the engine and of the evaluation."""

from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from engine.config import Sampler
from engine.config.outcome import Outcome
from engine.sampling.draw import DrawSettings, Sample
from engine.sampling.sample_folder import SampleFolder, SamplePlan
from engine.training.csv_log import CSVLog
from engine.training.result import TrainResult, write_result
from evaluation.records import (
    Difference,
    Direction,
    Excluded,
    Measurement,
    Scope,
    Score,
    Scores,
    Verdict,
    scores_text,
)

PROMPTS = ["a red thing", "a blue <b>thing</b>"]
COLOURS = {"base": (200, 30, 30), "step000010": (150, 90, 30), "final": (30, 160, 60)}
TRUE_COLOUR = (40, 60, 200)


def write_run_folder(folder: Path, *, outcome: Outcome = Outcome.completed, cause: str | None = None) -> Path:
    """A run of two prompts and two seeds, with one preview, losses, and a likeness that rose."""
    folder.mkdir()
    write_samples(folder)
    log = CSVLog(folder / "log.csv")
    for step in range(1, 21):
        log.log(step, {"loss": 1 / step, "lr": 1e-4, "grad_norm": 0.5})
    log.log(20, {"val_loss": 0.25})
    log.finish(outcome)
    (folder / "run.yaml").write_text("config:\n  name: toy\n", encoding="utf-8")
    Image.new("RGB", (64, 64), TRUE_COLOUR).save(folder / "true.png")
    (folder / "scores.json").write_text(scores_text(scores()), encoding="utf-8")
    write_result(result(folder, outcome=outcome, cause=cause))
    return folder


def result(folder: Path, *, outcome: Outcome, cause: str | None = None) -> TrainResult:
    """What training says of it."""
    return TrainResult(
        run_id="0123abcd",
        name="toy",
        folder=folder,
        outcome=outcome,
        cause=cause,
        steps_done=20,
        total_steps=20,
        weights=folder / "toy.safetensors",
        num_parameters=1234,
        seconds=200.0,
        seconds_by_phase={"training": 150.0},
        images_per_second=12.34,
        skipped_pictures=["bad.png (truncated)"],
    )


def write_samples(folder: Path, prompts: list[str] | None = None) -> None:
    """samples/ with a colour for each set."""
    settings = DrawSettings(
        width=64, height=64, steps=20, guidance_scale=2.0, sampler=Sampler.ddim, negative_prompt=""
    )
    texts = PROMPTS if prompts is None else prompts
    store = SampleFolder(folder, SamplePlan(prompts=texts, seeds=[1, 2], settings=settings, num_previews=1))
    for name, colour in COLOURS.items():
        drawn = texts[:1] if name.startswith("step") else texts
        seeds = [1] if name.startswith("step") else [1, 2]
        image = Image.new("RGB", (64, 64), colour)
        store.save(
            name,
            [
                Sample(prompt_index=index, prompt=prompt, seed=seed, image=image)
                for index, prompt in enumerate(drawn)
                for seed in seeds
            ],
        )


def scores() -> Scores:
    """Likeness that rose beyond its noise, and a metric that was skipped."""
    likeness = Score(
        metric="likeness",
        title="Likeness to the concept",
        direction=Direction.higher,
        scope=Scope.image,
        scale="cosine",
        base=Measurement(value=0.5, n=4, num_prompts=2, spread=0.02),
        final=Measurement(value=0.75, n=4, num_prompts=2, spread=0.03),
        real=Measurement(value=0.875, n=4, num_prompts=2, spread=0.01),
        difference=Difference(
            value=0.25, n=4, num_prompts=2, spread=0.05, low=0.2, high=0.3, verdict=Verdict.better
        ),
        anchored=0.667,
        anchored_spread=0.111,
    )
    skipped = Score(
        metric="adherence",
        title="Adherence",
        direction=Direction.higher,
        scope=Scope.image,
        scale="cosine",
        skipped="no encoder was given",
    )
    excluded = Excluded(set_name="final", file="final/p01_s2.png", reason="black")
    references = {PROMPTS[0]: ["true.png"]}
    return Scores(
        rows=[likeness, skipped],
        objectives=["likeness", "adherence"],
        excluded=[excluded],
        references=references,
    )


class Page(HTMLParser):
    """A page taken apart: its text, its elements, its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text += data

    def pictures(self) -> list[str]:
        """The data URIs in their order."""
        return [value for name, value in self.attributes if name == "src"]
