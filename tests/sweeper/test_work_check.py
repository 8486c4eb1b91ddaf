"""Every setting that a sweep may come to is checked before its first trial: one sentence a problem."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import DictConfig
from work_toys import CONF, inside, plan_of, problems_of, request_of, sweep_file

from engine.config import ConfigError
from sweeper.config import BudgetConfig, ConfirmConfig, Direction, PruneConfig, PrunerConfig, SweeperConfig
from sweeper.work.check import check_sweep
from sweeper.work.plan import plan_sweep, read_settings
from sweeper.work.sweep import run_sweep

GRID = ("network.rank=4,8",)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path) -> object:
    """A working directory that stays empty: what is refused leaves nothing behind."""
    desk = tmp_path / "desk"
    desk.mkdir()
    with inside(desk):
        yield desk
    assert [path.name for path in desk.iterdir() if path.name not in (".cache", "demo-data")] == []


def told(*typed: str, change: Callable[[SweeperConfig], None] | None = None) -> list[str]:
    """The refusal of a command line in Hydra's form."""
    with pytest.raises(ConfigError) as caught:
        check_sweep(plan_of(*typed, change=change))
    return list(caught.value.problems)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a/b", "..", ".", "", " a", "/tmp/x", "a:b", "a*", "a\nb", "x" * 101])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    problems = told("network.rank=4,8", change=lambda settings: setattr(settings, "study", name))
    assert problems == [
        f"hydra.sweeper.study={name}: it names a folder. Use letters, digits, dots and dashes, at most 100."
    ]


def test_a_choice_that_breaks_a_rule_is_named_once_alone_whatever_stands_beside_it() -> None:
    assert told("network.rank=0,4", "seed=1,2", "optimizer.lr=1e-3,1e-2") == [
        "network.rank=0: out of range. Give at least 1."
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("searched", "problem"),
    [
        ("optimizer.lr=interval(-0.01,0.01)", "optimizer.lr=-0.01: out of range. Give more than 0."),
        ("network.dropout=interval(0,1.5)", "network.dropout=1.5: out of range."),
        ("network.dropout=interval(-0.5,0.5)", "network.dropout=-0.5: out of range."),
        ("training.steps=choice(10,20,0)", "training.steps=0: out of range."),
    ],
)
def test_both_ends_of_an_interval_and_every_choice_are_checked(searched: str, problem: str) -> None:
    found = told("network.rank=4,8", searched)
    assert len(found) == 1 and found[0].startswith(problem)


def test_a_dead_dimension_is_refused_with_its_reason_and_the_way_out() -> None:
    found = told("network.rank=4,8", "loss.huber_c=interval(0.1,0.3)")
    assert len(found) == 2  # both ends
    for problem in found:
        assert "without effect, since loss.kind=l2" in problem
        assert problem.endswith("Or name the condition under hydra.sweeper.when.")


def test_the_same_dimension_is_alive_where_what_it_needs_is_given() -> None:
    plan = check_sweep(plan_of("loss=huber", "loss.huber_c=interval(0.1,0.3)"))
    assert plan.num_prompts_left > 0 and plan.base_facts["pictures"]


def test_what_two_choices_break_only_together_shows_both() -> None:
    found = told("network.alpha=null,4.0", "network.alpha_ratio=null,0.5")
    assert found
    assert all("alpha" in problem for problem in found)


def test_all_problems_of_all_candidates_and_of_the_sweep_come_at_once() -> None:
    def change(settings: SweeperConfig) -> None:
        settings.lease = 1
        settings.budget = BudgetConfig(trials=-1, hours=0)
        settings.confirm = ConfirmConfig(share=1.0)

    found = told("network.rank=0,4", "training.steps=0,2", "force=true", change=change)
    starts = [problem.split(":")[0] for problem in found]
    assert starts == [
        "force=true",
        "hydra.sweeper.budget.trials=-1",
        "hydra.sweeper.budget.hours=0",
        "hydra.sweeper.lease=1",
        "hydra.sweeper.confirm",
        "network.rank=0",
        "training.steps=0",
    ]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (
            (
                "+sweep=quick",
                "hydra.sweeper.study=a/b",
                "hydra.sweeper.prune.on=likeness",
                "training.steps=-3",
            ),
            ["hydra.sweeper.prune.on", "hydra.sweeper.study", "training.steps"],
        ),
        (
            (
                "+sweep=lora",
                "sampler=grid",
                "hydra.sweeper.prune.eta=1",
                "hydra.sweeper.storage=sqlite:////nowhere/x.db",
                "force=true",
                "dataset.path=/nowhere",
            ),
            [
                "optimizer.lr",
                "noise.offset",
                "hydra.sweeper.storage",
                "hydra.sweeper.prune",
                "force",
                "dataset.path",
            ],
        ),
        (
            ("network.rank=choice(4,4)", "optimizer.lr=interval(-1,1)", "hydra.sweeper.lease=2", "seed=1,1"),
            ["network.rank", "seed", "hydra.sweeper.lease", "optimizer.lr"],
        ),
        (
            (
                "network.rank=0,8",
                "hydra.sweeper.folder=",
                "hydra.sweeper.winner=foo",
                "dataset.path=/nowhere",
            ),
            ["hydra.sweeper.winner", "hydra.sweeper.folder", "network.rank", "dataset.path"],
        ),
    ],
)
def test_what_is_wrong_with_space_objectives_sweep_run_and_disk_is_told_at_once(
    typed: tuple[str, ...], keys: list[str]
) -> None:
    assert [problem.split(":")[0].split("=")[0] for problem in problems_of(*typed)] == keys


def test_the_launchers_problems_stand_beside_those_of_the_sweep() -> None:
    with pytest.raises(ConfigError) as caught:
        run_sweep(request_of("network.rank=0,8", "hydra.sweeper.workers=3"))
    assert [problem.split("=")[0] for problem in caught.value.problems] == [
        "hydra.sweeper.workers",
        "network.rank",
    ]


def test_what_only_pruning_needs_is_not_asked_of_a_grid() -> None:
    plan = check_sweep(plan_of(*GRID, "training.validate_every=0"))
    assert plan.is_grid


def test_conditions_and_starts_are_wrong_together() -> None:
    def change(settings: SweeperConfig) -> None:
        settings.params = {"network.rank": "choice(4,8)"}
        settings.when = {"network.rank=5": {"optimizer.lr": "choice(1e-3,1e-2)"}}
        settings.start = [{"network.rank": 6}]

    found = told("seed=1,2", change=change)
    assert [problem.split(":")[0] for problem in found] == ["when 'network.rank=5'", "start network.rank=6"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("force=true", "a trial is repeated by giving the study another name: hydra.sweeper.study=NAME."),
        ("inspect=4", "look at batches of a single run first."),
        ("output_dir=x", "trials lie in the study's folder: hydra.sweeper.folder=DIR."),
    ],
)
def test_what_belongs_to_a_single_run_is_refused(override: str, advice: str) -> None:
    assert told(*GRID, override) == [f"{override}: not in a sweep; {advice}"]


@pytest.mark.parametrize(
    "searched", ["dry_run=true,false", "name=a,b", "tracking=off,wandb", "cache_dir=a,b"]
)
def test_what_does_not_change_the_run_is_not_searched(searched: str) -> None:
    key = searched.split("=")[0]
    problem = f"{key}: nothing to search, since it does not change the run. Give one value."
    assert problem in told(*GRID, searched)


def _with(name: str, value: object) -> Callable[[SweeperConfig], None]:
    return lambda settings: setattr(settings, name, value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "start"),
    [
        (_with("lease", 9), "hydra.sweeper.lease=9: seconds; give at least 10."),
        (_with("workers", 0), "hydra.sweeper.workers=0: give at least 1, or null."),
        (
            _with("budget", BudgetConfig(hours=-1)),
            "hydra.sweeper.budget.hours=-1: give more than 0, or null.",
        ),
        (_with("budget", BudgetConfig(gpu_hours=0)), "hydra.sweeper.budget.gpu_hours=0: "),
        (_with("budget", BudgetConfig(patience=0)), "hydra.sweeper.budget.patience=0: "),
        (_with("confirm", ConfirmConfig(share=1)), "hydra.sweeper.confirm: share is from 0 to below 1"),
        (_with("confirm", ConfirmConfig(share=-0.1)), "hydra.sweeper.confirm: share"),
        (_with("confirm", ConfirmConfig(top=0)), "hydra.sweeper.confirm: share"),
        (_with("confirm", ConfirmConfig(seeds=1)), "hydra.sweeper.confirm: share"),
        (_with("prune", PruneConfig(eta=1)), "hydra.sweeper.prune: eta is at least 2"),
        (_with("prune", PruneConfig(min=0)), "hydra.sweeper.prune: eta is at least 2, min at least 1 step."),
        (_with("pruner", PrunerConfig(startup=-1)), "hydra.sweeper.pruner: startup and patience"),
        (_with("pruner", PrunerConfig(patience=-1)), "hydra.sweeper.pruner: startup and patience"),
        (_with("prune", PruneConfig(on="loss")), "hydra.sweeper.prune.on=loss: while a run trains"),
        (
            _with("prune", PruneConfig(direction=Direction.maximize)),
            "hydra.sweeper.prune.direction=maximize: of val_loss less is better.",
        ),
        (_with("winner", "sharpness"), "hydra.sweeper.winner=sharpness: unknown"),
        (_with("winner", "likenes"), "hydra.sweeper.winner=likenes: unknown (did you mean likeness?)"),
        (_with("winner", "diversity"), "hydra.sweeper.winner=diversity: unknown"),
        (
            _with("objectives", {"likenes": Direction.maximize}),
            "hydra.sweeper.objectives: likenes: unknown metric (did you mean likeness?)",
        ),
        (
            _with("objectives", {"likeness": Direction.minimize}),
            "hydra.sweeper.objectives: likeness: minimize: the other way is better. Write maximize.",
        ),
        (
            _with("objectives", {"seconds": Direction.maximize}),
            "hydra.sweeper.objectives: seconds: maximize: the other way is better. Write minimize.",
        ),
        (
            _with("constraints", {"peak_vram": "<= 23"}),
            "hydra.sweeper.constraints: peak_vram: unknown metric (did you mean peak_vram_gb?)",
        ),
        (
            _with("constraints", {"health": "= 1"}),
            'hydra.sweeper.constraints: health: "= 1": write "<= 23" or ">= 1".',
        ),
        (_with("constraints", {"health": "1"}), 'hydra.sweeper.constraints: health: "1": write'),
        (_with("constraints", {"health": "<= a"}), 'hydra.sweeper.constraints: health: "<= a": write'),
    ],
)
def test_a_setting_of_the_sweep_that_cannot_be_is_one_sentence(
    change: Callable[[SweeperConfig], None], start: str
) -> None:
    found = told(*GRID, change=change)
    assert len(found) == 1 and found[0].startswith(start), found


def test_scores_are_needed_unless_the_validation_loss_alone_decides() -> None:
    assert told(*GRID, "evaluation.enabled=false") == [
        "evaluation.enabled=false: a sweep needs scores. Leave it out."
    ]
    plan = plan_of(
        *GRID, "evaluation.enabled=false", change=_with("objectives", {"val_loss": Direction.minimize})
    )
    assert check_sweep(plan).objectives == {"val_loss": Direction.minimize}


def test_a_folder_for_copies_is_refused() -> None:
    assert told(*GRID, "files.copy_to=.") == [
        "files.copy_to=.: not in a sweep, whose trials share one name. Leave it out; the best trial's "
        "weights are in the folder of the sweep."
    ]


def test_pruning_needs_a_validation() -> None:
    typed = ("sweep=quick", "training.validate_every=0")
    assert "training.validate_every=0: pruning looks at the validation loss. Add pruner=none." in told(*typed)
    assert check_sweep(plan_of(*typed, "pruner=none")).num_trials == 8
    assert check_sweep(plan_of(*typed, change=_with("prune", None))).num_trials == 8


def test_an_objective_that_these_pictures_cannot_have_is_refused_before_anything_is_trained() -> None:
    found = told(*GRID, change=_with("objectives", {"aesthetic": Direction.maximize}))
    assert found and any("aesthetic" in problem for problem in found)


def test_a_file_in_the_place_of_the_studys_folder_is_told(desk: Path) -> None:
    (desk / "sweeps").write_text("a file")
    assert told(*GRID) == [f"hydra.sweeper.folder=sweeps: {desk / 'sweeps'} is a file. Give another folder."]
    (desk / "sweeps").unlink()
    (desk / "sweeps").mkdir()
    (desk / "sweeps/demo-rank").write_text("a file")
    place = desk / "sweeps/demo-rank"
    assert told(*GRID) == [
        f"hydra.sweeper.study=demo-rank: {place} is a file. Give another name, or move it away."
    ]
    place.unlink()
    place.parent.rmdir()
    assert told(*GRID, change=_with("folder", " ")) == ["hydra.sweeper.folder=: empty. Give a folder."]


def test_a_searched_folder_that_is_not_there_is_named(desk: Path) -> None:
    found = told("dataset.path=null,nowhere")
    assert len(found) == 1 and found[0].startswith(f"dataset.path=nowhere: there is no such folder in {desk}")


def test_a_model_that_has_no_pictures_is_named() -> None:
    found = told("model=demo,sd15")
    assert any(
        problem.startswith("dataset.path=null: the demo's concepts belong to model=demo") for problem in found
    )
    assert any("(with model sd15)" in problem for problem in found)


def test_each_refused_line_passes_the_guard_and_is_told_by_the_check(tmp_path: Path) -> None:
    flag = sweep_file(
        tmp_path, "hydra:\n  sweeper:\n    study: x\n    params: {network.rank: 'choice(0,4)'}\n"
    )
    assert problems_of(flag, "sweep=mine") == ["network.rank=0: out of range. Give at least 1."]


def test_a_dry_run_prints_the_plan_and_five_examples_and_makes_no_study(
    capsys: pytest.CaptureFixture[str], desk: Path
) -> None:
    run_sweep(request_of("+sweep=quick", "dry_run=true"))
    printed = capsys.readouterr().out
    lines = [line.strip() for line in printed.splitlines()]
    assert "4 settings x 1 interval" in printed and "8 to search" in printed
    examples = lines[lines.index("for example") + 1 :]
    assert len(examples) == 7 and all("rank" in line and "lr" in line for line in examples[:5])
    assert examples[5] == "study demo-quick: none of this name yet: it would be made"
    assert examples[6] == "no trial has been timed yet: how long it takes is not known"
    assert not (desk / "sweeps").exists()


def test_the_runs_own_start_is_asked_once_for_the_defaults_and_once_for_each_word() -> None:
    asked: list[tuple[str, int]] = []

    def task(config: DictConfig) -> None:
        assert config.dry_run
        asked.append((config.optimizer.class_path.rpartition(".")[2], config.network.rank))
        raise ConfigError(f"training.device={config.optimizer.class_path}: none of these.")

    request = request_of("optimizer=adamw,prodigy", "network.rank=4,8,16")
    plan = replace(plan_sweep(request, read_settings(request.config)), task=task)
    with pytest.raises(ConfigError) as caught:
        check_sweep(plan)
    assert asked == [("AdamW", 16), ("AdamW", 4), ("Prodigy", 4)]
    assert caught.value.problems == [
        "training.device=torch.optim.AdamW: none of these.",
        "training.device=torch.optim.AdamW: none of these. (with optimizer adamw, rank 4)",
        "training.device=prodigyopt.Prodigy: none of these. (with optimizer prodigy, rank 4)",
    ]


def test_a_refusal_of_the_real_program_imports_nothing_heavy_and_ends_with_2(desk: Path) -> None:
    code = (
        "import sys, json; sys.path.insert(0, sys.argv.pop(1)); import train\n"
        "try: train.main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = [n for n in ('torch', 'optuna', 'diffusers', 'wandb') if n in sys.modules]\n"
        "print(json.dumps([code, heavy]))"
    )
    words = ["--multirun", "+sweep=quick", "network.rank=choice(0,4)", "hydra.sweeper.lease=1"]
    done = subprocess.run(
        [sys.executable, "-c", code, str(CONF.parent), *words], cwd=desk, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [2, []], done.stderr
    assert done.stderr.splitlines() == [
        "This run cannot start:",
        "  - hydra.sweeper.lease=1: seconds; give at least 10.",
        "  - network.rank=0: out of range. Give at least 1.",
    ]
