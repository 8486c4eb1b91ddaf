"""Samplers: no draw repeats, a sweep that was stopped proposes what one that was not does."""

import json
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from study_toys import open_study

from engine.config import ConfigError
from sweeper.config import SamplerConfig, SamplerKind
from sweeper.study.records import Dimension
from sweeper.study.samplers import build_sampler, seed_of, startup_trials

RANK = Dimension(key="network.rank", choices=(4, 8, 16, 32, 64), ordered=True)
LR = Dimension(key="optimizer.lr", low=1e-5, high=1e-2, log=True)


def propose(
    root: Path, config: SamplerConfig, count: int, directions: Sequence[str] = ("maximize",)
) -> list[str]:
    """Settings of `count` more trials of a study, asked by a process that has just started."""
    study, _ = open_study(root, directions=directions)
    study.sampler = build_sampler(config, (RANK, LR), num_trials=20, num_objectives=len(directions))
    found = []
    for _ in range(count):
        trial = study.ask()
        rank = trial.suggest_categorical("network.rank", RANK.choices)
        lr = trial.suggest_float("optimizer.lr", 1e-5, 1e-2, log=True)
        found.append(json.dumps([rank, lr]))
        study.tell(trial, [-abs(rank - 16) / 64 - abs(lr - 1e-3)] * len(directions))
    return found


@pytest.mark.parametrize("kind", [kind for kind in SamplerKind if kind is not SamplerKind.grid])
def test_a_sweep_in_three_starts_proposes_what_one_start_does_and_repeats_nothing(
    tmp_path: Path, kind: SamplerKind
) -> None:
    config = SamplerConfig(kind=kind, seed=3)
    whole = propose(tmp_path / "whole", config, 12)
    parts = [settings for count in (5, 1, 6) for settings in propose(tmp_path / "parts", config, count)]
    if (
        kind is not SamplerKind.gp
    ):  # it fits from where its last fit ended, so its optimum differs in the last bits
        assert parts == whole
    assert len(set(parts)) == 12


def test_another_seed_proposes_other_settings(tmp_path: Path) -> None:
    one, other = (propose(tmp_path / str(seed), SamplerConfig(seed=seed), 3) for seed in (0, 1))
    assert not set(one) & set(other)


def test_the_seed_of_a_trial_is_made_of_the_sweeps_and_its_number() -> None:
    assert seed_of(0, 0) != seed_of(0, 1) != seed_of(1, 0)
    assert 0 <= seed_of(7, 123) < 2**32
    assert seed_of(0, 7) == 0x60FC7A89  # printf '0 7' | sha256sum


@pytest.mark.parametrize(("total", "random"), [(8, 4), (18, 4), (36, 9), (200, 10)])
def test_a_quarter_of_the_trials_is_random(total: int, random: int) -> None:
    assert startup_trials(total) == random


def test_tpe_learns_after_its_start(tmp_path: Path) -> None:
    distance = {}
    for kind in (SamplerKind.tpe, SamplerKind.random):
        settings = propose(tmp_path / kind.value, SamplerConfig(kind=kind), 40)
        ranks = [json.loads(one)[0] for one in settings]
        distance[kind] = sum(abs(rank - 16) for rank in ranks[10:]) / 30
    assert distance[SamplerKind.tpe] < 0.6 * distance[SamplerKind.random]


def test_tpe_takes_conditional_spaces_and_several_objectives_quietly(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    for directions in (("maximize",), ("maximize", "minimize")):
        study, _ = open_study(tmp_path / str(len(directions)), directions=directions)
        branches = (
            Dimension(key="optimizer", choices=("adamw", "prodigy")),
            Dimension(key="optimizer.lr", low=1e-5, high=1e-2, log=True, when="optimizer=adamw"),
            Dimension(key="optimizer.d", low=0.1, high=3, log=True, when="optimizer=prodigy"),
        )
        study.sampler = build_sampler(
            SamplerConfig(), branches, num_trials=16, num_objectives=len(directions)
        )
        for _ in range(14):
            trial = study.ask()
            if trial.suggest_categorical("optimizer", ["adamw", "prodigy"]) == "adamw":
                trial.suggest_float("optimizer.lr", 1e-5, 1e-2, log=True)
            else:
                trial.suggest_float("optimizer.d", 0.1, 3, log=True)
            study.tell(trial, [0.5] * len(directions))
        assert len(study.trials) == 14
    assert [str(warning.message) for warning in recwarn] == []


def test_two_workers_of_a_sobol_sequence_take_different_points(tmp_path: Path) -> None:
    config = SamplerConfig(kind=SamplerKind.qmc)
    propose(tmp_path, config, 1)
    studies = [open_study(tmp_path)[0] for _ in range(2)]
    drawn = []
    for study in studies:
        study.sampler = build_sampler(config, (RANK, LR), num_trials=20, num_objectives=1)
    trials = [study.ask() for study in studies]
    for trial in trials:
        trial.suggest_categorical("network.rank", RANK.choices)
        drawn.append(trial.suggest_float("optimizer.lr", 1e-5, 1e-2, log=True))
    assert drawn[0] != drawn[1]


def test_a_grid_refuses_an_interval_by_name() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.lr=interval\(1e-05,0\.01\)"):
        build_sampler(SamplerConfig(kind=SamplerKind.grid), (RANK, LR), num_trials=5, num_objectives=1)


def test_constraints_of_a_trial_reach_the_sampler(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    config = SamplerConfig(startup=4)
    study.sampler = build_sampler(config, (RANK,), num_trials=40, num_objectives=1)
    ranks = []
    for _ in range(40):
        trial = study.ask()
        rank = trial.suggest_categorical("network.rank", RANK.choices)
        trial.set_constraint("memory", rank - 16)  # ranks above 16 do not fit
        study.tell(trial, float(rank))
        ranks.append(rank)
    assert sum(rank <= 16 for rank in ranks[15:]) > 15
    assert optuna.trial.TrialState.COMPLETE is study.trials[0].state
