"""best.yaml composes as the winner's own config; trials.csv and the table hold what the study holds."""

import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from record_toys import lr_study, toy_study, toy_trial
from rich.console import Console

from engine.compose.files import ConfFolders
from engine.compose.register import register
from engine.config.outcome import Outcome
from sweeper.answer.answer import answer_of
from sweeper.answer.best_file import BestFiles, best_yaml, copy_winner, write_best
from sweeper.answer.table import lines_of_answer, print_answer, shown_trials
from sweeper.answer.trials_csv import trials_csv, write_trials_csv
from sweeper.config import Direction
from sweeper.study.records import StudyRecord

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
GROUPS = ConfFolders(roots=(CONF,)).groups()


def composed(overrides: Sequence[str], folder: Path | None = None) -> object:
    """The config that Hydra makes of overrides, with a folder like --config-dir's."""
    register()
    path = [] if folder is None else [f"hydra.searchpath=[file://{folder}]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose("config", overrides=[*overrides, *path])
    return OmegaConf.to_container(whole, resolve=True, enum_to_str=True)


def study_in(folder: Path, overrides: Sequence[str]) -> StudyRecord:
    """A study of which trial 1, with these overrides, is the best."""
    best = replace(toy_trial(1, {"likeness": 0.8}), overrides=tuple(overrides), command="python train.py ...")
    record = toy_study([toy_trial(0), best])
    return replace(record, folder=folder)


def written(folder: Path, overrides: Sequence[str]) -> BestFiles:
    record = study_in(folder, overrides)
    files = write_best(record, answer_of(record), GROUPS)
    assert files is not None
    return files


@pytest.mark.parametrize(
    "overrides",
    [
        ("network.rank=8", "optimizer.lr=3e-05", "training.threads=1", "training.device=cpu"),
        ("optimizer=prodigy", "++optimizer.args.d_coef=0.5", "network.alpha_ratio=2.0", "seed=7"),
        ("noise=offset", "noise.offset=0.05", "lr_schedule=constant", "sampling=sweep"),
        ("experiment=night", "network.rank=4", "noise.offset=0.1"),
        ("sampling.seeds=[1,2,3]", "network.alpha=null", "name='a, b'", "dataset.trigger='1e-3'"),
        ("network.rank=4", "network.alpha='${network.rank}'"),
    ],
)
def test_the_best_file_composes_to_the_trial_s_own_config(tmp_path: Path, overrides: Sequence[str]) -> None:
    written(tmp_path, overrides)
    facts = [
        f"{key}={value}"
        for key, value in (("training.threads", 1), ("training.device", "cpu"))
        if not any(text.startswith(key) for text in overrides)
    ]
    whole = composed(["experiment=toy-best"], tmp_path / "conf")
    assert whole == composed([*overrides, *facts])


def test_what_is_typed_beside_it_wins(tmp_path: Path) -> None:
    written(tmp_path, ("network.rank=8", "optimizer.lr=3e-05"))
    whole = composed(["experiment=toy-best", "network.rank=32"], tmp_path / "conf")
    assert isinstance(whole, dict)
    assert (whole["network"]["rank"], whole["optimizer"]["lr"]) == (32, 3e-05)


def test_its_command_starts_the_winner_s_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps" / "toy").mkdir(parents=True)
    files = written(tmp_path / "sweeps" / "toy", ("optimizer=prodigy", "network.rank=8"))
    assert files.command == "python train.py --config-dir=sweeps/toy/conf experiment=toy-best"
    words = [sys.executable, str(ROOT / "train.py"), *files.command.split()[2:], "--cfg", "job"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "rank: 8" in done.stdout
    assert "class_path: prodigyopt.Prodigy" in done.stdout


def test_the_file_says_how_it_is_used_and_what_it_is(tmp_path: Path) -> None:
    files = written(tmp_path, ("network.rank=8",))
    text = files.best.read_text(encoding="utf-8")
    assert files.experiment.read_text(encoding="utf-8") == text
    lines = text.splitlines()
    assert lines[:2] == ["# @package _global_", f"# {files.command}"]
    assert "not confirmed" in lines[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.yaml", "conf"]


def test_a_sentence_of_several_lines_stays_a_comment(tmp_path: Path) -> None:
    record = study_in(tmp_path, ("network.rank=8",))
    answer = replace(answer_of(record), sentence="one\nnetwork:\n  rank: 64")
    files = write_best(record, answer, GROUPS)
    assert files is not None
    assert "network.rank=8" not in files.best.read_text(encoding="utf-8")
    assert OmegaConf.load(files.best).network == {"rank": 8}


def test_how_it_was_searched_is_no_part_of_it() -> None:
    text = best_yaml(["+sweep=lora", "sampler=gp", "hydra.sweeper.winner=likeness", "network.rank=8"], GROUPS)
    assert OmegaConf.to_container(OmegaConf.create(text)) == {"defaults": ["_self_"], "network": {"rank": 8}}


def test_without_a_winner_nothing_is_written(tmp_path: Path) -> None:
    record = replace(toy_study([toy_trial(0, outcome=Outcome.diverged)]), folder=tmp_path)
    assert write_best(record, answer_of(record), GROUPS) is None
    assert copy_winner(record, answer_of(record)) is None
    assert list(tmp_path.iterdir()) == []


def test_the_winner_s_weights_are_copied_byte_for_byte(tmp_path: Path) -> None:
    weights = tmp_path / "trials" / "toy.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"\x00weights\xff")
    record = study_in(tmp_path, ())
    record = replace(record, trials=[record.trials[0], replace(record.trials[1], weights=weights)])
    copied = copy_winner(record, answer_of(record))
    assert copied == tmp_path / "toy-best.safetensors"
    assert copied.read_bytes() == b"\x00weights\xff"
    weights.write_bytes(b"other")
    assert copy_winner(record, answer_of(record)) == copied
    assert copied.read_bytes() == b"other"


def test_every_trial_is_a_line_of_the_csv_with_all_digits(tmp_path: Path) -> None:
    record = lr_study()
    path = tmp_path / "trials.csv"
    write_trials_csv(record, path)
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert len(rows) == len(record.trials) + len(record.confirmations)
    third = record.trial(3)
    row = next(row for row in rows if row["phase"] == "search" and row["number"] == "3")
    assert float(row["objective.likeness"]) == third.values["likeness"]
    assert float(row["metric.adherence.value"]) == third.scores["adherence"].value
    assert float(row["params.optimizer.lr"]) == third.params["optimizer.lr"]
    assert (row["state"], row["outcome"], row["folder"]) == (
        "complete",
        "completed",
        "sweeps/toy/trials/0003",
    )
    assert (rows[-1]["phase"], rows[-1]["of"], rows[-1]["seed"]) == ("confirm", "0", "1003")


def test_causes_with_commas_and_lines_stay_in_their_cell() -> None:
    cause = 'a, "b"\nc'
    text = trials_csv(toy_study([toy_trial(0, outcome=Outcome.failed, cause=cause)]))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["cause"], row["outcome"]) == (cause, "failed")


def test_the_table_fits_a_terminal_and_marks_winner_front_and_default() -> None:
    record = lr_study()
    console = Console(width=80, record=True, file=io.StringIO())
    print_answer(record, answer_of(record), console)
    text = console.export_text()
    lines = [line for line in text.splitlines() if not line.startswith("  python ")]
    assert max(len(line.rstrip()) for line in lines) <= 80
    winner = next(line for line in lines if ">7*" in line)
    assert "0.770 ± 0.020" in winner
    assert "3e-3" in winner
    assert any(line.rstrip().endswith("default") and line.split()[0] == "0" for line in lines)


def test_the_command_is_one_line_that_can_be_copied() -> None:
    record = lr_study()
    answer = answer_of(record)
    console = Console(width=80, record=True, file=io.StringIO())
    print_answer(record, answer, console)
    assert f"  {answer.command}" in console.export_text().splitlines()


def test_brackets_in_a_cause_are_not_taken_for_markup() -> None:
    trials = [toy_trial(0, outcome=Outcome.failed, cause="KeyError: [bold]x[/bold]")]
    console = Console(width=80, record=True, file=io.StringIO())
    print_answer(toy_study(trials), answer_of(toy_study(trials)), console)
    assert "[bold]x[/bold]" in console.export_text()


def test_the_default_is_shown_however_far_behind() -> None:
    trials = [toy_trial(number, {"likeness": 0.5 + 0.01 * number}) for number in range(20)]
    record = toy_study(trials)
    shown = [trial.number for trial in shown_trials(record, answer_of(record))]
    assert shown == [*range(19, 9, -1), 0]


def test_three_objectives_fit_too() -> None:
    ways = dict.fromkeys(("likeness", "adherence", "diversity"), Direction.maximize)
    trials = [toy_trial(number, dict.fromkeys(ways, 0.6 + number / 100)) for number in range(3)]
    record = toy_study(trials, objectives=ways)
    console = Console(width=80, record=True, file=io.StringIO())
    print_answer(record, answer_of(record), console)
    lines = [line for line in console.export_text().splitlines() if not line.startswith("  python ")]
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert any("diversity" in line and "adherence" in line for line in lines)


def test_the_lines_hold_the_sentence_the_warnings_and_the_confirmed_means() -> None:
    record = lr_study()
    answer = answer_of(record)
    lines = lines_of_answer(record, answer)
    assert lines[0] == answer.sentence
    assert "  confirmed: trial 7, likeness 0.760 ± 0.025 and adherence 0.500 ± 0.000 (3 seeds)" in lines
    assert any(line.startswith("  note: adherence cannot be anchored") for line in lines)
