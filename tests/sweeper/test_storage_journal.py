"""The journal file: mended after a torn write, quick to read, readable while others write."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from study_toys import ROOT, complete, open_study, queue_of

from engine.config import ConfigError
from sweeper.config import Direction
from sweeper.study.claim import Claim
from sweeper.study.folder import StudyFile, StudyFolder
from sweeper.study.journal import MendingJournal, TornJournalError, read_whole_lines
from sweeper.study.lock import file_lock
from sweeper.study.read import read_study
from sweeper.study.records import TrialScore
from sweeper.study.storage import open_storage, safe_url


@pytest.mark.parametrize("torn", [b'{"op_code":4,"worker', b"\0\0\0\0", b'{"op_code":\n', b"{}\0{\n\n"])
def test_a_torn_last_line_is_dropped_before_the_next_write_and_kept_aside(
    tmp_path: Path, torn: bytes
) -> None:
    path = tmp_path / "journal.log"
    MendingJournal(path).append_logs([{"n": 1}, {"n": 2}])
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert read_whole_lines(path) == [{"n": 1}, {"n": 2}]
    MendingJournal(path).append_logs([{"n": 3}])
    assert path.read_bytes() == whole + b'{"n":3}\n'
    assert (tmp_path / "journal.log.torn").read_bytes() == torn + b"\n"


def test_a_line_torn_while_the_writer_lives_is_mended_by_it(tmp_path: Path) -> None:
    journal = MendingJournal(tmp_path / "journal.log")
    journal.append_logs([{"n": 1}])
    with (tmp_path / "journal.log").open("ab") as other:
        other.write(b'{"n":')
    journal.append_logs([{"n": 2}])
    assert list(journal.read_logs(0)) == [{"n": 1}, {"n": 2}]


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(b'{"n":1}\nnonsense\n{"n":3}\n')
    with pytest.raises(TornJournalError, match="line 2"):
        read_whole_lines(path)


def test_logs_are_given_from_any_number_on(tmp_path: Path) -> None:
    writer, reader = (MendingJournal(tmp_path / "journal.log") for _ in range(2))
    writer.append_logs([{"n": number} for number in range(5)])
    assert [log["n"] for log in reader.read_logs(3)] == [3, 4]
    assert list(reader.read_logs(5)) == []
    writer.append_logs([{"n": 5}])
    assert [log["n"] for log in reader.read_logs(5)] == [5]
    assert [log["n"] for log in reader.read_logs(1)] == [1, 2, 3, 4, 5]


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typing import IO

    from sweeper.study import journal as module

    def write_half(stream: IO[bytes], data: bytes) -> None:
        stream.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    path = tmp_path / "journal.log"
    journal = MendingJournal(path)
    journal.append_logs([{"n": 1}])
    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_all", write_half)
        with pytest.raises(OSError, match="No space left"):
            journal.append_logs([{"n": 2}])
    assert path.read_bytes() == b'{"n":1}\n'
    journal.append_logs([{"n": 2}])
    assert read_whole_lines(path) == [{"n": 1}, {"n": 2}]


def test_optuna_itself_reads_the_journal(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    claim = queue_of(study, folder).next_trial()
    assert isinstance(claim, Claim)
    backend = optuna.storages.journal.JournalFileBackend(str(folder.journal))
    theirs = optuna.load_study(study_name="toy", storage=optuna.storages.JournalStorage(backend))
    assert len(theirs.trials) == 1


def test_the_lock_of_a_killed_holder_is_free_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sweeper.study.lock import file_lock\n"
        "with file_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.lock")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with file_lock(tmp_path / "a.lock"):
        pass  # a lock that had to age would run into the test's time limit


def study_file(name: str = "toy") -> StudyFile:
    return StudyFile(
        name=name, storage="journal", command="python train.py -m", objectives={"score": Direction.maximize}
    )


def test_a_study_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from sweeper.study.records import Dimension

    file = replace(
        study_file(),
        dimensions=(
            Dimension(key="network.rank", choices=(4, 8, 16), ordered=True),
            Dimension(key="optimizer.lr", low=1e-5, high=1e-2, log=True, when="optimizer=adamw"),
        ),
        budget={"trials": 24, "hours": 1.5},
        defaults={"network.rank": 16},
        created=datetime(2026, 3, 1, tzinfo=UTC),
        prune_on=None,
    )
    folder = StudyFolder(tmp_path / "toy")
    folder.write(file)
    assert folder.read() == file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no study here"),
        ("{", "cannot be read"),
        ("[]", "holds no study"),
        ('{"name": "toy"}', "is of schema None"),
        ('{"schema": 99}', "is of schema 99, this version reads schema 1"),
        ('{"schema": 1}', "does not hold what it should"),
    ],
)
def test_a_folder_that_is_no_study_of_this_schema_is_refused(
    tmp_path: Path, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / "study.json").write_text(text)
    with pytest.raises(ConfigError, match=says):
        StudyFolder(tmp_path).read()


def test_a_thousand_trials_are_read_whole(tmp_path: Path) -> None:
    study, folder = open_study(tmp_path)
    folder.write(study_file())
    template = queue_of(study, folder, trials=1).next_trial()
    assert isinstance(template, Claim)
    scores = {"score": TrialScore(value=0.5, spread=0.1, n=20)}
    prompts = {"score": {f"prompt {index}": 0.5 for index in range(20)}}
    template.trial.suggest_float("x", 0, 1)
    record = replace(complete(template, 0.5), scores=scores, prompt_values=prompts, notes=("one",))
    queue_of(study, folder).tell(template, record)
    lines = [json.loads(line) for line in folder.journal.read_text().splitlines()]
    trial_lines = [line for line in lines if "trial_id" in line or line["op_code"] == 4]
    with folder.journal.open("a") as stream:
        for number in range(1, 1000):
            for line in trial_lines:
                moved = {**line, "trial_id": number} if "trial_id" in line else line
                stream.write(json.dumps(moved) + "\n")
    started = time.perf_counter()
    trials = read_study(folder).trials
    print(f"1,000 trials in {time.perf_counter() - started:.2f} s")
    assert [trial.number for trial in trials] == list(range(1000))
    assert trials[999] == replace(trials[0], number=999, folder=tmp_path / "trials" / "0999")
    assert trials[0].scores == scores
    assert trials[0].prompt_values == prompts


def test_reading_a_study_that_has_no_trials_yet(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.write(study_file())
    assert read_study(folder).trials == ()


def test_a_password_is_not_shown() -> None:
    assert safe_url("postgresql://me:hush@host:5432/db") == "postgresql://me:***@host:5432/db"
    assert "hush" not in safe_url("postgresql://host/db?user=me&password=hush")
    assert "hush" not in safe_url("postgres ql://me:hush@[host/db")
    assert safe_url("journal") == "journal"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "no storage of this kind"),
        ("nosuch://host/db", "no storage of this kind"),
        ("mysql://me:hush@127.0.0.1/db", "pip install mysqlclient"),
        ("sqlite:////no/such/folder/study.db", "file cannot be made"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_refused_with_what_to_do(
    tmp_path: Path, url: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        open_storage(url, StudyFolder(tmp_path))
    assert "hush" not in str(error.value)


def test_opening_a_storage_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for url in ("journal", f"sqlite:///{tmp_path / 'study.db'}"):
        study, folder = open_study(tmp_path, url)
        claim = queue_of(study, folder).next_trial()
        assert isinstance(claim, Claim)
    assert capfd.readouterr() == ("", "")
