"""How a sweep reaches into a run: where it lies, what it is told, and that nothing of it stays behind."""

from dataclasses import fields
from io import StringIO
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from work_toys import plan_of

from engine.compose.placed import placed, placed_in
from engine.compose.plan import Plan
from engine.training.job import Hooks, Job, Moment, given_hooks, hooked
from sweeper.config import SweeperConfig
from sweeper.work.places import num_workers, threads_of_a_trial, workers_words


def bare_plan(folder: Path) -> Plan:
    """A plan of which only the folder counts."""
    plan = object.__new__(Plan)
    for field in fields(Plan):
        object.__setattr__(plan, field.name, None)
    object.__setattr__(plan, "folder", folder)
    return plan


def test_a_run_that_starts_by_itself_stays_where_its_plan_says() -> None:
    plan = bare_plan(Path("outputs/a"))
    assert placed(plan) is plan


def test_inside_the_block_runs_lie_in_the_trials_folder_and_tell_their_plan() -> None:
    plan = bare_plan(Path("outputs/a"))
    told: list[Plan] = []
    with placed_in(Path("sweeps/x/trials/0003"), told.append):
        found = placed(plan)
        with placed_in(None):
            assert placed(plan).folder == Path("outputs/a")
        assert placed(plan).folder == Path("sweeps/x/trials/0003")
    assert found.folder == Path("sweeps/x/trials/0003")
    assert [one.folder for one in told] == [found.folder, found.folder]
    assert placed(plan).folder == Path("outputs/a")


def test_hooks_hold_for_the_block_alone_also_where_it_fails() -> None:
    hooks = Hooks(on_validation=lambda step, loss: step > 1)
    assert given_hooks() == Hooks()
    with pytest.raises(RuntimeError), hooked(hooks):
        assert given_hooks() is hooks
        raise RuntimeError
    assert given_hooks() == Hooks()


def test_each_phase_and_each_step_is_a_sign_of_progress() -> None:
    moments: list[Moment] = []
    plan = plan_of("network.rank=4,8")
    job = Job(
        run=plan.defaults,
        plan=bare_plan(Path("x")),
        console=Console(file=StringIO()),
        hooks=Hooks(on_moment=moments.append),
    )
    with job.clock.phase("loading"):
        pass
    job.tell(Moment(doing="training", step=3, total_steps=9, loss=0.5))
    assert moments[0] == Moment(doing="loading")
    assert moments[-1] == Moment(doing="training", step=3, total_steps=9, loss=0.5)


def launcher_config(
    name: str, options: dict[str, object] | None = None, *, threads: int | None = None
) -> DictConfig:
    """Hydra's config with this launcher."""
    hydra = {"runtime": {"choices": {"hydra/launcher": name}}, "launcher": options or {}}
    return OmegaConf.create({"training": {"threads": threads}, "hydra": hydra})


@pytest.mark.parametrize(
    ("name", "options", "workers", "expected"),
    [
        ("basic", {}, None, 1),
        ("basic", {}, 1, 1),
        ("joblib", {"n_jobs": 3}, None, 3),
        ("joblib", {"n_jobs": 3}, 2, 2),
        ("gpus", {"slots": 5, "gpus": None, "per_gpu": 1, "restarts": 0}, None, 5),
        ("gpus", {"slots": 5, "gpus": None, "per_gpu": 1, "restarts": 0}, 2, 2),
        ("submitit_slurm", {}, None, 4),
        ("ray", {}, 7, 7),
    ],
)
def test_a_worker_for_each_place_of_the_launcher_unless_a_number_is_given(
    name: str, options: dict[str, object], workers: int | None, expected: int
) -> None:
    config = launcher_config(name, options)
    assert num_workers(config, SweeperConfig(workers=workers)) == expected


def test_cores_are_shared_by_workers_on_this_machine_and_not_by_those_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweeper.work.places.num_threads", lambda given: 8)
    table = (("basic", 1, 8), ("gpus", 3, 2), ("joblib", 16, 1), ("submitit_slurm", 4, 8))
    for name, workers, threads in table:
        assert threads_of_a_trial(launcher_config(name), workers) == threads
    assert workers_words(launcher_config("gpus"), 3) == "3 by hydra/launcher=gpus, 2 threads each"
    assert workers_words(launcher_config("basic", threads=1), 1) == "1 in this process, 1 thread each"
