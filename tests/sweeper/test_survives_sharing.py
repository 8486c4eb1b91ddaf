"""One study, several programs: two on one journal, two machines' worth on PostgreSQL, a server that dies."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.study.folder import StudyFolder
from sweeper.study.read import read_study
from sweeper.study.records import TrialState
from tests.sweeper.postgres_server import PostgresServer, postgres_server
from tests.sweeper.real_sweeps import Toy, check_whole, dice, params_of, steps_of, weights_of

pytestmark = pytest.mark.slow

STEPS = 12
OVERRIDES = (f"training.steps={STEPS}", "training.checkpoint_every=2")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this file's own."""
    with postgres_server() as running:
        yield running


def test_two_programs_in_two_working_directories_share_one_journal(tmp_path: Path, cache: Path) -> None:
    toy = Toy(folder=tmp_path, cache=cache, overrides=OVERRIDES)
    options = (f"hydra.sweeper.folder={tmp_path / 'sweeps'}", "hydra.sweeper.budget.trials=6")
    with (
        toy.started(*options, cwd=tmp_path / "one") as one,
        toy.started(*options, cwd=tmp_path / "two") as two,
    ):
        one.ends(0)
        two.ends(0)
        pids = {one.process.pid, two.process.pid}
    record = toy.read()
    check_whole(record, 6)
    assert {_pid(trial.worker) for trial in record.trials} == pids
    assert all(trial.restarts == 0 for trial in record.trials)
    assert not (tmp_path / "one/sweeps").exists() and not (tmp_path / "two/sweeps").exists()


def test_two_machines_with_folders_of_their_own_share_a_study_in_postgresql(
    tmp_path: Path, cache: Path, server: PostgresServer
) -> None:
    toy = Toy(folder=tmp_path, cache=cache, overrides=OVERRIDES)
    options = (f"hydra.sweeper.storage={server.url}", "hydra.sweeper.budget.trials=6")
    places = (tmp_path / "one", tmp_path / "two")
    with toy.started(*options, cwd=places[0]) as one, toy.started(*options, cwd=places[1]) as two:
        outputs = (one.ends(0), two.ends(0))
        pids = [one.process.pid, two.process.pid]
    folders = [StudyFolder(place / "sweeps/toy") for place in places]
    records = [read_study(folder, server.url) for folder in folders]
    ends = [(trial.number, trial.state, dict(trial.values)) for trial in records[0].trials]
    assert ends == [(trial.number, trial.state, dict(trial.values)) for trial in records[1].trials]
    assert [(number, state) for number, state, _ in ends] == [(n, TrialState.complete) for n in range(6)]
    assert len(set(params_of(records[0].trials))) == 6
    did = [{trial.number for trial in records[0].trials if _pid(trial.worker) == pid} for pid in pids]
    assert did[0] and did[1] and did[0] | did[1] == set(range(6)) and not did[0] & did[1]
    for folder, record, mine in zip(folders, records, did, strict=True):
        assert {int(path.name) for path in folder.trials.iterdir()} == mine
        for trial in record.trials:
            if trial.number in mine:
                weights_of(trial)
                assert steps_of(trial.folder) == list(range(STEPS + 1))
        assert folder.report.is_file() and folder.best.is_file() and folder.table.is_file()
    for output in outputs:
        assert "Traceback" not in output and "secret-of-the-test" not in output
    for path in [*places[0].rglob("*.json"), *places[1].rglob("*.html"), *places[0].rglob("*.yaml")]:
        assert "secret-of-the-test" not in path.read_text(errors="replace"), path


def test_four_workers_outlive_a_server_that_is_killed_for_ten_seconds(
    tmp_path: Path, cache: Path, server: PostgresServer
) -> None:
    chance = dice("kill of the server")
    url = _new_database(server, "killed")
    toy = Toy(
        folder=tmp_path,
        cache=cache,
        overrides=("training.steps=24", "training.validate_every=8"),
        settings={"storage": url},
    )
    options = ("hydra/launcher=gpus", "hydra.launcher.slots=4", "hydra.sweeper.budget.trials=7")
    with toy.started(*options) as program:
        program.reaches(toy.trial(chance.randrange(4)), chance.randrange(1, 16))
        time.sleep(chance.random())
        server.kill()
        time.sleep(10)
        server.start()
        printed = program.ends(0)
    assert "Traceback" not in printed, printed
    record = read_study(toy.study, url)
    check_whole(record, 7)
    assert all(trial.restarts == 0 for trial in record.trials)
    assert len({trial.worker for trial in record.trials}) == 4
    shutil.rmtree(tmp_path / "sweeps")


def _pid(worker: str | None) -> int:
    assert worker is not None
    return int(worker.rpartition(":")[2])


def _new_database(server: PostgresServer, name: str) -> str:
    import sqlalchemy

    engine = sqlalchemy.create_engine(server.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.url.replace("/postgres", f"/{name}")
