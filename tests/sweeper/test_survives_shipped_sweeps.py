"""Every shipped sweep, run on the demo with a small budget, reads as it should."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from engine.config.outcome import Outcome
from sweeper.config import Direction
from sweeper.study.folder import StudyFolder
from sweeper.study.read import read_study
from sweeper.study.records import StudyRecord, TrialRecord, TrialState
from tests.sweeper.real_sweeps import CONF, Toy, weights_of

pytestmark = pytest.mark.slow

LR = "optimizer.lr"
STEPS = 8
OVERRIDES = (f"training.steps={STEPS}",)
BUDGETS = {
    "lora": (
        "hydra/launcher=gpus",  # its own; two workers
        "hydra.launcher.slots=2",
        "hydra.sweeper.budget.trials=7",
        "hydra.sweeper.confirm.share=0.6",
        "hydra.sweeper.confirm.seeds=2",
    ),
    "noise": ("hydra.sweeper.budget.trials=3",),
    "optimizers": ("hydra.sweeper.budget.trials=4",),
    "quick": ("hydra.sweeper.budget.trials=3",),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


@dataclass(kw_only=True, frozen=True)
class Ended:
    """A sweep that came to its end."""

    record: StudyRecord
    printed: str
    cut: set[Path]  # folders of trials that were at work when +sweep=lora was killed


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, Ended]:
    """Every shipped sweep; they run at the same time, and +sweep=lora is killed while it confirms."""
    toys = {
        name: Toy(folder=tmp_path_factory.mktemp(name), cache=cache, overrides=OVERRIDES, sweep=name)
        for name in BUDGETS
    }
    with ExitStack() as stack:
        lora = stack.enter_context(toys["lora"].started(*BUDGETS["lora"]))
        others = {
            name: stack.enter_context(toys[name].started(*BUDGETS[name]))
            for name in ("noise", "optimizers", "quick")
        }
        lora.reaches(toys["lora"].folder / "sweeps/demo-lora/confirm/0001", 2)
        lora.kill_all()
        cut = _running(read_study(StudyFolder(toys["lora"].folder / "sweeps/demo-lora")))
        others["lora"] = stack.enter_context(toys["lora"].started(*BUDGETS["lora"]))
        return {name: _ended(name, toys[name], program.ends(0), cut) for name, program in others.items()}


def _running(record: StudyRecord) -> set[Path]:
    trials = [*record.trials, *record.confirmations]
    return {trial.folder for trial in trials if trial.state is TrialState.running}


def _ended(name: str, toy: Toy, printed: str, cut: set[Path]) -> Ended:
    study = StudyFolder(toy.folder / f"sweeps/demo-{name}")
    assert study.report.is_file() and study.best.is_file() and study.best_weights.is_file()
    assert "Traceback" not in printed
    record = read_study(study)
    for trial in [*record.trials, *record.confirmations]:
        assert trial.outcome is Outcome.completed, (name, trial.number, trial.cause)
        assert set(trial.values) == set(record.objectives)
        weights_of(trial)
    return Ended(record=record, printed=printed, cut=cut)


def _run_yaml(trial: TrialRecord) -> dict[str, dict[str, object]]:
    loaded = yaml.safe_load((trial.folder / "run.yaml").read_text())
    return loaded.get("run", loaded.get("config", loaded))


def test_every_shipped_sweep_is_run_by_a_test_of_this_file() -> None:
    shipped = {path.stem for path in (CONF / "sweep").glob("*.yaml")}
    assert shipped == set(BUDGETS)


def test_quick_searches_rank_and_learning_rate_for_likeness(ended: dict[str, Ended]) -> None:
    record = ended["quick"].record
    assert dict(record.objectives) == {"likeness": Direction.maximize}
    assert [set(trial.params) for trial in record.trials] == [{"network.rank", LR}] * 3
    assert record.trials[0].params == {"network.rank": 16, LR: 3e-3}
    for trial in record.trials[1:]:
        assert trial.params["network.rank"] in (4, 8, 16, 32) and 3e-4 <= float(str(trial.params[LR])) <= 9e-3
    assert not record.confirmations


def test_lora_confirms_with_fresh_seeds_also_when_it_is_killed_while_it_does(ended: dict[str, Ended]) -> None:
    record, printed = ended["lora"].record, ended["lora"].printed
    trials = [*record.trials, *record.confirmations]
    assert record.confirmations[1].folder in ended["lora"].cut
    assert {trial.folder for trial in trials if trial.restarts} == ended["lora"].cut
    assert max(trial.restarts for trial in trials) == 1
    keys = {"network.rank", "network.alpha_ratio", LR, "noise.offset"}
    assert dict(record.objectives) == {"likeness": Direction.maximize, "adherence": Direction.maximize}
    assert [set(trial.params) for trial in record.trials] == [keys] * 3
    assert record.trials[0].params["noise.offset"] == 0
    assert len({trial.params["noise.offset"] for trial in record.trials}) == 3
    again = record.confirmations
    assert len(again) == 4 and {trial.of for trial in again} > {0}
    assert len({trial.of for trial in again}) == 2, "the default and one other"
    fresh = {trial.of: {one.seed for one in again if one.of == trial.of} for trial in again}
    seeds = list(fresh.values())
    assert seeds[0] == seeds[1] and len(seeds[0]) == 2, "the same two fresh seeds for both"
    assert not seeds[0] & {trial.seed for trial in record.trials}
    for trial in again:
        assert dict(trial.params) == dict(record.trial(trial.of or 0).params)
        assert trial.weights_sha256 != record.trial(trial.of or 0).weights_sha256
    assert "over 2 seeds" in printed and "(2 seeds)" in printed, printed


def test_optimizers_gives_each_optimizer_its_own_option_only(ended: dict[str, Ended]) -> None:
    record = ended["optimizers"].record
    own = {"adamw": LR, "prodigy": "optimizer.args.d_coef"}
    for trial in record.trials:
        picked = str(trial.params["optimizer"])
        assert set(trial.params) == {"optimizer", "network.rank", own[picked]}, trial.params
        class_path = str(_run_yaml(trial)["optimizer"]["class_path"])
        assert class_path.lower().endswith(picked), class_path
    assert [trial.params["optimizer"] for trial in record.trials[:2]] == ["adamw", "prodigy"]


def test_noise_trains_on_the_night_and_prunes_nothing(ended: dict[str, Ended]) -> None:
    record, printed = ended["noise"].record, ended["noise"].printed
    assert dict(record.objectives) == {"luminance": Direction.minimize, "likeness": Direction.maximize}
    assert record.prune_on is None and "none: every trial runs to its end" in printed
    assert [trial.state for trial in record.trials] == [TrialState.complete] * 3
    assert [trial.steps_done for trial in record.trials] == [STEPS] * 3
    offsets = [float(str(trial.params["noise.offset"])) for trial in record.trials]
    assert offsets[0] == 0 and len(set(offsets)) == 3 and max(offsets) <= 0.4
    assert {_run_yaml(trial)["dataset"]["concept"] for trial in record.trials} == {"night"}
