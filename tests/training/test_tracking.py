"""All trackers together: what each is told, and that none of them can stop a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.config.outcome import Outcome
from engine.config.tracking import TrackingConfig, WandbMode
from engine.training.tracker import FinalScores, TrackedPicture, TrackedRun, Tracker
from engine.training.tracking import Trackers, open_trackers
from tests.training.test_tracking_wandb import Drawn

OFF = TrackingConfig(wandb=WandbMode.disabled)


@dataclass
class Recorder:
    """A tracker that notes its calls, and fails from a given call on."""

    fails: Exception | None = None
    calls: list[str] = field(default_factory=list)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._note(f"log {step} {dict(values)}")

    def pictures(self, step: int, set_name: str, samples: Sequence[TrackedPicture]) -> None:
        self._note(f"pictures {step} {set_name} {len(samples)}")

    def scores(self, step: int, scores: FinalScores) -> None:
        self._note(f"scores {step} {dict(scores.values)}")

    def finish(self, outcome: Outcome) -> str | None:
        self._note(f"finish {outcome.value}")
        return "look here"

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.fails is not None:
            raise self.fails


def test_each_tracker_gets_each_call() -> None:
    first, second = Recorder(), Recorder()
    trackers = _together(pytest.fail, first=first, second=second)
    trackers.log(1, {"loss": 0.5})
    trackers.pictures(1, "final", [])
    trackers.scores(1, FinalScores(values={"final/likeness": 0.9}))
    assert trackers.finish(Outcome.pruned) == ["look here", "look here"]
    assert first.calls == second.calls
    assert first.calls == [
        "log 1 {'loss': 0.5}",
        "pictures 1 final 0",
        "scores 1 {'final/likeness': 0.9}",
        "finish pruned",
    ]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("broken"), ConnectionError()]
)
def test_a_tracker_that_fails_is_named_once_and_the_others_go_on(error: Exception) -> None:
    warnings: list[str] = []
    broken, working = Recorder(fails=error), Recorder()
    trackers = _together(warnings.append, broken=broken, working=working)
    trackers.log(1, {"loss": 0.5})
    trackers.log(2, {"loss": 0.5})
    trackers.finish(Outcome.completed)
    assert len(broken.calls) == 1
    assert len(working.calls) == 3
    assert len(warnings) == 1
    assert warnings[0].startswith(f"broken: {type(error).__name__}: ")
    assert warnings[0].endswith("; the run goes on without broken")


def test_a_tracker_that_can_not_be_opened_does_not_stop_the_run() -> None:
    def fail() -> Tracker:
        raise ImportError("no wandb")

    warnings: list[str] = []
    trackers = Trackers(warn=warnings.append)
    trackers.add("wandb", fail)
    trackers.log(1, {"loss": 0.5})
    assert trackers.finish(Outcome.completed) == []
    assert warnings == ["wandb: ImportError: no wandb; the run goes on without wandb"]


def test_ctrl_c_and_our_own_mistakes_are_not_swallowed() -> None:
    for error in (KeyboardInterrupt(), AssertionError("step 1 after 2")):
        broken = Recorder()
        trackers = _together(pytest.fail, broken=broken)
        broken.fails = error  # type: ignore[assignment]
        with pytest.raises(type(error)):
            trackers.log(1, {"loss": 0.5})


def test_a_folder_that_can_not_be_written_costs_the_log_and_not_the_run(tmp_path: Path) -> None:
    warnings: list[str] = []
    trackers = open_trackers(OFF, _run(tmp_path / "missing"), warn=warnings.append)
    trackers.log(1, {"loss": 0.5})
    trackers.finish(Outcome.completed)
    assert len(warnings) == 1
    assert warnings[0].startswith("log.csv: FileNotFoundError")


def test_with_all_else_off_only_the_csv_log_is_written(tmp_path: Path) -> None:
    trackers = open_trackers(OFF, _run(tmp_path), warn=pytest.fail)
    trackers.log(1, {"loss": 0.5})
    assert trackers.finish(Outcome.completed) == []
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_tensorboard_holds_numbers_pictures_scores_and_the_outcome(tmp_path: Path) -> None:
    config = TrackingConfig(wandb=WandbMode.disabled, tensorboard=True)
    trackers = open_trackers(config, _run(tmp_path), warn=pytest.fail)
    trackers.log(1, {"loss": 0.5, "lr": 0.25})
    trackers.log(2, {"loss": 0.25, "val_loss": 0.125})
    trackers.pictures(2, "step000002", [Drawn(4, "a red star", 3, Image.new("RGB", (8, 6), (200, 30, 30)))])
    trackers.scores(2, FinalScores(values={"final/likeness": 0.75}))
    assert trackers.finish(Outcome.completed) == [f"tensorboard --logdir {tmp_path / 'tensorboard'}"]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 0.5), (2, 0.25)]
    assert [(event.step, event.value) for event in events.Scalars("eval/val_loss")] == [(2, 0.125)]
    assert [event.value for event in events.Scalars("eval/final/likeness")] == [0.75]
    (picture,) = events.Images("samples_preview/p04_s3")
    assert (picture.width, picture.height, picture.step) == (8, 6, 2)
    assert "outcome/text_summary" in events.Tags()["tensors"]


def _run(folder: Path) -> TrackedRun:
    return TrackedRun(folder=folder, name="run", run_id="00ff00ff", config={}, is_demo=True)


def _together(warn: object, **trackers: Recorder) -> Trackers:
    assert callable(warn)
    together = Trackers(warn=warn)
    for name, tracker in trackers.items():
        together.add(name, lambda tracker=tracker: tracker)
    return together
