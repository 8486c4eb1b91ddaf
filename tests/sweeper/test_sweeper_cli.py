"""python -m sweeper on studies made without any training."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cli_toys import Capture, claimed, make_study, refusal, said
from study_toys import ROOT, queue_of

from engine.config.outcome import Outcome
from sweeper.__main__ import main
from sweeper.commands.arguments import COMMANDS, OPTIONS, parse_arguments
from sweeper.display.worker_status import StatusFile
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Phase


@pytest.fixture
def sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return folder


# The command line


@pytest.mark.parametrize("words", [["--help"], ["stats"], ["status", "study=nothing-here"], ["ls", "pots=1"]])
def test_help_and_refusals_import_neither_optuna_nor_torch(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from sweeper.__main__ import main; main(sys.argv[1:]);"
        "print([name for name in ('optuna', 'torch', 'diffusers', 'wandb') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_help_names_every_command_and_option(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in (*COMMANDS, *OPTIONS))
    assert max(map(len, text.splitlines())) <= 100


def test_no_word_at_all_shows_the_help_and_fails(capsys: Capture) -> None:
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["stats"], "stats: unknown command (did you mean status?)"),
        (["study=a"], "nothing to do: give one of ls,"),
        (["status", "stduy=a"], "stduy: unknown option (did you mean study?)"),
        (["status", "best"], "status and best: are different things to do"),
        (["status", "status"], "status: given twice"),
        (["status", "a", "study=b"], "study: given twice (a, b)"),
        (["status", "study="], "study=: has no value"),
        (["best", "port=80"], "port=80: means nothing to best. It belongs to dashboard."),
        (["ls", "study=a"], "study=a: means nothing to ls"),
        (["export"], "export: what? Give one of export=csv, export=json, export=dashboard."),
        (["export=cvs"], "export=cvs: unknown kind (did you mean csv?)"),
        (["export=dashboard", "out=a"], "out=a: means nothing to export=dashboard"),
        (["dashboard", "port=99999"], "port=99999: not a port"),
        (["stop", "now=yes"], "now=yes: neither true nor false"),
        (["retry", "trial=-1"], "trial=-1: not a number"),
        (["retry", "trial=1", "outcome=failed"], "trial and outcome: say which in two ways"),
        (["retry", "outcome=completed"], "outcome"),
    ],
)
def test_wrong_words_are_refused_in_a_sentence(words: list[str], sentence: str, capsys: Capture) -> None:
    assert sentence in refusal(words, capsys)


def test_all_problems_are_told_at_once(capsys: Capture) -> None:
    text = refusal(["best", "port=0", "now=maybe", "nope=1"], capsys)
    assert text.count("\n  - ") >= 4


def test_a_study_may_be_named_in_three_ways() -> None:
    for words in (["status", "study=toy"], ["status", "toy"], ["status=toy"], ["status", "study='toy'"]):
        assert parse_arguments(words).given == {"study": "toy"}


# Which study


def test_the_only_study_needs_no_name_and_a_path_is_as_good_as_a_name(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [Outcome.completed])
    for words in ([], ["study=toy"], ["study=sweeps/toy"], [f"study={sweeps / 'toy'}"], ["folder=sweeps"]):
        assert said(["status", *words], capsys).startswith("toy waiting")


def test_several_studies_none_and_a_wrong_name_are_told_apart(sweeps: Path, capsys: Capture) -> None:
    assert "there are no studies in sweeps" in refusal(["status"], capsys)
    assert "folder=swepes: no such folder" in refusal(["status", "folder=swepes"], capsys)
    _, folder = make_study(sweeps, [])
    other = StudyFolder(sweeps / "second")
    other.write(folder.read())
    assert "there are 2 studies in sweeps: second, toy. Give study=NAME." in refusal(["best"], capsys)
    assert "study=tou: unknown study (did you mean toy?)" in refusal(["best", "study=tou"], capsys)


def test_a_study_of_another_schema_is_refused_by_name_and_shown_by_ls(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [])
    values = json.loads(folder.file.read_text())
    folder.file.write_text(json.dumps({**values, "schema": 99}))
    text = refusal(["status"], capsys)
    assert "schema 99" in text and "hydra.sweeper" not in text
    assert main(["ls"]) == 2
    captured = capsys.readouterr()
    assert "cannot be read" in captured.out and "schema 99" in captured.err


def test_a_database_that_is_away_or_needs_its_password_is_a_sentence(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [])
    folder.write(replace(folder.read(), storage="postgresql://me:***@127.0.0.1:1/none"))
    assert "Give storage=<the URL with its password>" in refusal(["status"], capsys)
    text = refusal(["status", "storage=postgresql://me:secret@127.0.0.1:1/none"], capsys)
    assert "does not answer" in text and "secret" not in text


def test_a_url_for_a_study_with_a_journal_is_refused(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [])
    assert "a journal of its own folder" in refusal(["status", "storage=sqlite:///x.db"], capsys)


# ls, status, best


def test_ls_shows_progress_best_and_state(sweeps: Path, capsys: Capture) -> None:
    assert main(["ls"]) == 1
    assert "no studies" in capsys.readouterr().err
    make_study(sweeps, [Outcome.completed, Outcome.completed, Outcome.failed])
    text = said(["ls"], capsys)
    assert "toy 3/4 score 0.100 (trial 1) waiting" in text


def test_ls_stays_within_80_columns(sweeps: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    make_study(sweeps, [Outcome.completed, Outcome.completed])
    assert main(["ls"]) == 0
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_status_of_a_finished_study_says_what_is_used_up(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [Outcome.completed, Outcome.diverged], trials=2)
    text = said(["status"], capsys)
    assert text.startswith("toy finished, last sign of life")
    assert "2 of 2 trials ended: 1 completed, 1 diverged" in text
    assert "used up 2 of 2 trials" in text
    assert "trial 1 diverged: diverged on purpose" in text


def test_status_names_waiting_trials_and_the_command_that_goes_on(sweeps: Path, capsys: Capture) -> None:
    study, folder = make_study(sweeps, [Outcome.completed])
    queue = queue_of(study, folder, trials=4)
    claim = claimed(queue)
    queue.give_back(claim, replace(claim.record, steps_done=30, total_steps=100))
    text = said(["status"], capsys)
    assert "toy waiting" in text
    assert "waiting trial 1 (from step 30 of 100)" in text
    assert "The same command goes on: python train.py --multirun +sweep=toy" in text


def test_status_and_ls_see_workers(sweeps: Path, capsys: Capture) -> None:
    study, folder = make_study(sweeps, [Outcome.completed])
    claimed(queue_of(study, folder, trials=4))
    worker = StatusFile(folder)
    worker.begin(1, Phase.search)
    worker.resume(0, 100)
    assert "running (1 worker)" in said(["ls"], capsys)
    assert "0/100" in said(["status"], capsys)
    worker.close()


def test_a_trial_that_shows_life_without_a_worker_file_counts_as_running(
    sweeps: Path, capsys: Capture
) -> None:
    study, folder = make_study(sweeps, [])
    claimed(queue_of(study, folder, trials=4))
    assert "running (1 worker)" in said(["ls"], capsys)


def test_best_prints_the_answer_and_copies_the_file_once(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [Outcome.completed, Outcome.completed], trials=2)
    loras = sweeps / "loras"
    assert "no such folder" in refusal(["best", "copy_to=loras"], capsys)
    loras.mkdir()
    text = said(["best", f"copy_to={loras}"], capsys)
    assert "Trial 1 by itself: python train.py x=" in text
    target = loras / "toy-best.safetensors"
    assert target.read_bytes() == b"weights of 1"
    assert main(["best", f"copy_to={loras}"]) == 0  # the same file
    capsys.readouterr()
    target.write_bytes(b"mine")
    assert main(["best", f"copy_to={loras}"]) == 2
    assert "is there and differs. Add force=true." in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main(["best", f"copy_to={loras}", "force=true"]) == 0
    assert target.read_bytes() == b"weights of 1"
    assert sorted(path.name for path in loras.iterdir()) == ["toy-best.safetensors"]


def test_best_of_a_study_without_an_answer_fails_with_its_sentence(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [])
    assert "No trial has ended yet" in said(["best"], capsys, code=1)


# report, export


def test_report_and_exports_write_what_the_storage_holds(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [Outcome.completed, Outcome.failed], trials=2)
    assert str(folder.report) in said(["report"], capsys)
    assert "toy" in folder.report.read_text(encoding="utf-8")
    folder.table.unlink()
    assert said(["export=csv"], capsys) == str(folder.table)
    assert len(folder.table.read_text().splitlines()) == 3
    path = Path(said(["export=json"], capsys))
    content = json.loads(path.read_text())
    assert content["schema"] == 1 and content["name"] == "toy"
    assert [trial["outcome"] for trial in content["trials"]] == ["completed", "failed"]
    assert content["trials"][0]["values"] == {"score": 0.0}


def test_an_export_elsewhere_overwrites_nothing(sweeps: Path, capsys: Capture) -> None:
    make_study(sweeps, [Outcome.completed])
    mine = sweeps / "mine.csv"
    mine.write_text("mine")
    assert "is there already" in refusal(["export=csv", f"out={mine}"], capsys)
    assert mine.read_text() == "mine"
    assert said(["export=csv", f"out={mine}", "force=true"], capsys) == str(mine)
    assert mine.read_text().startswith("phase,number")


def test_export_dashboard_writes_the_workspace(
    sweeps: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    _, folder = make_study(sweeps, [Outcome.completed])
    assert f"dashboard {folder.root / 'wandb_dashboard.json'}" in said(["export=dashboard"], capsys)
    assert json.loads((folder.root / "wandb_dashboard.json").read_text())["displayName"] == "toy"


def test_a_place_that_cannot_be_written_is_a_sentence(sweeps: Path, capsys: Capture) -> None:
    _, folder = make_study(sweeps, [Outcome.completed])
    folder.table.unlink(missing_ok=True)
    folder.table.mkdir()
    text = refusal(["report"], capsys)
    assert "trials.csv" in text and "Check the disk" in text


# dashboard


def test_a_port_that_is_taken_is_refused(sweeps: Path, capsys: Capture) -> None:
    import socket

    make_study(sweeps, [])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"port={port}: another program has it" in refusal(["dashboard", f"port={port}"], capsys)


@pytest.mark.parametrize(
    ("outcome", "command"), [(Outcome.failed, "retry,"), (Outcome.diverged, "retry outcome=diverged,")]
)
def test_status_of_a_sweep_that_failed_says_how_it_is_tried_again(
    sweeps: Path, capsys: Capture, outcome: Outcome, command: str
) -> None:
    make_study(sweeps, [outcome, outcome], trials=2)
    assert f"When the cause is mended: python -m sweeper {command} then the same command." in said(
        ["status"], capsys
    )
