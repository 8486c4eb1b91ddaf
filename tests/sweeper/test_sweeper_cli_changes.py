"""python -m sweeper stop and retry: what they change in a study."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from cli_toys import Capture, claimed, ended, make_study, refusal, said
from study_toys import ROOT, queue_of

from engine.config.outcome import Outcome
from sweeper.__main__ import main
from sweeper.commands.stop import is_here
from sweeper.display.worker_status import WorkerStatus
from sweeper.study.claim import NoTrial, stop_reason
from sweeper.study.folder import StudyFolder
from sweeper.study.process import this_process
from sweeper.study.read import read_study
from sweeper.study.records import TrialState


@pytest.fixture
def sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return folder


# stop


def test_stop_lets_workers_start_nothing_more_and_says_how_to_go_on(sweeps: Path, capsys: Capture) -> None:
    study, folder = make_study(sweeps, [Outcome.completed])
    text = said(["stop"], capsys)
    assert "no more trials are started nobody is at work" in text
    assert "The same command goes on: python train.py --multirun +sweep=toy" in text
    found = queue_of(study, folder, trials=4).next_trial()
    assert isinstance(found, NoTrial) and found.reason == "python -m sweeper stop"
    assert "toy stopped" in said(["status"], capsys)


def test_a_finished_study_is_not_stopped(sweeps: Path, capsys: Capture) -> None:
    study, _ = make_study(sweeps, [Outcome.completed], trials=1)
    assert "nothing to stop" in said(["stop"], capsys)
    assert stop_reason(study) is None


@contextmanager
def sleeping_worker(folder: StudyFolder) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says that it is a worker and ends, its file removed, when it is interrupted."""
    code = (
        "import sys, time; from pathlib import Path; from sweeper.study.folder import StudyFolder;"
        "from sweeper.display.worker_status import StatusFile\n"
        "status = StatusFile(StudyFolder(Path(sys.argv[1])))\n"
        "status.activity('training'); print(1, flush=True)\n"
        "try:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    status.close(); sys.exit(7)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.root)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


def test_stop_now_interrupts_workers_of_this_machine(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [Outcome.completed])
    with sleeping_worker(folder) as process:
        assert "goes on to its end now=true" in said(["stop"], capsys)
        assert process.poll() is None
        assert "saved, and waits to be gone on with" in said(["stop", "now=true"], capsys)
        assert process.wait(timeout=10) == 7


def test_only_the_very_process_is_here() -> None:
    own = this_process().as_json()
    assert is_here(own)
    assert not is_here({**own, "born": 1.0})  # its number was given again
    assert not is_here({**own, "host": "elsewhere"})
    assert not is_here({**own, "space": "another container"})
    assert not is_here({})


def test_stop_now_leaves_workers_of_other_machines_alone(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [Outcome.completed])
    process = {**this_process().as_json(), "host": "elsewhere"}
    away = WorkerStatus(worker="elsewhere:1", process=process, started=time.time(), updated=time.time())
    folder.worker_file("elsewhere", 1).write_text(json.dumps(asdict(away) | {"phase": "search"}))
    assert "elsewhere:1: of another machine" in said(["stop", "now=true"], capsys)


# retry


@pytest.mark.parametrize("url", ["journal", "sqlite"])
def test_a_retry_keeps_number_settings_and_folder_and_counts_once(
    sweeps: Path, capsys: Capture, url: str
) -> None:
    url = url if url == "journal" else f"sqlite:///{sweeps / 'study.db'}"
    study, folder = make_study(sweeps, [Outcome.failed, Outcome.completed], trials=3, url=url)
    before = read_study(folder).trial(0)
    assert "trial 0: in the queue again" in said(["retry"], capsys)
    waiting = read_study(folder).trials
    assert [(trial.number, trial.state.value) for trial in waiting] == [(0, "waiting"), (1, "complete")]
    queue = queue_of(study, folder, trials=3)
    claim = claimed(queue)
    assert claim.number == 0 and claim.record.folder == before.folder
    assert (
        claim.trial.suggest_float("x", 0, 1) == before.params["x"] == claim.trial.user_attrs["settings"]["x"]
    )
    queue.tell(claim, ended(claim, Outcome.completed, claim.trial.params["x"]))
    last = claimed(queue)  # the total of 3 allows one more, not two
    assert last.number == 3
    queue.tell(last, ended(last, Outcome.completed, last.trial.suggest_float("x", 0, 1)))
    found = queue.next_trial()
    assert isinstance(found, NoTrial) and found.reason == "3 of 3 trials"
    trials = read_study(folder).trials
    assert [trial.number for trial in trials] == [0, 1, 3]
    assert all(trial.outcome is Outcome.completed for trial in trials)
    assert trials[0].notes == ("tried again: it had failed (failed on purpose)",)


def test_a_retry_that_fails_can_be_tried_again(sweeps: Path, capsys: Capture) -> None:
    study, folder = make_study(sweeps, [Outcome.failed], trials=1)
    for _ in range(2):
        assert "trial 0: in the queue again" in said(["retry", "trial=0"], capsys)
        queue = queue_of(study, folder, trials=1)
        claim = claimed(queue)
        queue.tell(claim, ended(claim, Outcome.failed, claim.trial.suggest_float("x", 0, 1)))
    assert [trial.number for trial in read_study(folder).trials] == [0]
    assert len(read_study(folder).trials[0].notes) == 2


def test_a_retry_after_patience_ran_out_says_that_the_budget_must_grow(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [Outcome.completed, Outcome.failed, Outcome.diverged], trials=5)
    folder.write(replace(folder.read(), budget={"trials": 5, "patience": 1}))
    assert "The budget is used up (1 trial in a row" in said(["retry", "outcome=failed"], capsys)


def test_diverged_trials_begin_anew_and_what_they_left_is_kept(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [Outcome.completed, Outcome.diverged], trials=2)
    (folder.trial(1) / "result.json").write_text("{}")
    assert "nothing to try again (outcome=diverged: 1)" in said(["retry"], capsys, code=1)
    assert "from its first step" in said(["retry", "outcome=diverged"], capsys)
    assert not folder.trial(1).exists()
    assert (folder.root / "set_aside" / "trials-0001-1" / "result.json").read_text() == "{}"


def test_what_needs_no_retry_is_refused_with_its_reason(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [Outcome.completed, Outcome.failed], trials=2)
    assert "trial=0: completed: its result would be the same" in refusal(["retry", "trial=0"], capsys)
    assert "trial=7: there is none of this number" in refusal(["retry", "trial=7"], capsys)
    assert main(["retry", "trial=1"]) == 0
    capsys.readouterr()
    assert "trial=1: waits in the queue already" in refusal(["retry", "trial=1"], capsys)


def test_a_trial_that_never_had_settings_is_not_queued(sweeps: Path, capsys: Capture) -> None:
    study, folder = make_study(sweeps, [], trials=2)
    queue = queue_of(study, folder, trials=2)
    claim = claimed(queue)
    record = replace(claim.record, state=TrialState.failed, outcome=Outcome.failed, cause="died")
    queue.tell(claim, record)
    assert "has no settings" in said(["retry"], capsys, code=1)
    assert len(study.trials) == 1
