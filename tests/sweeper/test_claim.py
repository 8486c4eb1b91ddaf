"""Asking for trials and telling their ends: budgets, owners, restarts; several processes on one journal."""

import json
import random
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from study_toys import NAME, complete, open_study, queue_of, start_worker, told_by, work_together

from engine.config.outcome import Outcome
from sweeper.study.budget import Budget
from sweeper.study.claim import Claim, NoTrial, NoTrialKind, TrialQueue, clear_stop, request_stop
from sweeper.study.facts import LEASE, STARTS, TOLD, record_of, starts_of
from sweeper.study.records import Phase, TrialState


def claimed(queue: TrialQueue) -> Claim:
    found = queue.next_trial()
    assert isinstance(found, Claim), found
    return found


def refused(queue: TrialQueue) -> NoTrial:
    found = queue.next_trial()
    assert isinstance(found, NoTrial), found.number
    return found


def die(study: optuna.Study, claim: Claim) -> None:
    """Let the claim look as if its process had died: no process of this machine was ever born then."""
    starts = study._storage.get_trial(claim.trial._trial_id).user_attrs[STARTS]
    starts = json.loads(json.dumps(starts))
    starts[-1]["process"]["born"] = -1.0
    study._storage.set_trial_user_attr(claim.trial._trial_id, STARTS, starts)


def state_of(study: optuna.Study, claim: Claim) -> str:
    return str(study._storage.get_trial(claim.trial._trial_id).state.name)


def test_a_study_hands_out_its_total_and_says_so(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=2)
    first, second = claimed(queue), claimed(queue)
    assert (first.number, second.number) == (0, 1)
    assert refused(queue) == NoTrial(
        kind=NoTrialKind.wait, reason="2 of 2 trials, 2 of them at work elsewhere"
    )
    assert queue.tell(first, complete(first, 1.0))
    assert queue.tell(second, complete(second, 2.0))
    assert refused(queue) == NoTrial(kind=NoTrialKind.full, reason="2 of 2 trials")


def test_a_larger_total_goes_on_and_a_smaller_one_stops(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    first = claimed(queue_of(study, folder, trials=1))
    queue_of(study, folder).tell(first, complete(first, 1.0))
    assert claimed(queue_of(study, folder, trials=2)).number == 1
    assert refused(queue_of(study, folder, trials=1)).kind is NoTrialKind.wait


def test_trials_of_the_queue_are_started_within_the_total_only(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    for value in (0.1, 0.2, 0.3):
        study.enqueue_trial({"x": value})
    queue = queue_of(study, folder, trials=2)
    assert [claimed(queue).trial.suggest_float("x", 0, 1) for _ in range(2)] == [0.1, 0.2]
    assert refused(queue).kind is NoTrialKind.wait


def test_a_grid_proposes_nothing_of_its_own(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    study.enqueue_trial({"x": 0.1})
    queue = queue_of(study, folder, budget=Budget(trials=9, only_queued=True))
    only = claimed(queue)
    queue.tell(only, complete(only, 1.0))
    assert refused(queue) == NoTrial(kind=NoTrialKind.full, reason="all 1 trials of the queue")


def test_a_trial_given_back_is_gone_on_with_as_itself(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=1)
    first = claimed(queue)
    value = first.trial.suggest_float("x", 0, 1)
    assert queue.give_back(first, replace(first.record, steps_done=7, total_steps=9))
    again = claimed(queue)
    assert (again.number, again.is_restart, again.record.restarts) == (0, True, 1)
    assert again.record.steps_done == 7
    assert again.trial.suggest_float("x", 0, 1) == value
    assert not queue.tell(first, complete(first, 1.0))
    assert not queue.save(first, first.record)
    assert queue.tell(again, complete(again, 2.0))
    assert study.trials[0].values == [2.0]


def test_a_trial_of_a_dead_process_is_taken_over_at_once(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=1)
    first = claimed(queue)
    assert refused(queue).kind is NoTrialKind.wait
    die(study, first)
    again = claimed(queue)
    assert (again.number, again.is_restart) == (0, True)
    assert [start.how for start in starts_of(study.trials[0].user_attrs)] == ["died", None]


def test_the_fourth_death_fails_the_trial_and_a_stop_is_no_death(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=1)
    for _ in range(5):
        claim = claimed(queue)
        queue.give_back(claim, claim.record)
    for _ in range(4):
        die(study, claimed(queue))
    assert refused(queue).kind is NoTrialKind.full
    record = record_of(study.trials[0], folder, Phase.search)
    assert (record.state, record.outcome) == (TrialState.failed, Outcome.failed)
    assert record.cause is not None and "died 4 times" in record.cause
    assert record.restarts == 8


def test_a_worker_that_died_between_facts_and_state_has_told_its_trial(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=1)
    claim = claimed(queue)
    told = {"token": claim.token, "state": "COMPLETE", "values": [3.0]}
    study._storage.set_trial_user_attr(claim.trial._trial_id, TOLD, told)
    die(study, claim)
    assert refused(queue).kind is NoTrialKind.full
    assert study.trials[0].values == [3.0]
    assert record_of(study.trials[0], folder, Phase.search).restarts == 0


def test_telling_twice_is_one_end(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=1)
    claim = claimed(queue)
    record = complete(claim, 1.0, {"peak": -2.0})
    assert queue.tell(claim, record)
    assert queue.tell(claim, record)
    assert study.trials[0].constraints == {"peak": -2.0}
    assert not queue.give_back(claim, record)


def test_a_pruned_trial_keeps_no_value_of_the_other_metric(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=1)
    claim = claimed(queue)
    study._storage.set_trial_intermediate_value(claim.trial._trial_id, 3, 0.4)
    assert queue.tell(claim, replace(claim.record, state=TrialState.pruned, outcome=Outcome.pruned))
    assert study.trials[0].values is None
    assert study.trials[0].intermediate_values == {3: 0.4}


def test_values_are_told_in_the_order_of_the_objectives(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path, directions=("maximize", "minimize"))
    study.set_metric_names(["likeness", "seconds"])
    queue = queue_of(study, folder, trials=1)
    claim = claimed(queue)
    values = {"seconds": 9.0, "likeness": 0.5}
    assert queue.tell(claim, replace(claim.record, state=TrialState.complete, values=values))
    assert study.trials[0].values == [0.5, 9.0]


def test_a_request_to_stop_holds_until_the_command_is_typed_again(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, trials=3)
    request_stop(study, "python -m sweeper stop")
    assert refused(queue) == NoTrial(kind=NoTrialKind.stopped, reason="python -m sweeper stop")
    clear_stop(study)
    assert claimed(queue).number == 0


def test_a_start_cut_short_before_its_state_is_not_counted(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    study.enqueue_trial({"x": 0.1})
    queue = queue_of(study, folder, trials=1)
    other = {"token": "t", "worker": "w", "process": {}, "began": 1.0, "ended": None, "how": None}
    study._storage.set_trial_user_attr(0, STARTS, [other])
    claim = claimed(queue)
    assert not claim.is_restart
    assert len(starts_of(study.trials[0].user_attrs)) == 1


@pytest.mark.parametrize(
    ("spans", "hours", "gpu_hours"),
    [
        ([(0, 3600)], 1.0, 1.0),
        ([(0, 3600), (0, 3600)], 1.0, 2.0),  # two workers side by side
        ([(0, 3600), (90000, 93600)], 2.0, 2.0),  # a night between
        ([(0, 3600), (1800, 5400)], 1.5, 2.0),
        ([(0, 7200), (1800, 3600)], 2.0, 2.5),
    ],
)
def test_hours_are_those_with_a_worker_at_work(
    tmp_path: Path, spans: list[tuple[float, float]], hours: float, gpu_hours: float
) -> None:
    from sweeper.study.budget import hours_at_work, worker_hours

    trials = [
        optuna.trial.create_trial(value=0.0, user_attrs={STARTS: [span_entry(*span)]}) for span in spans
    ]
    assert hours_at_work(trials) == pytest.approx(hours)
    assert worker_hours(trials) == pytest.approx(gpu_hours)


def span_entry(began: float, ended: float | None) -> dict[str, Any]:
    return {"token": "t", "worker": "w", "process": {}, "began": began, "ended": ended, "how": "told"}


def test_a_running_trial_counts_up_to_its_last_sign_of_life() -> None:
    from sweeper.study.budget import hours_at_work

    lease = {"token": "t", "count": 3, "time": 1800.0, "steps_done": 1, "total_steps": 2}
    attributes = {STARTS: [span_entry(0, None)], LEASE: lease}
    running = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, user_attrs=attributes)
    assert hours_at_work([running]) == pytest.approx(0.5)


def test_a_study_whose_hours_are_over_starts_nothing_not_even_what_was_begun(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    queue = queue_of(study, folder, budget=Budget(hours=0.5))
    claim = claimed(queue)
    queue.give_back(claim, claim.record)
    study._storage.set_trial_user_attr(0, STARTS, [span_entry(0, 3600)])
    assert refused(queue) == NoTrial(kind=NoTrialKind.full, reason="1.0 of 0.5 hours")
    assert claimed(queue_of(study, folder, budget=Budget(hours=2))).number == 0


def test_patience_counts_trials_since_the_last_better_one() -> None:
    from sweeper.study.budget import trials_without_gain

    up = [optuna.study.StudyDirection.MAXIMIZE]
    ends = [optuna.trial.create_trial(value=value) for value in (1.0, 3.0, 2.0, 3.0)]
    assert trials_without_gain(ends[:2], up) == 0
    assert trials_without_gain(ends, up) == 2
    pruned = optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED)
    assert trials_without_gain([*ends, pruned], up) == 3
    both = [*up, optuna.study.StudyDirection.MINIMIZE]
    fronts = [optuna.trial.create_trial(values=values) for values in ([1, 1], [2, 2], [0, 3], [1, 0])]
    assert [trials_without_gain(fronts[:end], both) for end in (1, 2, 3, 4)] == [0, 0, 1, 0]


def test_a_better_trial_that_breaks_a_constraint_is_not_better() -> None:
    from sweeper.study.budget import trials_without_gain

    good = optuna.trial.create_trial(value=1.0)
    broken = optuna.trial.create_trial(value=9.0, system_attrs={"constraints:vram": 0.5})
    assert trials_without_gain([good, broken], [optuna.study.StudyDirection.MAXIMIZE]) == 1


def test_four_processes_share_one_journal_and_lose_or_double_nothing(tmp_path: Path) -> None:
    told = work_together(tmp_path, "journal", workers=4, trials=25, seconds=0.005)
    assert sorted(number for numbers in told for number in numbers) == list(range(25))
    study, _ = open_study(tmp_path)
    assert Counter(trial.state.name for trial in study.trials) == {"COMPLETE": 25}
    assert all(len(starts_of(trial.user_attrs)) == 1 for trial in study.trials)


@pytest.mark.slow
@pytest.mark.parametrize(("url", "kills", "within"), [("journal", 30, 0.5), ("sqlite", 8, 2.5)])
def test_workers_killed_at_random_moments_leave_a_study_that_ends(
    tmp_path: Path, url: str, kills: int, within: float
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    storage = f"sqlite:///{tmp_path / 'study.db'}" if url == "sqlite" else url
    open_study(tmp_path, storage)
    for _ in range(kills):
        worker = start_worker(tmp_path, storage, trials=10**6, seconds=0.0)
        time.sleep(within * draw.random())
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        study, _ = open_study(tmp_path, storage)
        assert [trial.number for trial in study.trials] == list(range(len(study.trials)))
    told_by(start_worker(tmp_path, storage, trials=len(study.trials) + 3, seconds=0.0))
    study, folder = open_study(tmp_path, storage)
    ends = Counter(trial.state.name for trial in study.trials)
    restarts = sum(len(starts_of(trial.user_attrs)) - 1 for trial in study.trials)
    print(ends, f"{restarts} gone on with")
    assert restarts > 0
    assert set(ends) <= {"COMPLETE", "FAIL"}
    assert all(starts_of(trial.user_attrs)[-1].ended is not None for trial in study.trials)
    assert study.study_name == NAME and folder.root == tmp_path


def test_a_database_makes_a_trial_of_one_call_once_and_none_beyond_the_total(tmp_path: Path) -> None:
    from sweeper.study.database import AT_MOST, TOKEN, StudyIsFullError

    study, _ = open_study(tmp_path, f"sqlite:///{tmp_path / 'study.db'}")
    first, again, other = (
        optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING, system_attrs={TOKEN: token, AT_MOST: 1}
        )
        for token in ("one", "one", "two")
    )
    made = study._storage.create_new_trial(study._study_id, first)
    assert study._storage.create_new_trial(study._study_id, again) == made
    with pytest.raises(StudyIsFullError):
        study._storage.create_new_trial(study._study_id, other)
    assert len(study.trials) == 1


def test_a_reader_that_looks_while_others_write_sees_whole_trials_only(tmp_path: Path) -> None:
    open_study(tmp_path)
    worker = start_worker(tmp_path, "journal", trials=60, seconds=0.0)
    seen = 0
    while worker.poll() is None:
        study, _ = open_study(tmp_path)
        seen = max(seen, len(study.trials))
    assert told_by(worker) == list(range(60))
    assert 0 < seen <= 60
