"""A study in PostgreSQL: several workers, a server that is killed, refusals that show no password."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer, postgres_server
from study_toys import open_study, start_worker, told_by

from engine.config import ConfigError
from sweeper.study.folder import StudyFolder
from sweeper.study.peek import peek, storage_problems
from sweeper.study.storage import open_storage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


def ends_of(root: Path, url: str) -> Counter[str]:
    study, _ = open_study(root, url)
    trials = study.get_trials(deepcopy=False)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    return Counter(trial.state.name for trial in trials)


def test_four_workers_share_sixty_trials_and_none_is_lost_or_doubled(
    server: PostgresServer, tmp_path: Path
) -> None:
    root = tmp_path / "four"
    workers = [start_worker(root, server.url, trials=60, seconds=0.05) for _ in range(4)]
    told = sorted(number for worker in workers for number in told_by(worker))
    assert told == list(range(60))
    assert ends_of(root, server.url) == {"COMPLETE": 60}


def test_a_look_at_a_server_makes_no_table_and_finds_a_study_that_is_there(
    server: PostgresServer, tmp_path: Path
) -> None:
    import sqlalchemy

    make_database(server, "looked_at")
    url = server.url.replace("/postgres", "/looked_at")
    folder = StudyFolder(tmp_path / "looked-at")
    assert storage_problems(url) == [] and peek(url, folder) is None
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()
    study, _ = open_study(tmp_path / "made", url)
    found = peek(url, folder)
    assert found is not None
    assert [one.study_name for one in found.get_all_studies()] == [study.study_name]
    assert not folder.root.exists()


def test_a_server_killed_for_ten_seconds_costs_nothing(server: PostgresServer, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    make_database(server, "killed")
    url = server.url.replace("/postgres", "/killed")
    workers = [start_worker(root, url, trials=60, seconds=0.3) for _ in range(4)]
    time.sleep(4)
    server.kill()
    time.sleep(10)
    server.start()
    told = sorted(number for worker in workers for number in told_by(worker))
    assert told == list(range(60))
    assert ends_of(root, url) == {"COMPLETE": 60}


def test_the_end_that_was_committed_before_the_connection_broke_is_not_an_error(
    server: PostgresServer, tmp_path: Path
) -> None:
    from optuna.trial import TrialState
    from sqlalchemy import exc

    study, _ = open_study(tmp_path / "doubt", server.url, name="doubt")
    storage = study._storage
    backend, real = storage._backend, storage._backend.set_trial_state_values
    trial = study.ask()
    broken = [True]

    def commit_then_break(*arguments: object, **named: object) -> bool:
        done = bool(real(*arguments, **named))
        if broken.pop() if broken else False:
            raise exc.OperationalError("", {}, Exception("server closed the connection unexpectedly"))
        return done

    backend.set_trial_state_values = commit_then_break
    assert storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [1.0])
    assert storage.get_trial(trial._trial_id).values == [1.0]


def test_a_trial_that_was_committed_before_the_connection_broke_is_not_made_twice(
    server: PostgresServer, tmp_path: Path
) -> None:
    from sqlalchemy import exc

    study, _ = open_study(tmp_path / "once", server.url, name="once")
    storage = study._storage
    backend, real = storage._backend, storage._backend._create_new_trial
    broken = [True]

    def commit_then_break(*arguments: object) -> object:
        made = real(*arguments)
        if broken.pop() if broken else False:
            raise exc.OperationalError("", {}, Exception("server closed the connection unexpectedly"))
        return made

    backend._create_new_trial = commit_then_break
    storage.create_new_trial(study._study_id)
    assert len(study.trials) == 1
    storage.create_new_trial(study._study_id)
    assert len(study.trials) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((PASSWORD, "wrong-word"), "refuses this user and password"),
        (("/postgres", "/nowhere"), "no such database"),
        (("sweeper:", "nobody:"), "refuses this user and password"),
        (("<port>", "1"), "does not answer"),
        (("127.0.0.1", "no-such-host.invalid"), "host is not found"),
    ],
)
def test_a_server_that_refuses_is_named_without_the_password(
    server: PostgresServer, tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    old, new = change
    url = server.url.replace(old.replace("<port>", str(server.port)), new)
    with pytest.raises(ConfigError) as refused:
        open_storage(url, StudyFolder(tmp_path))
    assert says in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert "wrong-word" not in str(refused.value)


def make_database(server: PostgresServer, name: str) -> None:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
