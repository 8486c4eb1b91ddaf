"""The benchmark of the pictures at toy size, so that it does not rot; its timing is not judged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/data.py"


def run_benchmark(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "rounds=1", "threads=1", *arguments],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_benchmark_measures_scans_encoding_and_what_the_steps_wait(tmp_path: Path) -> None:
    small = ["pictures=80", "cold=1", "files=4", "sd_files=1", "sd_size=64", "steps=1"]
    shown = run_benchmark(*small, f"folder={tmp_path}")
    assert shown.count("first / second = ") == 2 + 4  # sizes, captions too; two VAEs at two batch sizes
    assert shown.count("memory: ") == 1
    assert shown.count("encoding to the cache / VAE alone = ") == 4
    assert shown.count(" waits ") == 8  # four ways to feed, of the demo's pictures and of photographs
    assert list(tmp_path.iterdir()) == []
