"""The study as a run of wandb: its history, tables and answer, read back from the offline file."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wandb

from engine.config.outcome import Outcome
from engine.config.tracking import TrackingConfig, WandbMode
from engine.training.tracker import TrackedRun
from engine.training.tracking import Trackers
from sweeper.answer.records import (
    Answer,
    AnswerKind,
    ConfirmedDifference,
    ConfirmedSetting,
    Importances,
    Verdict,
)
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialState
from sweeper.tracking.controller_run import ControllerRun, open_controller_run
from sweeper.tracking.names import trial_part
from sweeper.tracking.study_tables import best_so_far, trial_rows
from sweeper.tracking.sync_lines import sync_all_command
from tests.sweeper.record_toys import lr_study, toy_confirmation, toy_study, toy_trial
from tests.wandb_file import LoggedRun, read_wandb_run

OFFLINE = TrackingConfig(wandb=WandbMode.offline, project="toys")
ANSWER = Answer(
    kind=AnswerKind.better,
    sentence="lr 0.003 beats the default by .17",
    winner=7,
    is_confirmed=True,
    settings="lr 0.003",
    importances=Importances(shares={"optimizer.lr": 0.75, "network.rank": 0.25}, of="likeness"),
    counts={"completed": 14, "pruned": 3},
    confirmed=(
        ConfirmedSetting(
            of=7,
            seeds=(1, 2, 3),
            num_missing=0,
            num_failed=0,
            means={"likeness": 0.76},
            spreads={"likeness": 0.02},
            values={"likeness": (0.75, 0.76, 0.77)},
            rank_value=0.76,
            differences={
                "likeness": ConfirmedDifference(
                    value=0.17,
                    num_seeds=3,
                    half_width=0.02,
                    over_seeds=0.02,
                    over_prompts=0.01,
                    verdict=Verdict.better,
                )
            },
            optimism={},
        ),
    ),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LoggedRun, str]:
    """A whole study that was told to wandb: its folder, the file, the line at the end."""
    record = replace(lr_study(), folder=tmp_path_factory.mktemp("sweeps") / "toy")
    record.folder.mkdir()
    run = open_controller_run(OFFLINE, record, warn=pytest.fail, pause_seconds=0)
    begun = replace(ANSWER, counts={"completed": 8, "running": 1})
    run.log_trials(replace(record, trials=record.trials[:9], stopped=None), begun)
    line = run.finish(record, ANSWER)
    assert line is not None
    return record.folder, read_wandb_run(record.folder), line


def test_the_controller_bears_the_names_of_its_study(told: tuple[Path, LoggedRun, str]) -> None:
    folder, logged, line = told
    run = logged.run
    assert (run.run_id, run.run_group, run.job_type) == ("toy-controller", "toy", "controller")
    assert (run.project, list(run.tags)) == ("toys", ["sampler:tpe"])
    assert line == sync_all_command(folder) == f"wandb sync {folder}/wandb/offline-run-*"


def test_its_config_holds_what_is_searched_and_nothing_of_the_machine(
    told: tuple[Path, LoggedRun, str],
) -> None:
    folder, logged, _ = told
    assert logged.config["objectives"] == {"likeness": "maximize", "adherence": "maximize"}
    assert logged.config["space"] == {
        "network/rank": "choice(4, 8, 16, 32, 64)",
        "network/alpha_ratio": "choice(0.25, 0.5, 1.0, 2.0)",
        "optimizer/lr": "interval(1e-05, 0.01), log",
    }
    assert logged.config["defaults"] == {"network/rank": 16, "network/alpha_ratio": 1.0, "optimizer/lr": 1e-4}
    written = b"".join(path.read_bytes() for path in folder.rglob("*.wandb"))
    assert b"host:1234" not in written
    assert b"python train.py" not in written


def test_its_history_holds_each_trial_once_with_the_best_so_far(told: tuple[Path, LoggedRun, str]) -> None:
    _, logged, _ = told
    rows = [row for row in logged.history if "trial" in row]
    assert [row["trial"] for row in rows] == list(range(18))
    assert [row["_step"] for row in rows] == [2 * number for number in range(18)]
    best = [float(str(row["best/likeness"])) for row in rows]
    assert best == sorted(best)
    assert best[0] == pytest.approx(0.60, abs=1e-3)
    assert best[7:] == pytest.approx([0.77] * 11)
    assert rows[11]["trial/outcome"] == "diverged"
    assert "trial/likeness" not in rows[11]
    assert logged.step_metrics["best/*"] == logged.step_metrics["trial/*"] == "trial"


def test_its_summary_holds_the_answer(told: tuple[Path, LoggedRun, str]) -> None:
    _, logged, _ = told
    expected = {
        "verdict": "lr 0.003 beats the default by .17",
        "verdict_kind": "better",
        "winner": "toy-t0007",
        "winner_confirmed": True,
        "winner/likeness": 0.76,
        "gain/likeness": 0.17,
        "gain/likeness/half_width": 0.02,
        "trials/pruned": 3,
        "trials/completed": 14,
        "trials/running": 0,
    }
    assert {name: logged.summary[name] for name in expected} == expected
    assert logged.exit_code == 0


def test_its_tables_hold_trials_confirmations_and_importances(told: tuple[Path, LoggedRun, str]) -> None:
    folder, logged, _ = told
    trials = _table(folder, logged, "study/trials")
    assert trials["columns"] == [
        *("trial", "wandb id", "phase", "of", "outcome", "feasible"),
        *("likeness", "likeness spread", "adherence", "adherence spread"),
        *("network.rank", "network.alpha_ratio", "optimizer.lr", "seconds", "seed", "steps", "run id"),
    ]
    assert len(trials["data"]) == 18 + 6
    seventh = dict(zip(trials["columns"], trials["data"][7], strict=True))
    assert seventh["wandb id"] == "toy-t0007"
    assert (seventh["likeness"], seventh["likeness spread"]) == (pytest.approx(0.77), 0.02)
    assert (seventh["network.rank"], seventh["optimizer.lr"], seventh["run id"]) == (16, 3e-3, "00000007")
    pruned = dict(zip(trials["columns"], trials["data"][5], strict=True))
    assert (pruned["outcome"], pruned["likeness"], pruned["steps"]) == ("pruned", None, 50)
    assert trials["data"][18][:4] == [0, "toy-c0000", "confirm", 7]
    for name in ("study/importances", "study/importance_bars_table"):
        table = _table(folder, logged, name)
        assert table["data"] == [["optimizer.lr", 0.75], ["network.rank", 0.25]]


def test_a_trial_that_ends_early_waits_in_the_history_for_those_before_it() -> None:
    running = toy_trial(1, outcome=None)
    record = toy_study([toy_trial(0, {"likeness": 0.6}), running, toy_trial(2, {"likeness": 0.7})])
    assert [number for number, _ in best_so_far(record, wait=True)] == [0]
    assert [number for number, _ in best_so_far(record, wait=False)] == [0, 2]


def test_what_breaks_a_constraint_is_never_the_best_and_less_may_be_better() -> None:
    trials = [
        toy_trial(0, {"loss": 0.6}),
        toy_trial(1, {"loss": 0.1}, constraints={"memory": 1.0}),
        toy_trial(2, {"loss": 0.4}),
        toy_trial(3, {"loss": 0.5}),
    ]
    record = toy_study(trials, objectives={"loss": Direction.minimize})
    best = [values["best/loss"] for _, values in best_so_far(record, wait=True)]
    assert best == [0.6, 0.6, 0.4, 0.4]


def test_a_study_without_a_trial_makes_an_empty_table() -> None:
    table = trial_rows(toy_study([]))
    assert table.rows == []
    assert "optimizer.lr" in table.columns


def test_a_trial_of_the_same_process_leaves_the_controllers_run_open(tmp_path: Path) -> None:
    record = replace(lr_study(), folder=tmp_path / "toy")
    (record.folder / "trials/0000").mkdir(parents=True)
    run = open_controller_run(OFFLINE, record, warn=pytest.fail, pause_seconds=0)
    trackers = Trackers(warn=pytest.fail)
    part = trial_part("toy", 0, settings={"network.rank": 8})
    trial = TrackedRun(
        folder=record.folder / "trials/0000",
        name="0000",
        run_id="00ff00ff",
        config={},
        is_demo=True,
        part_of=part,
    )
    trackers.add_wandb(OFFLINE, trial)
    trackers.log(1, {"loss": 0.5})
    trackers.finish(Outcome.completed)
    run.log_trials(record, ANSWER)
    assert run.finish(record, ANSWER) is not None
    first, whole = (read_wandb_run(record.folder / place) for place in ("trials/0000", "wandb"))
    assert first.summary["train/loss"] == 0.5
    assert len([row for row in whole.history if "trial" in row]) == 18
    assert (first.run.run_group, whole.run.run_group) == ("toy", "toy")
    assert (first.run.job_type, whole.run.job_type) == ("trial", "controller")


def test_calls_in_a_row_are_told_at_once_and_the_rest_at_the_end(tmp_path: Path) -> None:
    record = replace(lr_study(), folder=tmp_path)
    run = open_controller_run(OFFLINE, record, warn=pytest.fail, pause_seconds=3600)
    assert run.is_due
    run.log_trials(replace(record, trials=record.trials[:1], stopped=None), ANSWER)
    assert not run.is_due
    run.log_trials(replace(record, trials=record.trials[:9], stopped=None), ANSWER)
    run.finish(replace(record, trials=record.trials[:3], stopped=None), ANSWER)
    assert [row["trial"] for row in read_wandb_run(tmp_path).history if "trial" in row] == [0, 1, 2]


def test_a_sweep_whose_wandb_breaks_goes_on(tmp_path: Path) -> None:
    class Broken:
        def log(self, *args: object, **options: object) -> None:
            raise OSError(28, "No space left on device")

        def define_metric(self, *args: object, **options: object) -> None:
            """As wandb's."""

        def finish(self, *, exit_code: int) -> None:
            raise wandb.Error("closed already")

    warnings: list[str] = []
    run = ControllerRun(tmp_path, warn=warnings.append, pause_seconds=0)
    run.open(Broken)
    run.log_trials(lr_study(), ANSWER)
    run.log_trials(lr_study(), ANSWER)
    assert run.finish(lr_study(), ANSWER) is None
    assert warnings == [
        "wandb: OSError: [Errno 28] No space left on device; the sweep goes on without its own run"
    ]


def test_a_wandb_that_can_not_be_opened_is_said_once(tmp_path: Path) -> None:
    warnings: list[str] = []
    record = replace(lr_study(), folder=tmp_path / "file")
    record.folder.write_text("in the way")
    run = open_controller_run(OFFLINE, record, warn=warnings.append)
    assert not run.is_due
    assert run.finish(record, ANSWER) is None
    assert len(warnings) == 1


def test_switched_off_nothing_is_written(tmp_path: Path) -> None:
    off = TrackingConfig(wandb=WandbMode.disabled)
    record = replace(lr_study(), folder=tmp_path)
    run = open_controller_run(off, record, warn=pytest.fail)
    run.log_trials(record, ANSWER)
    assert run.finish(record, ANSWER) is None
    assert list(tmp_path.iterdir()) == []


def test_one_line_uploads_all_runs_of_a_study(tmp_path: Path) -> None:
    folder = tmp_path / "my sweeps" / "toy"
    assert sync_all_command(folder) is None
    parts = ("wandb/offline-run-1-toy-controller", "trials/0003/wandb/offline-run-2-toy-t0003")
    for part in parts:
        (folder / part).mkdir(parents=True)
    line = sync_all_command(folder)
    assert line is not None and "confirm" not in line
    told = subprocess.run(
        ["/bin/sh", "-c", line.replace("wandb sync", "printf '%s\\n'")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines() == [str(folder / part) for part in parts]
    assert shlex.split(line)[:2] == ["wandb", "sync"]


def _table(folder: Path, logged: LoggedRun, name: str) -> dict[str, Any]:
    path = logged.summary[f"{name}.path"]
    (file,) = folder.glob(f"wandb/*/files/{path}")
    table: dict[str, Any] = json.loads(file.read_text())
    return table


def test_a_confirmation_that_waits_has_a_row_without_values() -> None:
    waiting = toy_confirmation(0, 7, 1001, values=None)
    assert waiting.state is TrialState.waiting
    record: StudyRecord = toy_study([], confirmations=[waiting])
    (row,) = trial_rows(record).rows
    cells = dict(zip(trial_rows(record).columns, row, strict=True))
    assert (cells["outcome"], cells["likeness"], cells["of"]) == ("waiting", None, 7)
