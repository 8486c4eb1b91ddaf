"""What wandb's offline file holds of a whole run, read back and held against the files of the run folder."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from engine.compose.record import read_run_yaml
from engine.training.job import Hooks
from engine.training.result import TrainResult
from engine.training.train import train
from evaluation.__main__ import main as evaluate
from evaluation.in_run import scorer_of, scores_of
from tests.training.toy_runs import SMALL, small_run
from tests.wandb_file import LoggedRun, read_wandb_run

PROJECT = Path(__file__).parents[2]
SECRET = "c0ffee15" * 5
HOST = "machine-of-mine"
NAME_THE_MACHINE = f"""
import pathlib, platform, socket
pathlib.Path(__file__).with_suffix(".read").touch()
socket.gethostname = socket.getfqdn = platform.node = lambda *given: "{HOST}"
"""  # read by Python at its start, from sitecustomize.py
WANTED = (
    "tracking.wandb=offline",
    "tracking.project=toys",
    "tracking.group=small ones",
    "tracking.tags=[three steps,sks]",
    "evaluation.enabled=true",
    "sampling.num_prompts=2",
    "sampling.preview_every=2",
    "sampling.preview_prompts=1",
    "training.validate_every=2",
    "training.checkpoint_every=2",
    "++optimizer.args.betas=[0.9,0.99]",
)


@dataclass(frozen=True)
class Whole:
    """A run's result and what wandb wrote of it."""

    result: TrainResult
    logged: LoggedRun

    @property
    def folder(self) -> Path:
        return self.result.folder

    def column(self, name: str) -> dict[int, object]:
        """step -> value, of the rows of wandb's history that have this value."""
        return {int(str(row["train/step"])): row[name] for row in self.logged.history if name in row}

    def csv_column(self, name: str) -> dict[int, float]:
        with (self.folder / "log.csv").open() as stream:
            return {int(row["step"]): float(row[name]) for row in csv.DictReader(stream) if row[name]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A small run with everything that is tracked, scored as train.py does."""
    run, plan = small_run(tmp_path_factory.mktemp("wandb"), *WANTED)
    hooks = Hooks(score=scorer_of(run, plan.sources, device=plan.device))
    result = train(run, plan, console=Console(quiet=True), hooks=hooks)
    return Whole(result, read_wandb_run(result.folder))


def test_wandb_holds_the_whole_config_nested_as_in_run_yaml(whole: Whole) -> None:
    config = read_run_yaml(whole.folder).config
    assert config["optimizer"] == {
        "class_path": "torch.optim.AdamW",
        "lr": 3e-3,
        "text_lr": None,
        "args": {"betas": [0.9, 0.99]},
    }
    assert {key: value for key, value in whole.logged.config.items() if key != "_wandb"} == config


def test_wandb_holds_losses_rates_norms_and_speeds_of_each_step_as_in_log_csv(whole: Whole) -> None:
    for name in ("loss", "lr", "grad_norm", "images_per_second"):
        logged = whole.column(f"train/{name}")
        assert list(logged) == [1, 2, 3]
        assert logged == whole.csv_column(name)


def test_wandb_holds_the_fixed_validation_loss_as_in_log_csv_and_result_json(whole: Whole) -> None:
    logged = whole.column("eval/val_loss")
    assert list(logged) == [0, 2, 3]
    assert logged == whole.csv_column("val_loss") == dict(whole.result.val_losses)


@pytest.mark.parametrize(
    ("group", "name", "step"), [("base", "base", 0), ("preview", "step000002", 2), ("final", "final", 3)]
)
def test_wandb_holds_the_pictures_of_each_set_under_their_prompts(
    whole: Whole, group: str, name: str, step: int
) -> None:
    listing = json.loads((whole.folder / "samples/samples.json").read_text(encoding="utf-8"))
    rows = listing["sets"][name]
    assert len(rows) == (1 if group == "preview" else 2)
    captions = whole.column(f"samples/{group}.captions")
    assert captions == {step: [f"{row['prompt']} (seed {row['seed']})" for row in rows]}
    files = whole.column(f"samples/{group}.filenames")[step]
    assert isinstance(files, list) and len(files) == len(rows)
    for file, row in zip(files, rows, strict=True):
        (copy,) = whole.folder.glob(f"wandb/*/files/{file}")
        assert Image.open(copy).tobytes() == Image.open(whole.folder / "samples" / row["file"]).tobytes()


def test_wandb_holds_the_scores_of_scores_json(whole: Whole) -> None:
    scores = scores_of(whole.folder).values
    assert {"likeness", "adherence"} <= set(scores)
    for name, value in scores.items():
        assert whole.column(f"eval/final/{name}")[3] == pytest.approx(value, abs=1e-6)
        assert whole.logged.summary[f"eval/final/{name}"] == pytest.approx(value, abs=1e-6)
    assert whole.logged.summary["outcome"] == "completed"
    assert whole.logged.exit_code == 0


def test_wandb_holds_what_names_the_run(whole: Whole) -> None:
    run = whole.logged.run
    assert (run.project, run.run_group, list(run.tags)) == ("toys", "small ones", ["three steps", "sks"])
    assert (run.run_id, run.display_name) == (whole.result.run_id, whole.folder.name)
    (part,) = (whole.folder / "wandb").glob("offline-run-*")
    assert whole.result.tracker_lines == [f"wandb sync {part}"]


@pytest.fixture(scope="module")
def typed(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run typed at a shell that holds keys; its options are relative paths.

    Its parent, which has logged a run itself, lends it its wandb process, and that works in another folder.
    """
    assert "WANDB_SERVICE" in os.environ
    desk = tmp_path_factory.mktemp("typed")
    home = desk / "home-of-mine"
    home.mkdir()
    (home / "sitecustomize.py").write_text(NAME_THE_MACHINE)
    keys = {"WANDB_API_KEY": SECRET, "HF_TOKEN": SECRET, "WANDB_MODE": "offline"}
    names = {"HOME": str(home), "PYTHONPATH": str(home), "USER": "user-of-mine"}
    options = [option for option in (*SMALL, *WANTED) if option.split("=")[0] not in _given(WANTED, option)]
    done = subprocess.run(
        [sys.executable, str(PROJECT / "train.py"), *options],
        cwd=desk,
        env={**os.environ, **keys, **names},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (desk / "outputs").iterdir()
    assert (home / "sitecustomize.read").exists()
    assert SECRET not in done.stdout + done.stderr
    assert "wandb sync" in done.stdout, done.stdout
    return folder


def test_no_file_of_a_run_holds_a_key_of_the_shell(typed: Path) -> None:
    files = [path for path in typed.rglob("*") if path.is_file()]
    assert {"log.csv", "run.yaml", "index.html", "scores.json"} <= {path.name for path in files}
    assert any(path.suffix == ".wandb" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_what_a_run_sends_or_shows_says_nothing_about_the_machine(typed: Path) -> None:
    files = [path for path in typed.rglob("*") if path.is_file()]
    shown = [path for path in files if path.name != "run.yaml" and path.suffix != ".log"]  # these stay here
    words = ("home-of-mine", "user-of-mine", HOST, str(PROJECT), str(typed.parent))
    found = [
        (path.relative_to(typed).as_posix(), word)
        for path in shown
        for word in words
        if word.encode() in path.read_bytes().replace(str(typed).encode(), b"")  # where a table's files wait
    ]
    assert found == []


def _given(wanted: tuple[str, ...], option: str) -> set[str]:
    """The options that WANTED sets otherwise than SMALL."""
    return set() if option in wanted else {text.lstrip("+").split("=")[0] for text in wanted}


def test_wandb_holds_a_table_of_the_final_pictures_with_their_scores(whole: Whole) -> None:
    (table,) = _tables(whole.folder)
    with (whole.folder / "per_image.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"] == "final"]
    assert table["columns"][:5] == ["prompt", "seed", "base", "picture", "fault"]
    assert [(row[0], row[1]) for row in table["data"]] == [(row["prompt"], int(row["seed"])) for row in rows]
    for metric in ("likeness", "adherence", "memorisation"):
        place = table["columns"].index(metric)
        assert [row[place] for row in table["data"]] == [
            pytest.approx(float(row[metric]), abs=1e-6) for row in rows
        ]
    pictures = {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in whole.folder.rglob("wandb/**/*.png")
    }
    drawn = (whole.folder / "samples" / "final").glob("*.png")
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in drawn} <= pictures


def test_a_run_that_is_scored_again_tells_its_wandb_run(whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / whole.folder.name
    shutil.copytree(whole.folder, folder, ignore=shutil.ignore_patterns("offline-run-*"))
    assert evaluate([f"run={folder}", f"cache_dir={tmp_path}", "device=cpu", "image_encoder=pixels"]) == 0
    logged = read_wandb_run(folder)
    assert logged.run.run_id == whole.result.run_id
    scores = scores_of(folder).values
    assert scores["likeness"] != scores_of(whole.folder).values["likeness"]
    last = [row for row in logged.history if "eval/final/likeness" in row][-1]
    assert last["eval/final/likeness"] == pytest.approx(scores["likeness"], abs=1e-6)
    assert last["train/step"] == whole.result.total_steps
    assert len(_tables(folder)) == 1


def _tables(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("wandb/*/files/**/*.table.json"))]
