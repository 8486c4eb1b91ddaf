"""A controller that is killed: what its wandb run keeps, and that the next start goes on in it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.tracking import TrackingConfig, WandbMode
from sweeper.answer.records import Answer, AnswerKind
from sweeper.tracking.controller_run import open_controller_run
from tests.sweeper.record_toys import lr_study
from tests.wandb_file import LoggedRun, read_wandb_run

PROJECT = Path(__file__).parents[2]
ANSWER = Answer(kind=AnswerKind.nothing_yet, sentence="nothing yet")
CONFIG = TrackingConfig(wandb=WandbMode.offline, project="toys")
TELL_NINE_AND_HANG = """
import sys, time
from dataclasses import replace
from pathlib import Path
from tests.sweeper.test_sweep_wandb_kill import ANSWER, CONFIG, lr_study, open_controller_run

record = replace(lr_study(), folder=Path(sys.argv[1]), stopped=None)
run = open_controller_run(CONFIG, record, warn=print)
run.log_trials(replace(record, trials=record.trials[:9]), ANSWER)
print("told", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_controller_keeps_what_it_told_and_the_next_start_is_the_same_run(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    beside = open_controller_run(
        CONFIG, replace(lr_study(), name="beside", folder=tmp_path / "b"), warn=pytest.fail
    )
    assert "WANDB_SERVICE" in os.environ  # a child of ours would share the process that keeps our run
    child = subprocess.Popen(
        [sys.executable, "-c", TELL_NINE_AND_HANG, str(folder)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "told\n"
    time.sleep(2.5)  # what a kill may cost is a second
    child.send_signal(signal.SIGKILL)
    child.wait()
    (first,) = (folder / "wandb").glob("offline-run-*")
    assert _trials(read_wandb_run(first)) == list(range(9))
    record = replace(lr_study(), folder=folder)
    time.sleep(1.1)  # a part's name holds the second of its start
    run = open_controller_run(CONFIG, record, warn=pytest.fail)
    line = run.finish(record, ANSWER)
    (second,) = set((folder / "wandb").glob("offline-run-*")) - {first}
    assert line == f"wandb sync {folder}/wandb/offline-run-*"
    whole = read_wandb_run(second)
    assert whole.run.run_id == read_wandb_run(first).run.run_id == "toy-controller"
    assert _trials(whole) == list(range(18))
    steps = [
        {row["trial"]: row["_step"] for row in read_wandb_run(part).history if "trial" in row}
        for part in (first, second)
    ]
    assert steps[0].items() <= steps[1].items()  # a server drops the steps that it has
    beside.finish(lr_study(), ANSWER)
    assert line is not None
    found = _dry_run(line)
    assert [path in found for path in (first.name, second.name)] == [True, True]


def _dry_run(line: str) -> str:
    """What wandb's own command says that it would upload."""
    command = line.replace("wandb sync", f"{sys.executable} -m wandb sync --dry-run")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout + done.stderr


def _trials(logged: LoggedRun) -> list[object]:
    return [row["trial"] for row in logged.history if "trial" in row]
