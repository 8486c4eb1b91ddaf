"""What a sweep is going to do: names, counts, shares of the budget, what its trials have in common."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from work_toys import composer_of, plan_of, sweep_file

from engine.config import ConfigError
from sweeper.config import ConfirmConfig, Direction, SweeperConfig
from sweeper.space.grid import grid_of
from sweeper.work.defaults import values_of
from sweeper.work.dry_run import plan_lines


def refusal(*typed: str, change: Callable[[SweeperConfig], None] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan_of(*typed, change=change)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (("sweep=quick",), "demo-quick"),
        (("sweep=quick", "name=night"), "night-quick"),
        (("network.rank=4,8",), "demo-rank"),
        (("network.rank=4,8", "optimizer.lr=1e-3,1e-2", "name=a"), "a-rank-lr"),
        (("optimizer=adamw,prodigy",), "demo-optimizer"),
        (("network.rank=4,8", "hydra.sweeper.study='Mein.Stück-2'"), "Mein.Stück-2"),
    ],
)
def test_study_is_named_by_the_run_and_what_is_searched(typed: tuple[str, ...], name: str) -> None:
    plan = plan_of(*typed)
    assert plan.name == name
    assert plan.folder == Path("sweeps").absolute() / name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trials", "share", "search", "in_all"),
    [
        (24, 0.25, 18, 24),
        (8, 0.25, 8, 8),  # a quarter is 2: too few for two settings and two seeds
        (15, 0.25, 15, 15),  # 3
        (16, 0.25, 12, 16),  # 4: the default and one other, two seeds each
        (100, 0.25, 85, 100),  # the default and the four best, three seeds each; the rest searches
        (24, 0.0, 24, 24),
        (24, 0.5, 12, 24),
        (24, None, 24, 24),
        (None, 0.25, 18, 24),
    ],
)
def test_budget_is_shared_between_search_and_confirmation(
    trials: int | None, share: float | None, search: int, in_all: int
) -> None:
    def change(settings: SweeperConfig) -> None:
        settings.budget.trials = trials
        settings.confirm = None if share is None else ConfirmConfig(share=share)

    plan = plan_of("network.rank=4,8", "optimizer.lr=interval(1e-4,1e-2)", change=change)
    assert (plan.num_search, plan.num_trials, plan.is_grid) == (search, in_all, False)


def test_comma_lists_alone_are_a_grid_that_is_counted_and_confirms_nothing() -> None:
    plan = plan_of("optimizer=adamw,prodigy", "network.rank=4,16,8", "seed=1,2")
    assert plan.is_grid and plan.num_trials == plan.num_search == 12
    assert grid_of(plan.space, plan.composer.look)[:3] == [
        {"optimizer": "adamw", "network.rank": 4, "seed": 1},
        {"optimizer": "adamw", "network.rank": 4, "seed": 2},
        {"optimizer": "adamw", "network.rank": 16, "seed": 1},
    ]
    assert dict(plan_lines(plan))["sampler"] == "every combination once"
    assert dict(plan_lines(plan))["pruner"].startswith("none")


def test_a_budget_below_the_grid_cuts_it_and_one_above_adds_nothing() -> None:
    typed = ("network.rank=4,8", "seed=1,2,3")
    assert plan_of(*typed, "hydra.sweeper.budget.trials=4").num_trials == 4
    assert plan_of(*typed, "hydra.sweeper.budget.trials=40").num_trials == 6


def test_sampler_grid_counts_every_combination_of_a_file(tmp_path: Path) -> None:
    params = (
        "hydra:\n  sweeper:\n    study: own\n    params: {network.rank: 'choice(4,8)', seed: 'range(1,4)'}\n"
    )
    plan = plan_of(sweep_file(tmp_path, params), "sweep=mine", "sampler=grid")
    assert plan.is_grid and plan.num_search == 6


def test_an_interval_is_no_grid_and_says_so_where_one_is_asked_for() -> None:
    assert not plan_of("network.rank=4,8", "optimizer.lr=interval(1e-4,1e-2)").is_grid
    assert refusal("sweep=quick", "sampler=grid") == [
        "optimizer.lr: a grid has no intervals. Write choice(a, b), or take another sampler."
    ]


def test_nothing_searched_is_refused_with_what_to_type() -> None:
    assert refusal("seed=3") == [
        "--multirun: nothing is searched. Add a file of conf/sweep/, for example +sweep=lora, or give "
        "several values: network.rank=4,16."
    ]


def test_single_values_given_for_all_that_a_file_searches_leave_nothing() -> None:
    told = refusal("sweep=quick", "network.rank=4", "optimizer.lr=1e-3")
    assert len(told) == 1 and told[0].startswith("--multirun: nothing is searched")


def test_the_command_line_beats_the_file() -> None:
    plan = plan_of("sweep=lora", "network.rank=choice(2,3)", "noise.offset=0.05")
    keys = {dimension.key: dimension for dimension in plan.space.dimensions}
    assert keys["network.rank"].choices == (2, 3)
    assert "noise.offset" not in keys
    assert plan.defaults.noise.offset == 0.05


def test_a_condition_that_never_holds_leaves_its_option_out_with_a_line(tmp_path: Path) -> None:
    text = (
        "hydra:\n  sweeper:\n    study: own\n    params: {network.rank: 'choice(4,8)'}\n    when:\n"
        "      model.prediction=v: {noise.offset: 'interval(0,0.1)'}\n"
    )
    plan = plan_of(sweep_file(tmp_path, text), "sweep=mine")
    assert [one.key for one in plan.space.dimensions] == ["network.rank"]
    assert "noise.offset: left out, since model.prediction=epsilon" in plan.lines


def test_facts_of_the_base_hold_neither_what_is_searched_nor_what_follows_from_it() -> None:
    facts = plan_of("sweep=lora").base_facts
    for searched in ("network.rank", "network.alpha", "network.alpha_ratio", "optimizer.lr", "noise.offset"):
        assert searched not in facts
    assert facts["training.steps"] == 300 and facts["loss.kind"] == "l2"
    assert {"name", "output_dir", "cache_dir", "tracking", "dry_run", "force"}.isdisjoint(facts)
    plain = plan_of("training.steps=10,20").base_facts
    assert plain["network.rank"] == 16 and "network.alpha" in plain and "training.steps" not in plain


def test_a_searched_group_takes_all_its_options_out_of_the_facts() -> None:
    facts = plan_of("optimizer=adamw,prodigy").base_facts
    assert not [key for key in facts if key.startswith("optimizer.")]


def test_where_files_lie_and_what_is_logged_are_no_facts() -> None:
    quiet = plan_of("sweep=quick", "tracking=off", "cache_dir=elsewhere").base_facts
    assert quiet == plan_of("sweep=quick").base_facts
    assert plan_of("sweep=quick", "training.steps=11").base_facts != quiet


def test_pictures_that_are_drawn_and_how_they_are_scored_are_facts() -> None:
    facts = plan_of("sweep=quick").base_facts
    assert plan_of("sweep=quick", "sampling.num_prompts=3").base_facts != facts


def test_objectives_come_from_the_file_or_are_the_two_of_evaluation() -> None:
    assert plan_of("sweep=noise").objectives == {
        "luminance": Direction.minimize,
        "likeness": Direction.maximize,
    }
    assert list(plan_of("network.rank=4,8").objectives) == ["likeness", "adherence"]


def test_scores_of_the_objectives_are_required_of_every_trial() -> None:
    assert "evaluation.objectives=[luminance,likeness]" in plan_of("sweep=noise").composer.fixed


def test_the_line_that_goes_on_keeps_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--multirun", "sweep=quick", "name=a-b", "hydra.sweeper.budget.trials=3"]
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", "-u", "/home/x/train.py", *words])
    assert plan_of(*words[1:]).command == shlex.join(["python", "train.py", *words])


def test_the_line_that_goes_on_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["-m", "sweep=quick", "hydra.sweeper.storage=postgresql://ann:secret@host/db"]
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", *words])
    command = plan_of("sweep=quick").command
    assert "secret" not in command and "ann" in command and "host/db" in command


def test_without_a_command_line_one_that_means_the_same_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "notebook"])
    assert plan_of("sweep=quick", "seed=3").command == "python train.py --multirun sweep=quick seed=3"
    kept = plan_of("sweep=quick", "hydra.sweeper.budget.trials=3").command
    assert shlex.split(kept)[2:] == ["--multirun", "hydra.sweeper.budget.trials=3", "sweep=quick"]


def test_threads_of_ones_own_are_known() -> None:
    assert plan_of("sweep=quick", "training.threads=2").has_own_threads
    assert not plan_of("sweep=quick").has_own_threads


def test_defaults_are_the_values_that_trial_0_has() -> None:
    plan = plan_of("sweep=optimizers")
    composer = plan.composer
    assert values_of(plan.space, composer, {}) == {
        "optimizer": "adamw",
        "network.rank": 16,
        "optimizer.lr": 3e-3,
    }
    prodigy = values_of(plan.space, composer, {"optimizer": "prodigy", "optimizer.args.d_coef": 2.0})
    assert prodigy == {"optimizer": "prodigy", "network.rank": 16, "optimizer.args.d_coef": 2.0}


def test_a_reference_that_leads_nowhere_in_a_sweeps_file_is_a_sentence(tmp_path: Path) -> None:
    flag = sweep_file(tmp_path, "hydra:\n  sweeper:\n    study: ${nam}-x\n")
    told = refusal(flag, "sweep=mine", "network.rank=4,8")
    assert len(told) == 1 and told[0].startswith("hydra.sweeper:") and "nam" in told[0]


def test_settings_have_the_types_of_their_dataclass() -> None:
    plan = plan_of("sweep=quick", "hydra.sweeper.budget.hours=2", "hydra.sweeper.workers=null")
    assert isinstance(plan.settings, SweeperConfig)
    assert plan.settings.budget.hours == 2.0 and plan.settings.budget.trials == 8
    assert composer_of("sweep=quick").config.hydra.sweeper.budget.trials == 8


def test_auto_prunes_by_halving_and_nothing_for_a_sampler_that_sees_no_pruned_trial() -> None:
    words = {}
    for sampler in ("tpe", "gp", "qmc"):
        words[sampler] = dict(plan_lines(plan_of("sweep=quick", f"sampler={sampler}")))["pruner"]
    halving = "asha on val_loss"
    assert words == {"tpe": halving, "qmc": halving, "gp": "none: every trial runs to its end"}


def test_pruning_beside_gp_is_done_where_it_is_asked_for_with_a_note() -> None:
    plan = plan_of("sweep=quick", "sampler=gp", "pruner=asha")
    assert dict(plan_lines(plan))["pruner"] == "asha on val_loss"
    assert [line for line in plan.lines if line.startswith("sampler=gp sees nothing of pruned trials")]
    assert not plan_of("sweep=quick", "sampler=gp").lines


def test_a_space_that_is_smaller_than_the_search_is_advised_a_grid() -> None:
    def change(settings: SweeperConfig) -> None:
        settings.params, settings.confirm = {"network.rank": "choice(4,8)"}, None
        settings.budget.trials = total

    notes = {}
    for total in (3, 4, 5):
        notes[total] = [line for line in plan_of("seed=1,2", change=change).lines if "sampler=grid" in line]
    assert notes[3] == []
    assert notes[4] == [
        "the space has 4 combinations, and 4 trials search it: sampler=grid tries each once, where others "
        "repeat some"
    ]
    assert len(notes[5]) == 1
