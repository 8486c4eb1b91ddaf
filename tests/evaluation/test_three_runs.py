"""What the scores are for: a good run, one that learnt too little and one trained too long, told apart."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.reports.compare import ComparedMetric, compare_folders
from evaluation.reports.compare_page import write_comparison
from tests.compose.toys import PROJECT

pytestmark = pytest.mark.slow
DRAWN = ("sampling.num_prompts=35", "sampling.num_plain_prompts=16", "sampling.preview_every=0")
RUNS = {
    "default": (),
    "small_rate": ("optimizer.lr=5e-5",),
    "over_trained": ("dataset.batch_size=1", "training.steps=3000"),
}


@pytest.mark.timeout(1800)
def test_three_runs_are_ordered_by_their_scores_and_the_intervals_separate_them(tmp_path: Path) -> None:
    folders = [_train(tmp_path, name, *options) for name, options in RUNS.items()]
    comparison = compare_folders(folders)
    metrics = {metric.row.metric: metric for metric in comparison.metrics}
    assert comparison.num_pairs == 102
    assert _order(metrics["likeness"])[0] == "default"
    assert metrics["likeness"].is_separated
    assert _order(metrics["preservation"]) == ["small_rate", "default", "over_trained"]
    assert metrics["preservation"].is_separated
    assert _order(metrics["memorisation"]) == ["small_rate", "default", "over_trained"]
    assert metrics["memorisation"].is_separated
    # The base draws creatures as the prompt asks for them (the trigger means nothing to the encoder), so
    # the run that hardly moved from it adheres as well as the default; the over-trained one does not.
    adherence = metrics["adherence"]
    assert _order(adherence)[-1] == "over_trained"
    assert adherence.steps[-1].low is not None and adherence.steps[-1].low > 0
    page = write_comparison(comparison, tmp_path / "compare.html").read_text(encoding="utf-8")
    assert all(name in page for name in RUNS)
    assert page.count("separated") >= 7


def _order(metric: ComparedMetric) -> list[str]:
    """The names of the runs without their ids, the best first."""
    return [name.rpartition("-")[0] for name in metric.measurements]


def _train(folder: Path, name: str, *options: str) -> Path:
    words = [*DRAWN, f"name={name}", "training.threads=2", "tracking=off", *options]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(PROJECT / "train.py"), *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (folder / "outputs").glob(f"{name}-*")
    return made
