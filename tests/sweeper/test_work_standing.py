"""A dry run looks at where the study is, or would be, and makes nothing there."""

from pathlib import Path

import optuna
import pytest
from work_toys import inside, plan_of, request_of

from engine.config import ConfigError
from sweeper.config import OnChange, SweeperConfig
from sweeper.study.folder import StudyFolder
from sweeper.study.peek import peek, storage_problems
from sweeper.study.read import read_study
from sweeper.study.storage import safe_url
from sweeper.work.check import check_sweep
from sweeper.work.session import make_study, open_session
from sweeper.work.standing import Standing, standing_of
from sweeper.work.sweep import run_sweep

GRID = ("network.rank=4,8",)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path) -> object:
    desk = tmp_path / "desk"
    desk.mkdir()
    with inside(desk):
        yield desk


def standing(url: str, *typed: str, on_change: OnChange = OnChange.refuse) -> Standing:
    return standing_of(plan_of(*GRID, *typed, change=lambda settings: _set(settings, url, on_change)))


def made(url: str, *, complete: int = 0, is_checked: bool = False) -> None:
    """A study of two settings, with so many of them complete; checked: it knows its pictures."""
    plan = plan_of(*GRID, change=lambda settings: _set(settings, url, OnChange.refuse))
    plan = make_study(check_sweep(plan) if is_checked else plan, threads=1)
    study = open_session(plan).search
    for _ in range(complete):
        trial = study.ask()
        trial.suggest_categorical("network.rank", [4, 8])
        study.tell(trial, [0.5, 0.5])


def _set(settings: SweeperConfig, url: str, on_change: OnChange) -> None:
    settings.storage, settings.on_change = url, on_change


@pytest.fixture(params=["journal", "sqlite:///sweeps.db"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_study_that_is_not_there_would_be_made_and_nothing_is(url: str, desk: Path) -> None:
    found = standing(url)
    assert found.words == "none of this name yet: it would be made"
    assert found.storage is None and list(desk.iterdir()) == []


def test_a_study_that_is_there_would_go_on(url: str) -> None:
    made(url, complete=1)
    assert standing(url).words == "is there with 2 trials (1 waiting, 1 complete): it would go on"
    assert standing(url).refusal == ()


def test_another_study_of_the_name_would_be_refused_with_the_difference(url: str) -> None:
    made(url)
    found = standing(url, "training.steps=7")
    assert found.words == "is there with 2 trials (2 waiting), another one: a start would be refused"
    assert found.refusal[1:] == ("  was -> is   training.steps: 300 -> 7",)


def test_another_study_of_the_name_would_be_extended_or_forked(url: str) -> None:
    made(url)
    words = {
        way: standing(url, "training.steps=7", on_change=way).words
        for way in (OnChange.extend, OnChange.fork)
    }
    assert words[OnChange.extend].endswith("(2 waiting): it would be extended")
    assert words[OnChange.fork].endswith("another one: demo-rank-2 would be taken beside it")


def test_a_dry_run_of_another_study_prints_the_plan_and_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = (*GRID, "hydra.sweeper.storage=sqlite:///sweeps.db")
    made("sqlite:///sweeps.db")
    with pytest.raises(ConfigError):
        run_sweep(request_of(*run, "training.steps=7", "dry_run=true"))
    assert "study demo-rank: is there with 2 trials" in capsys.readouterr().out


def test_a_database_without_tables_gets_none(desk: Path) -> None:
    (desk / "sweeps.db").touch()
    assert peek("sqlite:///sweeps.db", StudyFolder(desk / "sweeps/x")) is None
    assert (desk / "sweeps.db").read_bytes() == b"" and not (desk / "sweeps").exists()


def test_a_database_of_other_studies_is_read_and_left_as_it_is(desk: Path) -> None:
    optuna.create_study(study_name="other", storage="sqlite:///sweeps.db")
    before = (desk / "sweeps.db").read_bytes()
    assert standing("sqlite:///sweeps.db").words == "none of this name yet: it would be made"
    assert (desk / "sweeps.db").read_bytes() == before


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("journl", "hydra.sweeper.storage=journl: unknown. Give journal or the URL of a database"),
        (
            "postgresql://me:secret@127.0.0.1:1/studies",
            "hydra.sweeper.storage=postgresql://me:***@127.0.0.1:1/studies: the server does not answer (",
        ),
        ("sqlite:///none/x.db", "hydra.sweeper.storage=sqlite:///none/x.db: there is no folder "),
        ("nonsense://x", "hydra.sweeper.storage=nonsense://x: no storage of this kind is known."),
    ],
)
def test_what_cannot_be_reached_is_one_sentence(url: str, problem: str, desk: Path) -> None:
    (found,) = storage_problems(url)
    assert found.startswith(problem) and "secret" not in found
    assert list(desk.iterdir()) == []


def test_the_time_of_a_dry_run_is_read_with_the_url_that_was_typed(
    capsys: pytest.CaptureFixture[str], desk: Path
) -> None:
    """study.json keeps no password; a dry run with one in its URL does not ask for it."""
    made("sqlite:///sweeps.db", complete=1, is_checked=True)
    study = StudyFolder(desk / "sweeps/demo-rank")
    told = study.file.read_text().replace("sqlite:///sweeps.db", "postgresql://me:***@host/studies")
    study.file.write_text(told)
    with pytest.raises(ConfigError, match="kept nowhere"):
        read_study(study)
    run_sweep(request_of(*GRID, "hydra.sweeper.storage=sqlite:///sweeps.db", "dry_run=true"))
    assert "it would go on" in capsys.readouterr().out


def test_a_password_among_the_options_of_a_url_is_marked_as_one_before_the_host() -> None:
    shown = safe_url("postgresql://me@host/studies?password=secret")
    assert shown == "postgresql://me@host/studies?password=***"
