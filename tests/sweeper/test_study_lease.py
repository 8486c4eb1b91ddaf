"""Signs of life: given while the training moves, judged without trusting another machine's clock."""

import threading
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from study_toys import open_study, queue_of

from sweeper.study.claim import Claim
from sweeper.study.facts import LEASE, STARTS, record_of
from sweeper.study.lease import Lease
from sweeper.study.process import is_surely_dead, this_process
from sweeper.study.records import Phase
from sweeper.study.staleness import StalenessWatch, renewal_seconds


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def running(count: int, stamp: float) -> optuna.trial.FrozenTrial:
    """A running trial of another machine, whose last sign is `count`, at `stamp` of its clock."""
    owner: dict[str, Any] = {
        "token": "t",
        "worker": "far:1",
        "process": {"host": "far"},
        "began": 0.0,
    }
    sign = {"token": "t", "count": count, "time": stamp, "steps_done": 0, "total_steps": 0}
    attributes = {STARTS: [owner], LEASE: sign}
    return optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, user_attrs=attributes)


def watch_at(monotonic: Clock, wall: Clock) -> StalenessWatch:
    return StalenessWatch(lease=900, renewal=30, monotonic=monotonic, wall=wall)


def test_a_live_trial_is_never_taken_however_wrong_its_clock_is() -> None:
    for error in (-1e6, 0.0, 1e6):
        monotonic, wall = Clock(0), Clock(5e6)
        watch = watch_at(monotonic, wall)
        for count in range(100):
            assert not watch.is_gone(running(count, wall.now + error))
            monotonic.now += 30
            wall.now += 30


def test_a_count_that_stands_still_for_a_lease_is_gone() -> None:
    monotonic, wall = Clock(0), Clock(1000)
    watch = watch_at(monotonic, wall)
    assert not watch.is_gone(running(7, 1000))
    monotonic.now = 899
    assert not watch.is_gone(running(7, 1000))
    monotonic.now = 900
    assert watch.is_gone(running(7, 1000))


def test_a_controller_that_just_started_takes_nothing_at_once_and_old_trials_after_four_renewals() -> None:
    monotonic, wall = Clock(0), Clock(1e6)
    watch = watch_at(monotonic, wall)
    yesterday = running(7, 1e6 - 86400)
    assert not watch.is_gone(yesterday)
    monotonic.now = 119
    assert not watch.is_gone(yesterday)
    monotonic.now = 120
    assert watch.is_gone(yesterday)


def test_a_trial_without_an_owner_at_work_is_gone() -> None:
    trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
    assert watch_at(Clock(0), Clock(0)).is_gone(trial)


def test_this_process_lives_and_a_twin_that_was_born_at_another_time_does_not() -> None:
    mine = this_process().as_json()
    now = time.time()
    assert not is_surely_dead(mine, last_sign=now)
    assert is_surely_dead({**mine, "born": 1.0}, last_sign=now)
    assert not is_surely_dead({**mine, "born": 1.0, "host": "far"}, last_sign=now)
    assert not is_surely_dead({**mine, "born": 1.0, "space": "another container"}, last_sign=now)


def test_a_process_of_an_earlier_start_of_this_machine_is_dead_but_a_twin_that_gives_signs_is_not() -> None:
    earlier = {**this_process().as_json(), "boot": "another"}
    assert is_surely_dead(earlier, last_sign=0.0)
    assert not is_surely_dead(earlier, last_sign=time.time())


def test_an_ended_process_is_dead_before_its_parent_looks(tmp_path: Path) -> None:
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "pass"])
    entry = {**this_process().as_json(), "pid": child.pid, "born": 1.0}
    for _ in range(500):
        if is_surely_dead({**entry, "born": _born_of(child.pid)}, last_sign=time.time()):
            break
        time.sleep(0.01)
    else:
        pytest.fail("an ended process that nobody has waited for counts as alive")
    child.wait()


def _born_of(pid: int) -> float:
    return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def claim_one(root: Path) -> tuple[optuna.Study, Claim]:
    study, folder = open_study(root)
    found = queue_of(study, folder, trials=1).next_trial()
    assert isinstance(found, Claim)
    return study, found


def test_a_lease_counts_up_and_carries_the_progress(tmp_path: Path) -> None:
    study, claim = claim_one(tmp_path)
    lost: list[str] = []
    with Lease(claim, 0.3, lost.append) as lease:
        for step in range(20):
            lease.moved(step, 20)
            time.sleep(0.02)
    sign = study.trials[0].user_attrs[LEASE]
    assert sign["count"] >= 3
    record = record_of(study.trials[0], open_study(tmp_path)[1], Phase.search)
    assert (record.steps_done > 5, record.total_steps, lost) == (True, 20, [])
    assert 0.2 < record.seconds < 5


def test_a_training_that_hangs_loses_its_lease_once(tmp_path: Path) -> None:
    _, claim = claim_one(tmp_path)
    lost: list[str] = []
    hung = threading.Event()

    def on_lost(reason: str) -> None:
        lost.append(reason)
        hung.set()

    with Lease(claim, 0.12, on_lost):
        assert hung.wait(10)
        time.sleep(0.2)
    assert lost == ["no progress for 0 seconds"]


def test_a_lease_notices_that_the_trial_was_taken_over(tmp_path: Path) -> None:
    study, claim = claim_one(tmp_path)
    lost: list[str] = []
    taken = threading.Event()
    with Lease(claim, 0.12, lambda reason: (lost.append(reason), taken.set())[0]) as lease:
        lease.moved(1, 2)
        starts = [{**study.trials[0].user_attrs[STARTS][0], "token": "other", "worker": "far:1"}]
        study._storage.set_trial_user_attr(0, STARTS, starts)
        for _ in range(200):
            lease.moved()
            if taken.wait(0.02):
                break
    assert lost == ["the trial was taken over by far:1"]


def test_a_renewal_is_a_sixth_of_the_lease_and_at_most_thirty_seconds() -> None:
    assert renewal_seconds(60) == 10
    assert renewal_seconds(900) == 30
