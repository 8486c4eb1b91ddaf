"""A trial's own wandb run: whose group, id and tags it bears, and that a later scoring is the same run."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.outcome import Outcome
from engine.config.tracking import TrackingConfig, WandbMode
from engine.training.tracker import PartOf, TrackedRun, given_part, tracked_as
from engine.training.tracking import Trackers
from tests.wandb_file import LoggedRun, read_wandb_run

SETTINGS = {"optimizer": "adamw", "optimizer.lr": 1e-3, "network.rank": 8}
PART = PartOf(
    group="lora", tracked_id="lora-t0007", job_type="trial", tags=("sampler:tpe",), settings=SETTINGS
)
OFFLINE = TrackingConfig(wandb=WandbMode.offline, project="toys", tags=["sks"])


def test_a_trial_bears_the_names_of_its_study_and_its_outcome_is_a_tag(tmp_path: Path) -> None:
    logged = _track(OFFLINE, _trial(tmp_path), Outcome.pruned)
    run = logged.run
    assert (run.run_id, run.display_name) == ("lora-t0007", "lora-t0007")
    assert (run.run_group, run.job_type, run.project) == ("lora", "trial", "toys")
    assert list(run.tags) == ["sks", "sampler:tpe", "outcome:pruned"]
    assert logged.summary["outcome"] == "pruned"
    assert logged.exit_code == 0


def test_the_searched_keys_lie_flat_beside_the_config(tmp_path: Path) -> None:
    config = _track(OFFLINE, _trial(tmp_path), Outcome.completed).config
    assert config["searched"] == {"optimizer": "adamw", "optimizer/lr": 1e-3, "network/rank": 8}
    assert config["seed"] == 7


def test_a_group_that_the_user_gave_goes_before_the_study(tmp_path: Path) -> None:
    logged = _track(replace(OFFLINE, group="mine"), _trial(tmp_path), Outcome.completed)
    assert (logged.run.run_group, logged.run.run_id) == ("mine", "lora-t0007")


def test_a_trial_that_is_scored_outside_its_sweep_stays_the_same_wandb_run(tmp_path: Path) -> None:
    _track(OFFLINE, _trial(tmp_path), Outcome.interrupted)
    for path in tmp_path.rglob("*.wandb"):
        path.unlink()
    logged = _track(OFFLINE, replace(_trial(tmp_path), part_of=None), Outcome.completed)
    run = logged.run
    assert (run.run_id, run.run_group, run.job_type) == ("lora-t0007", "lora", "trial")
    assert list(run.tags) == ["sks", "sampler:tpe", "outcome:completed"]
    assert logged.config["searched"] == {"optimizer": "adamw", "optimizer/lr": 1e-3, "network/rank": 8}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"group": 1}'])
def test_a_torn_note_of_the_study_costs_only_the_names(tmp_path: Path, content: str) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "part_of.json").write_text(content)
    run = _track(OFFLINE, replace(_trial(tmp_path), part_of=None), Outcome.completed).run
    assert (run.run_id, run.run_group, run.job_type) == ("1a2b3c4d", "", "")
    assert list(run.tags) == ["sks"]


def test_only_runs_that_begin_in_the_block_are_part_of_the_study() -> None:
    assert given_part() is None
    with tracked_as(PART):
        assert given_part() == PART
        with tracked_as(replace(PART, tracked_id="lora-t0008")):
            assert given_part() == replace(PART, tracked_id="lora-t0008")
        assert given_part() == PART
    assert given_part() is None


def _trial(folder: Path) -> TrackedRun:
    return TrackedRun(
        folder=folder, name="0007", run_id="1a2b3c4d", config={"seed": 7}, is_demo=True, part_of=PART
    )


def _track(config: TrackingConfig, run: TrackedRun, outcome: Outcome) -> LoggedRun:
    trackers = Trackers(warn=pytest.fail)
    trackers.add_wandb(config, run)
    trackers.log(1, {"loss": 0.5})
    trackers.finish(outcome)
    return read_wandb_run(run.folder)
