"""What a run is given to work with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from rich.console import Console

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.training.clock import Clock
from engine.training.result import TrainResult
from engine.training.tracker import FinalScores
from engine.training.tracking import Trackers


@dataclass(kw_only=True, slots=True, frozen=True)
class Moment:
    """Where a run is: told at every step, and when it turns to something else."""

    doing: str  # loading, encoding, training, drawing, scoring, ...
    step: int = 0
    total_steps: int = 0
    loss: float | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class Hooks:
    """What the caller adds to a run."""

    on_validation: Callable[[int, float], bool] | None = None  # (step, val_loss) -> stop as pruned?
    on_moment: Callable[[Moment], None] | None = None  # a sign of progress
    score: Callable[[TrainResult], FinalScores] | None = None  # final pictures -> what is tracked of them


_HOOKS: ContextVar[Hooks] = ContextVar("hooks of the run", default=Hooks())  # noqa: B039 (it is frozen)


@contextmanager
def hooked(hooks: Hooks) -> Iterator[None]:
    """Runs that begin in this block have these hooks: how a sweep watches and stops its trials."""
    token = _HOOKS.set(hooks)
    try:
        yield
    finally:
        _HOOKS.reset(token)


def given_hooks() -> Hooks:
    """The hooks that the caller of this run set; none of them where it was started by itself."""
    return _HOOKS.get()


@dataclass(kw_only=True, slots=True, frozen=True)
class Job:
    """What is to be done, and where it is shown."""

    run: RunConfig
    plan: Plan
    console: Console
    hooks: Hooks
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Each phase that the clock books is a sign of progress."""
        self.clock.on_phase = lambda name: self.tell(Moment(doing=name))

    def tell(self, moment: Moment) -> None:
        """Give a sign of progress to the caller."""
        if self.hooks.on_moment is not None:
            self.hooks.on_moment(moment)

    def warn(self, text: str) -> None:
        """Show one line to the user."""
        self.console.print(text, style="yellow", markup=False, highlight=False)

    def score(self, result: TrainResult, trackers: Trackers) -> None:
        """Have the final pictures scored, where the caller wants scores and there are pictures."""
        if self.hooks.score is None or not (self.run.sampling.num_prompts and self.run.sampling.seeds):
            return
        with self.clock.phase("scoring"), self.console.status("scoring the pictures"):
            trackers.scores(result.total_steps, self.hooks.score(result))
