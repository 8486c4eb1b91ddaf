"""What workers say about themselves, and who is still listened to."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.display.worker_status import StatusFile, WorkerStatus, read_workers
from sweeper.study.folder import StudyFolder
from sweeper.study.process import this_process
from sweeper.study.records import Phase


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    made = StudyFolder(tmp_path)
    made.make()
    return made


def only(folder: StudyFolder) -> WorkerStatus:
    (status,) = read_workers(folder)
    return status


def write(folder: StudyFolder, status: WorkerStatus, name: str) -> None:
    from dataclasses import asdict

    row = asdict(status) | {"phase": status.phase.value}
    (folder.workers / name).write_text(json.dumps(row))


def test_a_worker_is_seen_from_its_claim_to_its_end(folder: StudyFolder) -> None:
    mine = StatusFile(folder, slot=2, device="gpu 1")
    assert read_workers(folder) == []
    mine.begin(7, Phase.confirm)
    begun = only(folder)
    assert (begun.slot, begun.device, begun.trial, begun.phase) == (2, "gpu 1", 7, Phase.confirm)
    assert begun.activity == "starting" and begun.worker == this_process().label
    mine.resume(60, 300)
    mine.activity("drawing pictures")
    assert (only(folder).activity, only(folder).step, only(folder).first_step) == ("drawing pictures", 60, 60)
    mine.idle("waiting for others")
    assert (only(folder).trial, only(folder).activity) == (None, "waiting for others")
    mine.close()
    assert list(folder.workers.iterdir()) == []


def test_steps_are_written_at_most_twice_a_second(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("sweeper.display.worker_status.time.monotonic", lambda: clock[0])
    mine = StatusFile(folder)
    mine.begin(0, Phase.search)
    mine.resume(0, 10)
    seen = []
    for step in range(1, 11):
        clock[0] += 0.125
        mine.step(step, 0.5)
        seen.append(only(folder).step)
    assert seen == [0, 0, 0, 4, 4, 4, 4, 8, 8, 8]


def test_a_trial_forgets_the_step_and_the_loss_of_the_one_before(folder: StudyFolder) -> None:
    mine = StatusFile(folder)
    mine.begin(0, Phase.search)
    mine.resume(0, 10)
    time.sleep(0.5)
    mine.step(9, 0.5)
    mine.begin(1, Phase.search)
    assert (only(folder).step, only(folder).total_steps, only(folder).loss) == (0, 0, None)


def test_workers_that_died_here_are_left_out_and_others_are_not(folder: StudyFolder) -> None:
    code = (
        "import json; from sweeper.study.process import this_process; "
        "print(json.dumps(this_process().as_json()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    now = time.time()
    dead = WorkerStatus(worker="dead", process=json.loads(done.stdout), updated=now)
    write(folder, dead, "dead.json")
    write(folder, replace(dead, worker="b", process={"host": "elsewhere", "pid": 1}), "other.json")
    write(
        folder, replace(dead, worker="old", process={"host": "elsewhere"}, updated=now - 90_000), "old.json"
    )
    write(folder, replace(dead, worker="me", slot=1, process=this_process().as_json()), "me.json")
    (folder.workers / "broken.json").write_text('{"worker": ')
    (folder.workers / "later.json").write_text('{"worker": "x", "phase": "search", "news": 1}')
    assert [status.worker for status in read_workers(folder)] == ["me", "b"]  # slots first


def test_a_folder_that_cant_be_written_ends_no_trial(tmp_path: Path) -> None:
    mine = StatusFile(StudyFolder(tmp_path / "gone"))
    mine.begin(0, Phase.search)
    mine.close()
    assert read_workers(StudyFolder(tmp_path / "gone")) == []
    assert list(tmp_path.iterdir()) == []
