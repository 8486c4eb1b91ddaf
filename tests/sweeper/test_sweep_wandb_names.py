"""The names of a study's runs in wandb."""

import re

import pytest

from sweeper.study.records import Phase
from sweeper.tracking.names import controller_part, trial_part


def test_trials_confirmations_and_the_controller_are_told_apart() -> None:
    trial = trial_part("demo-lora", 7, settings={"network.rank": 8}, sampler="gp")
    assert (trial.group, trial.tracked_id, trial.job_type) == ("demo-lora", "demo-lora-t0007", "trial")
    assert trial.tags == ("sampler:gp",)
    assert trial.settings == {"network.rank": 8}
    confirm = trial_part("demo-lora", 2, settings={}, phase=Phase.confirm)
    assert (confirm.group, confirm.tracked_id, confirm.job_type) == (
        "demo-lora",
        "demo-lora-c0002",
        "confirm",
    )
    whole = controller_part("demo-lora")
    assert (whole.group, whole.tracked_id, whole.job_type) == (
        "demo-lora",
        "demo-lora-controller",
        "controller",
    )


@pytest.mark.parametrize("study", ["Fräulein: rank/alpha?", "a" * 200, "модель", "x y", "-"])
def test_a_name_that_wandb_refuses_gets_an_id_that_it_takes(study: str) -> None:
    for part in (trial_part(study, 12345, settings={}), controller_part(study)):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", part.tracked_id)
        assert part.group == study[:128]


def test_two_long_names_that_begin_alike_stay_apart() -> None:
    first, second = ("a" * 90 + end for end in "bc")
    assert trial_part(first, 0, settings={}).tracked_id != trial_part(second, 0, settings={}).tracked_id
