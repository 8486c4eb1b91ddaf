"""What the page of a run shows, as plain data."""

from dataclasses import dataclass, field
from pathlib import Path

Point = tuple[float, float]  # (step, value)


@dataclass(kw_only=True, slots=True)
class Pair:
    """One prompt and seed, drawn by the base and by the result, with a true picture beside."""

    seed: int
    base: Path | None = None
    final: Path | None = None
    true: Path | None = None


@dataclass(kw_only=True, slots=True)
class PromptPictures:
    """All pictures of one prompt."""

    prompt: str
    pairs: list[Pair]


@dataclass(kw_only=True, slots=True)
class Strip:
    """One prompt and seed over the steps of a run."""

    prompt: str
    seed: int
    frames: list[tuple[str, Path]]  # label of the moment, picture


@dataclass(kw_only=True, slots=True)
class ScoreRow:
    """One metric before and after; None where it was not measured."""

    title: str
    scale: str
    name: str = ""  # the key of its scores: likeness
    base: float | None = None
    base_spread: float | None = None
    final: float | None = None
    final_spread: float | None = None
    real: float | None = None
    n: int = 0
    num_prompts: int = 0
    change: float | None = None
    change_spread: float | None = None
    verdict: str | None = None  # better, worse, within_noise, unchanged, one_prompt
    anchored: float | None = None
    anchored_spread: float | None = None
    remark: str | None = None  # why there is no value, or what to know about it
    is_key: bool = True  # what the run is judged by: an objective, or the constraint


@dataclass(kw_only=True, slots=True)
class RunPage:
    """The page of one run; whatever is missing is left empty and said on the page."""

    title: str
    run_id: str | None = None
    outcome: str | None = None  # completed, diverged ...; None: the run has not ended
    cause: str | None = None
    steps_done: int | None = None
    total_steps: int | None = None
    seconds: float | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)
    prompts: list[PromptPictures] = field(default_factory=list)
    strips: list[Strip] = field(default_factory=list)
    drawing: str | None = None  # sampler settings, in words
    loss: list[Point] = field(default_factory=list)
    val_loss: list[Point] = field(default_factory=list)
    learning_rate: list[Point] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)
    excluded: list[tuple[str, str]] = field(default_factory=list)  # picture, why it was not scored
    gallery: str | None = None  # relative path of the page with all scores of all pictures
    config: str | None = None  # run.yaml as it is
    problems: list[str] = field(default_factory=list)  # what could not be read: its file, then why

    def is_unreadable(self, name: str) -> bool:
        """Whether the folder holds this file, but it could not be read."""
        return any(problem.startswith(f"{name} ") for problem in self.problems)
