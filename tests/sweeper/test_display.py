"""What a sweep shows while it runs: rendered at 80 and 120 columns, and as plain lines."""

import io
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from record_toys import lr_study
from rich.console import Console

from sweeper.display.lines import ended_line, live_view, seconds_left, see
from sweeper.display.live import SweepDisplay
from sweeper.display.worker_status import WorkerStatus
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Phase, StudyRecord, TrialState

NOW = 1_000_000.0
TRAINING = WorkerStatus(
    worker="studio:4711",
    slot=0,
    device="gpu 0",
    activity="training",
    trial=8,
    step=120,
    first_step=60,
    total_steps=300,
    loss=0.12341,
    trial_started=NOW - 30,
    updated=NOW,
)
CONFIRMING = replace(
    TRAINING, slot=1, device="gpu 1", phase=Phase.confirm, trial=2, activity="drawing pictures"
)
SILENT = replace(
    TRAINING, slot=None, worker="node-17.cluster.example.org:90210", device="", updated=NOW - 240
)
IDLE = WorkerStatus(worker="studio:4714", slot=3, device="cpu", activity="waiting for others", updated=NOW)


def study(num_ended: int, *, of: int = 18) -> StudyRecord:
    """A study whose later trials have not ended, and none of its confirmations."""
    whole = lr_study(of)
    open_runs = [replace(run, state=TrialState.waiting, outcome=None, values={}) for run in whole.trials]
    waiting = [replace(run, state=TrialState.waiting, outcome=None, values={}) for run in whole.confirmations]
    trials = [*whole.trials[:num_ended], *open_runs[num_ended:]]
    return replace(whole, name="demo-lora", trials=trials, confirmations=waiting)


def rendered(record: StudyRecord, workers: list[WorkerStatus], width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(live_view(see(record), workers, elapsed=130, now=NOW))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_head_and_a_line_a_worker_at_80_columns() -> None:
    assert rendered(study(8), [TRAINING, CONFIRMING, SILENT, IDLE], 80) == [
        "demo-lora  8 of 24 trials  1 pruned  2 min  about 2 min left",
        "best so far  likeness 0.770, adherence 0.504  trial 7: rank=16 alpha_ratio=1 lr…",
        "slot 0 gpu 0       trial 8    training          120/300  loss 0.1234  2 min left",
        "slot 1 gpu 1       confirm 2  drawing pictures  120/300  loss 0.1234",
        "node-17.…rg:90210  trial 8    silent for 4 min  120/300  loss 0.1234",
        "slot 3 cpu         waiting for others",
    ]


def test_at_120_columns_the_best_settings_are_whole() -> None:
    lines = rendered(study(8), [TRAINING], 120)
    assert lines[1] == "best so far  likeness 0.770, adherence 0.504  trial 7: rank=16 alpha_ratio=1 lr=3e-3"
    assert lines[2] == "slot 0 gpu 0  trial 8  training  120/300  loss 0.1234  2 min left"


def test_no_line_is_wider_than_the_terminal_with_eight_workers_and_long_names() -> None:
    many = [
        replace(SILENT, updated=NOW, trial=990 + place, step=99_999, total_steps=100_000)
        for place in range(8)
    ]
    lines = rendered(replace(study(8), name="a-study-with-a-rather-long-name-" * 2), many, 80)
    assert max(map(len, lines)) <= 80
    assert sum("trial 99" in line for line in lines) == 8


def test_before_anything_has_ended_nothing_is_estimated() -> None:
    assert rendered(study(0), [], 80) == [
        "demo-lora  0 of 24 trials  2 min",
        "no trial has completed yet",
        "no worker is at work yet",
    ]


def test_what_is_left_is_the_mean_trial_times_what_is_missing_over_the_workers_by_hand() -> None:
    record = study(2, of=4)  # trials 0 and 1 took 30 s each; 2 trials and 6 confirmations are missing
    assert [trial.seconds for trial in record.trials[:2]] == [30, 30]
    two = [replace(TRAINING, trial_started=NOW - 10), replace(TRAINING, trial_started=NOW - 50)]
    assert seconds_left(see(record), two, NOW) == (8 * 30 - 10 - 30) / 2
    assert seconds_left(see(record), [], NOW) == 240
    assert seconds_left(see(replace(record, num_trials=None)), two, NOW) is None


def test_lines_of_trials_that_ended() -> None:
    seen = see(study(8))
    lines = [ended_line(trial, seen).plain for trial in (seen.record.trials[i] for i in (0, 5, 7))]
    assert lines == [
        "trial 0  (8 of 24)  completed  likeness 0.600, adherence 0.501 (best 0.770, 0.504)"
        "  rank=16 alpha_ratio=1 lr=1e-4  30 s",
        "trial 5  (8 of 24)  pruned  rank=16 alpha_ratio=0.25 lr=1.34e-3  10 s  pruned at step 50 of 150",
        "trial 7  (8 of 24)  completed  likeness 0.770, adherence 0.504 (the best so far)"
        "  rank=16 alpha_ratio=1 lr=3e-3  30 s",
    ]
    whole = see(lr_study())
    assert ended_line(whole.record.confirmations[4], whole).plain.startswith(
        "confirm 4 of trial 0  (24 of 24)"
    )


class Reading:
    """A study that gets on; counts how often it is read."""

    def __init__(self, *records: StudyRecord | Exception) -> None:
        self.records, self.count = list(records), 0

    def __call__(self) -> StudyRecord:
        self.count += 1
        now = self.records.pop(0) if len(self.records) > 1 else self.records[0]
        if isinstance(now, Exception):
            raise now
        return now


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def test_without_a_terminal_each_end_is_one_line_and_earlier_ones_are_not_repeated(tmp_path: Path) -> None:
    stream = io.StringIO()
    reading = Reading(study(3), study(4), study(6))
    with SweepDisplay(reading, StudyFolder(tmp_path), Console(file=stream, width=60)):
        until(lambda: reading.count >= 1)  # what follows is seen at the end at the latest
        reading.records = [study(6)]
    lines = stream.getvalue().splitlines()
    assert [line.split("  (")[0] for line in lines] == ["trial 3", "trial 4", "trial 5"]


def test_on_a_terminal_the_lines_of_all_workers_are_shown(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True)
    folder = StudyFolder(tmp_path)
    display = SweepDisplay(Reading(study(8)), folder, console)
    with display:
        until(lambda: "no worker is at work yet" in stream.getvalue())
    assert "8 of 24 trials" in stream.getvalue()


def test_a_study_that_cant_be_read_ends_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    reading = Reading(OSError("the database is away"))
    with caplog.at_level(logging.WARNING), SweepDisplay(reading, StudyFolder(tmp_path), Console(file=stream)):
        until(lambda: reading.count >= 2)
    assert [record.getMessage() for record in caplog.records] == [
        "the display of the sweep can't be refreshed (OSError: the database is away)"
    ]
    assert stream.getvalue() == ""


def test_what_trials_print_into_their_files_does_not_move_the_display(tmp_path: Path) -> None:
    from contextlib import redirect_stdout

    terminal, trial = io.StringIO(), io.StringIO()
    reading = Reading(study(3), study(4))
    with redirect_stdout(terminal):
        console = Console(width=80)  # bound to whatever standard output is at the moment
        with SweepDisplay(reading, StudyFolder(tmp_path), console), redirect_stdout(trial):
            until(lambda: reading.count >= 1)
    assert trial.getvalue() == ""
    assert terminal.getvalue().startswith("trial 3")


def test_a_thousand_trials_are_read_at_most_once_a_second(tmp_path: Path) -> None:
    thousand = study(1000, of=1000)
    reading = Reading(thousand)
    with SweepDisplay(reading, StudyFolder(tmp_path), Console(file=io.StringIO(), force_terminal=True)):
        time.sleep(1.3)
    assert reading.count <= 3  # the first, one a second later, the last
