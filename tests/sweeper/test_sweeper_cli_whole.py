"""A small sweep of the demo, really run, and every command of python -m sweeper on it."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from study_toys import ROOT

SHORT = ["training.steps=5", "training.threads=1", "sampling.num_prompts=2", "tracking=off"]
SWEEP = ["+sweep=quick", "hydra.sweeper.budget.trials=3", *SHORT]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "COLUMNS": "80",
}
NOT_WRAPPED = ("  python ", "weights ", "report ", "table ", "copied ", "dashboard ", "/")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which three trials of five steps were run."""
    place = tmp_path_factory.mktemp("whole")
    done = run([str(ROOT / "train.py"), "--multirun", *SWEEP], place)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def run(words: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=place, env=ENVIRONMENT, capture_output=True, text=True, timeout=280
    )


def said(words: list[str], place: Path, code: int = 0) -> str:
    """What a command prints; lines that one does not copy fit 80 columns."""
    done = run(["-m", "sweeper", *words], place)
    assert done.returncode == code, done.stdout + done.stderr
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and not line.startswith(NOT_WRAPPED)]
    assert not wide
    return done.stdout


@pytest.mark.slow
def test_every_command_on_a_real_sweep(sweep: Path) -> None:
    assert "3/3" in said(["ls"], sweep) and "finished" in said(["ls"], sweep)
    assert "3 of 3 trials ended: 3 completed" in said(["status"], sweep)
    (sweep / "loras").mkdir()
    best = said(["best", "copy_to=loras"], sweep)
    assert "  python train.py --config-dir=sweeps/demo-quick/conf experiment=demo-quick-best" in best
    own = (sweep / "sweeps/demo-quick/demo-quick-best.safetensors").read_bytes()
    assert (sweep / "loras/demo-quick-best.safetensors").read_bytes() == own
    (sweep / "sweeps/demo-quick/report.html").unlink()
    said(["report"], sweep)
    assert (sweep / "sweeps/demo-quick/report.html").stat().st_size > 10_000
    content = json.loads(Path(said(["export=json"], sweep).strip()).read_text())
    assert [trial["state"] for trial in content["trials"]] == ["complete"] * 3
    assert len(Path(said(["export=csv"], sweep).strip()).read_text().splitlines()) == 4
    assert "wandb_dashboard.json" in said(["export=dashboard"], sweep)
    assert "nothing to stop" in said(["stop"], sweep)
    assert "nothing to try again" in said(["retry"], sweep, code=1)


@pytest.mark.slow
def test_the_dashboard_answers_until_it_is_interrupted(sweep: Path) -> None:
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "sweeper", "dashboard"],
        cwd=sweep,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{address}api/studies", timeout=30) as answer:
            names = [study["study_name"] for study in json.loads(answer.read())["study_summaries"]]
        assert "demo-quick" in names
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_diverged_trial_is_tried_again_by_the_same_command(tmp_path: Path) -> None:
    words = [str(ROOT / "train.py"), "--multirun", "optimizer.lr=3e-3,1e20", "sampling=quick", *SHORT]
    assert run(words, tmp_path).returncode == 0
    assert "trial 1: in the queue again, from its first step" in said(["retry", "trial=1"], tmp_path)
    assert "waiting        trial 1" in said(["status"], tmp_path)
    again = run(words, tmp_path)
    assert again.returncode == 0 and "trial 1  (2 of 2)  diverged" in again.stdout
    assert "2/2" in said(["ls"], tmp_path)
    assert sorted(path.name for path in (tmp_path / "sweeps/demo-lr/trials").iterdir()) == ["0000", "0001"]
