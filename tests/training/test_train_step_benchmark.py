"""The benchmark of the training step at toy size, so that it does not rot; its timing is not judged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/train_step.py"


@pytest.mark.slow
def test_the_benchmark_measures_both_sides_and_their_memory(tmp_path: Path) -> None:
    arguments = ["threads=1", "batch=1", "rank=2", "rounds=1", f"folder={tmp_path}"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ours / plain = ") == 1
    assert done.stdout.count("peak memory") == 2
