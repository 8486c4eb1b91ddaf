"""All trackers of a run as one object; a tracker that fails is left behind, the training goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.config.outcome import Outcome
from engine.config.tracking import TrackingConfig
from engine.training.tracker import FinalScores, TrackedPicture, TrackedRun, Tracker

LOG_FILE = "log.csv"


def open_trackers(config: TrackingConfig, run: TrackedRun, *, warn: Callable[[str], None]) -> "Trackers":
    """log.csv always, wandb and TensorBoard as the config says, below the run folder.

    warn  shows one line to the user; called once for each tracker that had to be given up
    """
    trackers = Trackers(warn=warn)
    trackers.add("log.csv", lambda: _open_csv(run))
    trackers.add_wandb(config, run)
    if config.tensorboard:
        trackers.add("tensorboard", lambda: _open_tensorboard(run))
    return trackers


@dataclass(kw_only=True, slots=True)
class Trackers:
    """A tracker that hands each call to all others.

    A full disk, a lost network or a broken installation of a tracker must not cost a night of training:
    whatever one of them raises is shown once, with its name, and that one gets no further calls.
    """

    warn: Callable[[str], None]
    _open: dict[str, Tracker] = field(default_factory=dict)

    def add(self, name: str, open_tracker: Callable[[], Tracker | None]) -> None:
        """Open a tracker under a name that the user knows; None = it is switched off."""
        opened: list[Tracker | None] = []
        self._guard(name, lambda: opened.append(open_tracker()))
        if opened and opened[0] is not None:
            self._open[name] = opened[0]

    def add_wandb(self, config: TrackingConfig, run: TrackedRun) -> None:
        """Open wandb as the config says."""
        self.add("wandb", lambda: _open_wandb(config, run, self.warn))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers after a step; see Tracker.log."""
        self._each(lambda tracker: tracker.log(step, values))

    def pictures(self, step: int, set_name: str, samples: Sequence[TrackedPicture]) -> None:
        """Pictures drawn after a step; see Tracker.pictures."""
        self._each(lambda tracker: tracker.pictures(step, set_name, samples))

    def scores(self, step: int, scores: FinalScores) -> None:
        """Scores of the final pictures; see Tracker.scores."""
        self._each(lambda tracker: tracker.scores(step, scores))

    def finish(self, outcome: Outcome) -> list[str]:
        """Close all trackers; returns what the user can do with them (wandb's address or sync command)."""
        lines: list[str | None] = []
        self._each(lambda tracker: lines.append(tracker.finish(outcome)))
        self._open.clear()
        return [line for line in lines if line is not None]

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._open.items()):
            self._guard(name, partial(call, tracker))

    def _guard(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except AssertionError:
            raise  # our own mistake, not the tracker's
        except Exception as error:
            self._open.pop(name, None)
            self.warn(f"{name}: {error.__class__.__name__}: {error}; the run goes on without {name}")


def _open_csv(run: TrackedRun) -> Tracker:
    from engine.training.csv_log import CSVLog

    return CSVLog(run.folder / LOG_FILE, resumed_step=run.resumed_step)


def _open_tensorboard(run: TrackedRun) -> Tracker:
    from engine.training.tensorboard_tracker import TensorBoardTracker

    return TensorBoardTracker(run)


def _open_wandb(config: TrackingConfig, run: TrackedRun, warn: Callable[[str], None]) -> Tracker | None:
    from engine.training.wandb_tracker import open_wandb

    return open_wandb(config, run, warn)
