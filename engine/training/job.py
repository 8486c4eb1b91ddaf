"""What a run is given to work with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.training.clock import Clock
from engine.training.result import TrainResult
from engine.training.tracker import FinalScores
from engine.training.tracking import Trackers


@dataclass(kw_only=True, slots=True, frozen=True)
class Hooks:
    """What the caller adds to a run."""

    on_validation: Callable[[int, float], bool] | None = None  # (step, val_loss) -> stop as pruned?
    score: Callable[[TrainResult], FinalScores] | None = None  # final pictures -> what is tracked of them


@dataclass(kw_only=True, slots=True, frozen=True)
class Job:
    """What is to be done, and where it is shown."""

    run: RunConfig
    plan: Plan
    console: Console
    hooks: Hooks
    clock: Clock = field(default_factory=Clock)

    def warn(self, text: str) -> None:
        """Show one line to the user."""
        self.console.print(text, style="yellow", markup=False, highlight=False)

    def score(self, result: TrainResult, trackers: Trackers) -> None:
        """Have the final pictures scored, where the caller wants scores and there are pictures."""
        if self.hooks.score is None or not (self.run.sampling.num_prompts and self.run.sampling.seeds):
            return
        with self.clock.phase("scoring"), self.console.status("scoring the pictures"):
            trackers.scores(result.total_steps, self.hooks.score(result))
