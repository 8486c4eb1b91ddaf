"""wandb: what its offline file holds, what it keeps to itself, and when it would go online."""

import getpass
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import wandb
from PIL import Image

from engine.config.outcome import Outcome
from engine.config.tracking import TrackingConfig, WandbMode
from engine.training import wandb_tracker
from engine.training.tracker import FinalScores, TrackedRun
from engine.training.tracking import open_trackers
from engine.training.wandb_tracker import choose_mode, has_login, sync_command
from tests.wandb_file import LoggedRun, read_wandb_run

SECRET = "fa4e" * 10
CONFIG = {
    "seed": 7,
    "network": {"rank": 4, "layers": ["attention"]},
    "optimizer": {"args": {"betas": [0.9, 0.99]}},
}


@dataclass(frozen=True)
class Drawn:
    prompt_index: int
    prompt: str
    seed: int
    image: Image.Image


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, LoggedRun, list[str]]]:
    """One tiny run, logged with a login in the environment: its folder, its file, its summary lines."""
    folder = tmp_path_factory.mktemp("outputs") / "demo-1a2b3c4d"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_API_KEY", SECRET)
        patch.setenv("HF_TOKEN", SECRET)
        lines = _log_tiny_run(folder, resumed_step=None)
    yield folder, read_wandb_run(folder), lines


def test_the_file_holds_the_nested_config(logged: tuple[Path, LoggedRun, list[str]]) -> None:
    _, run, _ = logged
    assert {key: run.config[key] for key in CONFIG} == CONFIG


def test_the_file_holds_losses_and_learning_rates_at_their_steps(
    logged: tuple[Path, LoggedRun, list[str]],
) -> None:
    _, run, _ = logged
    rows = [row for row in run.history if "train/loss" in row]
    assert [(row["train/step"], row["train/loss"], row["train/lr"]) for row in rows] == [
        (1, 0.5, 0.1),
        (2, 0.25, 0.05),
    ]
    assert [row["eval/val_loss"] for row in run.history if "eval/val_loss" in row] == [1.0, 0.125]
    assert run.step_metrics["train/*"] == run.step_metrics["eval/*"] == "train/step"


def test_the_file_holds_the_pictures_with_their_prompts(logged: tuple[Path, LoggedRun, list[str]]) -> None:
    folder, run, _ = logged
    for name in ("base", "preview", "final"):
        (row,) = [row for row in run.history if f"samples/{name}._type" in row]
        assert row[f"samples/{name}.captions"] == ["a red star (seed 3)"]
        filenames = row[f"samples/{name}.filenames"]
        assert isinstance(filenames, list)
        (picture,) = folder.glob(f"wandb/*/files/{filenames[0]}")
        assert Image.open(picture).getpixel((0, 0)) == (200, 30, 30)


def test_the_file_holds_the_scores_and_the_outcome(logged: tuple[Path, LoggedRun, list[str]]) -> None:
    _, run, _ = logged
    assert run.summary["eval/final/likeness"] == 0.75
    assert run.summary["eval/base/likeness"] == 0.5
    assert run.summary["outcome"] == "completed"
    assert run.exit_code == 0


def test_the_run_is_named_grouped_tagged_and_can_be_continued(
    logged: tuple[Path, LoggedRun, list[str]],
) -> None:
    _, run, _ = logged
    assert run.run.run_id == "1a2b3c4d"
    assert run.run.display_name == "demo"
    assert run.run.project == "sweeps"
    assert run.run.run_group == "rank"
    assert list(run.run.tags) == ["tiny", "test"]


def test_no_written_file_holds_a_secret(logged: tuple[Path, LoggedRun, list[str]]) -> None:
    folder, _, _ = logged
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_the_file_says_nothing_about_the_machine(logged: tuple[Path, LoggedRun, list[str]]) -> None:
    folder, run, _ = logged
    (path,) = folder.rglob("*.wandb")
    content = path.read_bytes()
    assert run.run.host == ""
    assert not run.run.HasField("git")
    assert run.kinds.isdisjoint({"environment", "stats", "output", "output_raw"})
    assert str(Path.home()).encode() + b"/" not in content
    assert getpass.getuser().encode() + b"@" not in content
    assert not list(folder.rglob("requirements.txt")) + list(folder.rglob("wandb-metadata.json"))


def test_everything_lies_inside_the_run_folder_and_the_sync_line_names_it(
    logged: tuple[Path, LoggedRun, list[str]],
) -> None:
    folder, _, lines = logged
    (offline,) = (folder / "wandb").iterdir()
    assert re.fullmatch(r"offline-run-\d{8}_\d{6}-1a2b3c4d", offline.name)
    assert lines == [f"wandb sync {offline}"]
    assert {path.name for path in folder.iterdir()} == {"log.csv", "wandb"}


def test_a_resumed_run_keeps_its_id_and_the_sync_line_names_both_parts(tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    for part in ("offline-run-20260101_000000-1a2b3c4d", "offline-run-20260102_000000-1a2b3c4d"):
        (folder / part).mkdir(parents=True)
    first, second = sorted(folder.iterdir())
    assert sync_command(folder) == f'wandb sync "{first}" "{second}"'


@pytest.mark.parametrize(
    ("wanted", "is_demo", "login", "environment", "expected"),
    [
        ("auto", False, True, None, "online"),
        ("auto", False, False, None, "offline"),
        ("auto", True, True, None, "offline"),
        ("auto", True, True, "online", "offline"),  # a shell for other work has not asked for the demo
        ("online", True, True, None, "online"),  # asked for by name
        ("online", False, False, None, "offline"),
        ("online", False, True, "offline", "offline"),
        ("online", False, True, "dryrun", "offline"),
        ("offline", False, True, "online", "offline"),
        ("auto", False, True, "disabled", "disabled"),
        ("disabled", False, True, "online", "disabled"),
        ("auto", False, True, "nonsense", "online"),
    ],
)
def test_a_run_is_uploaded_only_with_a_login_and_never_against_a_wish(
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    is_demo: bool,
    login: bool,
    environment: str | None,
    expected: str,
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if environment is not None:
        monkeypatch.setenv("WANDB_MODE", environment)
    monkeypatch.setattr(wandb_tracker, "has_login", lambda: login)
    assert choose_mode(TrackingConfig(wandb=WandbMode(wanted)), is_demo=is_demo).value == expected


def test_a_login_is_found_in_the_environment_and_in_netrc_without_a_prompt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    wandb.teardown()
    assert not has_login()
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)
    assert has_login()
    wandb.teardown()
    (tmp_path / "netrc").unlink()
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    assert has_login()
    wandb.teardown()


def test_a_server_that_can_not_be_reached_leaves_the_run_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(*, mode: str, **options: object) -> object:
        if mode == "online":
            raise wandb.errors.CommError("no route")
        return real_init(mode=mode, **options)

    real_init = wandb.init
    monkeypatch.setattr(wandb, "init", start)
    monkeypatch.setattr(wandb_tracker, "choose_mode", lambda config, *, is_demo: WandbMode.online)
    warnings: list[str] = []
    run = TrackedRun(folder=tmp_path, name="run", run_id="00ff00ff", config=CONFIG, is_demo=False)
    trackers = open_trackers(TrackingConfig(), run, warn=warnings.append)
    trackers.log(1, {"loss": 0.5})
    assert trackers.finish(Outcome.interrupted) == [sync_command(tmp_path / "wandb")]
    assert warnings == ["wandb: the server can't be reached (no route); this run is kept offline"]
    logged = read_wandb_run(tmp_path)
    assert logged.summary["train/loss"] == 0.5
    assert logged.exit_code == 1


def _log_tiny_run(folder: Path, *, resumed_step: int | None) -> list[str]:
    run = TrackedRun(
        folder=folder, name="demo", run_id="1a2b3c4d", config=CONFIG, is_demo=True, resumed_step=resumed_step
    )
    config = TrackingConfig(project="sweeps", group="rank", tags=["tiny", "test"])
    picture = Drawn(0, "a red star", 3, Image.new("RGB", (8, 8), (200, 30, 30)))
    trackers = open_trackers(config, run, warn=pytest.fail)
    trackers.pictures(0, "base", [picture])
    trackers.log(0, {"val_loss": 1.0})
    trackers.log(1, {"loss": 0.5, "lr": 0.1})
    trackers.log(2, {"loss": 0.25, "lr": 0.05, "val_loss": 0.125})
    trackers.pictures(2, "step000002", [picture])
    trackers.pictures(2, "final", [picture])
    trackers.scores(2, FinalScores(values={"base/likeness": 0.5, "final/likeness": 0.75}))
    return trackers.finish(Outcome.completed)
