"""What one tracker is told about a run, and what it does with it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL.Image import Image

from engine.config.outcome import Outcome

VALIDATION_LOSS = "val_loss"


@dataclass(kw_only=True, slots=True, frozen=True)
class PartOf:
    """What a run is to the study that started it: where viewers show it, and under which name."""

    group: str  # the study; a group that the user gave (tracking.group) goes before it
    tracked_id: str  # the id and the name in viewers, in place of run_id: lora-t0007
    job_type: str  # trial, confirm
    tags: tuple[str, ...] = ()  # beside the user's
    settings: Mapping[str, object] = field(default_factory=dict)  # searched key -> value, beside the config


_PART: ContextVar[PartOf | None] = ContextVar("what the run is part of", default=None)


@contextmanager
def tracked_as(part: PartOf) -> Iterator[None]:
    """Runs that begin in this block are shown as part of a study."""
    token = _PART.set(part)
    try:
        yield
    finally:
        _PART.reset(token)


def given_part() -> PartOf | None:
    """What the caller of this run made it part of; None: it was started by itself."""
    return _PART.get()


@dataclass(kw_only=True, slots=True, frozen=True)
class TrackedRun:
    """Which run is tracked."""

    folder: Path  # the run folder; every tracker writes into it only
    name: str  # shown to people
    run_id: str  # the same for a resumed run, so that it continues one curve
    config: Mapping[str, object]  # the resolved options, nested, as plain values
    is_demo: bool  # True: nothing is uploaded unless tracking.wandb=online asks for it
    resumed_step: int | None = None  # last step that is already done; None = a run from its beginning
    part_of: PartOf | None = None  # None: a single run, or one whose folder knows it


class TrackedPicture(Protocol):
    """The part of a sample that is shown; engine.sampling's samples satisfy it."""

    @property
    def prompt_index(self) -> int: ...
    @property
    def prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def image(self) -> Image: ...


@dataclass(kw_only=True, slots=True, frozen=True)
class ScoredRow:
    """A final picture and what it scored."""

    prompt: str
    seed: int
    picture: Path | None  # None: the file cannot be read
    base: Path | None  # the same prompt and seed by the base model
    fault: str | None  # why it was left out of the scores
    scores: Mapping[str, float]  # metric -> value of this picture


@dataclass(kw_only=True, slots=True, frozen=True)
class FinalScores:
    """What a scoring gives to the trackers."""

    values: Mapping[str, float]  # by name: final/likeness, base/likeness, ...
    rows: Sequence[ScoredRow] = ()  # a picture each


class Tracker(Protocol):
    """Where numbers and pictures go; steps never fall from one call to the next."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers after a step, by plain name: loss, lr, grad_norm, images_per_second, val_loss, ..."""

    def pictures(self, step: int, set_name: str, samples: Sequence[TrackedPicture]) -> None:
        """Pictures drawn after a step; set_name is base, stepNNNNNN or final, as under samples/."""

    def scores(self, step: int, scores: FinalScores) -> None:
        """Scores of the final pictures, and of each of them."""

    def finish(self, outcome: Outcome) -> str | None:
        """The last call: all is on disk (or sent) when it returns; the line is for the summary of the run."""


def picture_group(set_name: str) -> str:
    """All previews of a run share one name, so that a viewer shows them as one picture over time."""
    return "preview" if set_name.startswith("step") else set_name


def value_name(name: str) -> str:
    """A number's place in a viewer: the fixed validation loss under eval/, the rest under train/."""
    return f"eval/{name}" if name == VALIDATION_LOSS else f"train/{name}"
