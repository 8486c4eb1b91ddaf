"""A study is made once, gone on with when it is the same, and refused with the difference when it is not."""

from dataclasses import replace
from pathlib import Path

import pytest
from work_toys import plan_of

from engine.config import ConfigError
from sweeper.config import Direction, OnChange, SweeperConfig
from sweeper.study.claim import request_stop, stop_reason
from sweeper.study.folder import StudyFolder
from sweeper.study.read import read_study
from sweeper.work.plan import SweepPlan
from sweeper.work.session import SETTINGS, make_study, open_session, reopen

TYPED = ("network.rank=choice(4,8)", "optimizer.lr=tag(log,interval(1e-4,1e-2))")


def plan_in(
    folder: Path, *typed: str, on_change: OnChange = OnChange.refuse, pictures: str = "a" * 64
) -> SweepPlan:
    """A small sweep in a folder of its own, as the check hands it on."""

    def change(settings: SweeperConfig) -> None:
        settings.folder, settings.study = str(folder), "toy"
        settings.on_change = on_change
        if len(typed) < 2:
            settings.start = [{}, {"network.rank": 8}]

    plan = plan_of(*(typed or TYPED), change=change)
    return replace(plan, base_facts={**plan.base_facts, "pictures": [pictures]})


def refused(plan: SweepPlan) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_study(plan, threads=1)
    return list(caught.value.problems)


def starts_of(plan: SweepPlan) -> list[object]:
    return [trial.user_attrs[SETTINGS] for trial in open_session(plan).search.get_trials(deepcopy=False)]


def test_a_new_study_has_its_file_its_two_studies_and_its_starts(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    assert make_study(plan, threads=3) == plan
    session = open_session(plan)
    assert (session.search.study_name, session.confirm.study_name) == ("toy", "toy/confirm")
    assert session.threads == 3
    assert session.search.metric_names == ["likeness", "adherence"]
    assert starts_of(plan) == [{}, {"network.rank": 8}]
    file = StudyFolder(tmp_path / "toy").read()
    assert (file.name, file.num_trials, file.num_confirmations, file.threads) == ("toy", 18, 6, 3)
    assert dict(file.defaults) == {"network.rank": 16, "optimizer.lr": 0.003}
    assert file.is_demo and file.pruner == "asha" and file.prune_on == "val_loss"


def test_the_same_plan_again_adds_nothing_and_keeps_the_threads(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    make_study(plan, threads=3)
    created = StudyFolder(tmp_path / "toy").read().created
    make_study(plan_in(tmp_path), threads=1)
    assert starts_of(plan) == [{}, {"network.rank": 8}]
    assert open_session(plan).threads == 3
    assert StudyFolder(tmp_path / "toy").read().created == created


def test_a_kill_before_the_study_was_whole_is_mended_by_the_next_start(tmp_path: Path) -> None:
    import optuna

    from sweeper.study.storage import open_storage

    plan, folder = plan_in(tmp_path), StudyFolder(tmp_path / "toy")
    folder.make()
    ways = [optuna.study.StudyDirection.MAXIMIZE] * 2
    optuna.create_study(study_name="toy", storage=open_storage("journal", folder), directions=ways)
    make_study(plan, threads=1)
    assert starts_of(plan) == [{}, {"network.rank": 8}]
    assert read_study(folder).name == "toy"


def test_every_combination_of_a_grid_waits_once(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "network.rank=4,8", "seed=1,2")
    for _ in range(2):
        make_study(plan, threads=1)
    assert starts_of(plan) == [{"network.rank": rank, "seed": seed} for rank in (4, 8) for seed in (1, 2)]
    file = StudyFolder(tmp_path / "toy").read()
    assert (file.sampler, file.pruner, file.prune_on) == ("grid", "none", None)


CHANGES: list[tuple[str, tuple[str, ...], str]] = [
    (
        "a choice more",
        ("network.rank=choice(4,8,16)", TYPED[1]),
        "network.rank: choice(4, 8) -> choice(4, 8, 16)",
    ),
    ("another end", (TYPED[0], "optimizer.lr=tag(log,interval(1e-4,1e-1))"), "optimizer.lr: "),
    ("another scale", (TYPED[0], "optimizer.lr=interval(1e-4,1e-2)"), "optimizer.lr: "),
    ("a dimension more", (*TYPED, "seed=choice(1,2)"), "seed: "),
    ("a dimension less", TYPED[1:], "network.rank: "),
    ("the base", (*TYPED, "training.steps=7"), "training.steps: 300 -> 7"),
    ("the scoring", (*TYPED, "sampling.num_prompts=3"), "sampling.num_prompts: "),
]


@pytest.mark.parametrize(("typed", "line"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_another_space_or_base_is_refused_with_the_difference(
    tmp_path: Path, typed: tuple[str, ...], line: str
) -> None:
    make_study(plan_in(tmp_path), threads=1)
    before = (tmp_path / "toy/study.json").read_bytes()
    first, *lines = refused(plan_in(tmp_path, *typed))
    assert first == (
        "hydra.sweeper.study=toy: a study of this name has other trials, not to be compared. "
        "hydra.sweeper.on_change=extend goes on all the same, hydra.sweeper.on_change=fork starts one beside "
        "it, hydra.sweeper.study=... names another."
    )
    assert any(text.startswith(f"  was -> is   {line}") for text in lines), lines
    assert (tmp_path / "toy/study.json").read_bytes() == before


def test_changed_pictures_are_named(tmp_path: Path) -> None:
    make_study(plan_in(tmp_path), threads=1)
    _, *lines = refused(plan_in(tmp_path, pictures="b" * 64))
    assert lines == ["  was -> is   the pictures, captions or masks are others now"]


def test_other_objectives_are_refused_and_cannot_be_extended(tmp_path: Path) -> None:
    def other(plan: SweepPlan) -> SweepPlan:
        return replace(plan, objectives={"likeness": Direction.maximize})

    make_study(plan_in(tmp_path), threads=1)
    for on_change in (OnChange.refuse, OnChange.extend):
        first, *lines = refused(other(plan_in(tmp_path, on_change=on_change)))
        assert "on_change=extend" not in first and "on_change=fork" in first
        assert any("objectives: " in line for line in lines)
    forked = make_study(other(plan_in(tmp_path, on_change=OnChange.fork)), threads=1)
    assert forked.name == "toy-2" and open_session(forked).search.metric_names == ["likeness"]


def test_extended_the_earlier_trials_stay_and_the_file_says_what_holds_now(tmp_path: Path) -> None:
    make_study(plan_in(tmp_path), threads=1)
    extended = plan_in(
        tmp_path, TYPED[0], "optimizer.lr=tag(log,interval(1e-4,1e-1))", on_change=OnChange.extend
    )
    assert make_study(extended, threads=1).name == "toy"
    assert starts_of(extended)[:2] == [{}, {"network.rank": 8}]
    dimensions = {one.key: one for one in StudyFolder(tmp_path / "toy").read().dimensions}
    assert dimensions["optimizer.lr"].high == 0.1
    make_study(replace(extended, settings=plan_in(tmp_path).settings), threads=1)  # the same now: no question


def test_forked_twice_the_same_plan_goes_on_in_its_fork(tmp_path: Path) -> None:
    make_study(plan_in(tmp_path), threads=1)

    def fork(steps: int) -> SweepPlan:
        typed = (*TYPED, f"training.steps={steps}")
        return make_study(plan_in(tmp_path, *typed, on_change=OnChange.fork), threads=1)

    assert [fork(steps).name for steps in (7, 7, 9, 7, 9)] == ["toy-2", "toy-2", "toy-3", "toy-2", "toy-3"]
    assert fork(9).folder == tmp_path / "toy-3"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy", "toy-2", "toy-3"]


def test_a_study_of_another_schema_is_refused_whatever_on_change_says(tmp_path: Path) -> None:
    make_study(plan_in(tmp_path), threads=1)
    path = tmp_path / "toy/study.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))
    before = path.read_bytes()
    for on_change in OnChange:
        told = refused(plan_in(tmp_path, on_change=on_change))
        assert len(told) == 1 and "schema 0, this version reads schema 1" in told[0]
    assert path.read_bytes() == before


def test_typing_the_command_again_takes_back_a_request_to_stop(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    make_study(plan, threads=1)
    request_stop(open_session(plan).search, "enough")
    assert stop_reason(open_session(plan).search) == "enough"
    reopen(plan)
    assert stop_reason(open_session(plan).search) is None


def test_an_empty_folder_of_the_name_is_used(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    assert make_study(plan_in(tmp_path), threads=1).name == "toy"
    assert starts_of(plan_in(tmp_path)) == [{}, {"network.rank": 8}]
