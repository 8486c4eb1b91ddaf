"""Every end of a run has a name and a cause, in the result and in result.json."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from rich.console import Console

from engine.config import ConfigError
from engine.config.outcome import Outcome
from engine.training import previews
from engine.training.job import Hooks
from engine.training.result import TrainResult, read_result
from engine.training.summary import exit_code, summary_lines
from engine.training.tracker import FinalScores
from engine.training.train import train
from tests.training.toy_runs import small_run, train_small

LOOKS_OFTEN = ("training.validate_every=1", "training.checkpoint_every=1")


def test_a_completed_run_says_what_it_took(tmp_path: Path) -> None:
    result = train_small(tmp_path, "training.validate_every=2")
    assert result.outcome is Outcome.completed and result.cause is None
    assert result.steps_done == result.total_steps == 3
    assert [step for step, _ in result.val_losses] == [0, 2, 3]
    assert result.num_parameters == result.num_parameters > 0 and result.peak_memory_bytes > 1e8
    assert result.images_per_second is not None and result.images_per_second > 0
    assert 0 < sum(result.seconds_by_phase.values()) <= result.seconds
    assert not (result.folder / "checkpoints").exists()
    saved = json.loads((result.folder / "result.json").read_text())
    assert saved["outcome"] == "completed" and saved["weights"] == "demo.safetensors"
    assert saved["loss_first"] == result.loss_first != result.loss_last == saved["loss_last"]


def test_an_absurd_learning_rate_ends_as_diverged_and_typed_again_says_so(tmp_path: Path) -> None:
    options = ("optimizer.lr=1e30", "lr_schedule=constant", "training.max_grad_norm=0")
    result = train_small(tmp_path, *options)
    assert result.outcome is Outcome.diverged and result.weights is None
    assert result.cause is not None and "of step" in result.cause and "Lower optimizer.lr" in result.cause
    assert not list(result.folder.glob("*.safetensors"))
    again = train_small(tmp_path, *options)
    assert again.reused and again.outcome is Outcome.diverged and again.cause == result.cause
    assert exit_code(again.outcome) == 1


def test_memory_that_cannot_be_had_ends_as_out_of_memory_and_goes_on_from_the_checkpoint(
    tmp_path: Path,
) -> None:
    def greedy(step: int, _: float) -> bool:
        return bool(torch.empty(10**15)) if step == 2 else False

    result = train_small(tmp_path, *LOOKS_OFTEN, hooks=Hooks(on_validation=greedy))
    assert result.outcome is Outcome.out_of_memory and result.steps_done == 2
    assert result.cause is not None and "allocate memory" in result.cause
    assert "smaller dataset.batch_size" in result.cause
    ended = train_small(tmp_path, *LOOKS_OFTEN)
    straight = train_small(tmp_path / "straight", *LOOKS_OFTEN)
    assert ended.outcome is Outcome.completed
    assert ended.weights is not None and straight.weights is not None
    assert ended.weights.read_bytes() == straight.weights.read_bytes()


def test_an_error_that_nobody_foresaw_is_recorded_as_failed_and_raised(tmp_path: Path) -> None:
    def broken(step: int, _: float) -> bool:
        raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        train_small(tmp_path, *LOOKS_OFTEN, hooks=Hooks(on_validation=broken))
    result = _recorded(tmp_path)
    assert result.outcome is Outcome.failed and result.cause == "ValueError: of the caller"
    assert train_small(tmp_path, *LOOKS_OFTEN).outcome is Outcome.completed


def test_a_checkpoint_that_cannot_be_loaded_is_said_once_and_promises_no_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ConfigError("model.checkpoint=x: cannot be loaded. Get the checkpoint again.")

    monkeypatch.setattr("engine.training.parts.load_family", refuse)
    run, plan = small_run(tmp_path)
    console = Console(record=True, quiet=False)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        train(run, plan, console=console)
    assert "failed" not in console.export_text()
    assert read_result(plan.folder).outcome is Outcome.failed


def test_a_validation_that_asks_to_stop_ends_as_pruned_with_its_checkpoint_kept(tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []

    def stop_at_two(step: int, value: float) -> bool:
        seen.append((step, value))
        return step == 2

    result = train_small(tmp_path, *LOOKS_OFTEN, hooks=Hooks(on_validation=stop_at_two))
    assert result.outcome is Outcome.pruned and result.steps_done == 2 and exit_code(result.outcome) == 0
    assert seen == result.val_losses[1:] and [step for step, _ in seen] == [1, 2]
    assert (result.folder / "checkpoints/step000002.pt").is_file()


def test_ctrl_c_while_pictures_are_drawn_ends_as_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "draw_set", _raiser(KeyboardInterrupt))
    result = train_small(tmp_path)
    assert result.outcome is Outcome.interrupted and result.steps_done == 0
    assert exit_code(result.outcome) == 130
    assert any("goes on" in line for line in summary_lines(result, [], Path("page")))
    monkeypatch.undo()
    assert train_small(tmp_path).outcome is Outcome.completed


def test_scores_that_fail_leave_the_run_completed_and_are_made_by_the_same_command(tmp_path: Path) -> None:
    def broken(_: TrainResult) -> FinalScores:
        raise ConfigError("the encoder is gone")

    with pytest.raises(ConfigError, match="the encoder is gone"):
        train_small(tmp_path, hooks=Hooks(score=broken))
    result = _recorded(tmp_path)
    assert result.outcome is Outcome.completed and result.weights is not None
    calls: list[Path] = []

    def score(result: TrainResult) -> FinalScores:
        calls.append(result.folder)
        (result.folder / "scores.json").write_text("{}")
        return FinalScores(values={"final/likeness": 0.5})

    assert train_small(tmp_path, hooks=Hooks(score=score)).reused
    assert train_small(tmp_path, hooks=Hooks(score=score)).reused
    assert calls == [result.folder]


def test_a_run_in_a_relative_folder_is_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[Path] = []

    def score(result: TrainResult) -> FinalScores:
        calls.append(result.folder)
        (result.folder / "scores.json").write_text("{}")
        return FinalScores(values={"final/likeness": 0.5})

    for _ in range(2):
        train_small(Path("here"), hooks=Hooks(score=score))
    assert len(calls) == 1
    train_small(Path("here"), "dataset.trigger=other", hooks=Hooks(score=score))
    assert len(calls) == 2


def test_pictures_that_cannot_be_decoded_are_counted_and_named_in_the_result(tmp_path: Path) -> None:
    photos = _photos_with_a_cut_off_one(tmp_path)
    result = train_small(tmp_path, f"dataset.path={photos}", "dataset.class_tokens=thing")
    assert result.outcome is Outcome.completed
    assert len(result.skipped_pictures) == 1 and result.skipped_pictures[0].startswith("b.png (")


def test_a_loss_that_is_not_finite_is_never_logged_as_a_number(tmp_path: Path) -> None:
    result = train_small(tmp_path, "optimizer.lr=1e30", "lr_schedule=constant", "training.max_grad_norm=0")
    rows = (result.folder / "log.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows if row.split(",")[1]]
    assert losses and all(math.isfinite(loss) for loss in losses)


def _recorded(folder: Path) -> TrainResult:
    (run,) = (folder / "outputs").iterdir()
    result = read_result(run)
    assert result is not None
    return result


def _raiser(error: type[BaseException]) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


def _photos_with_a_cut_off_one(folder: Path) -> Path:
    from PIL import Image

    photos = folder / "photos"
    photos.mkdir()
    for name in ("a", "b", "c"):
        Image.effect_noise((64, 64), 60).convert("RGB").save(photos / f"{name}.png")
    content = (photos / "b.png").read_bytes()
    (photos / "b.png").write_bytes(content[: len(content) // 2])
    return photos
