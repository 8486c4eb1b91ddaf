"""The benchmark of the pictures at toy size, so that it does not rot; its timing is not judged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/data.py"


@pytest.mark.parametrize("cold", [0, 1])
def test_the_benchmark_measures_first_and_second_scan_and_memory(tmp_path: Path, cold: int) -> None:
    arguments = ["pictures=80", "rounds=1", f"cold={cold}", f"folder={tmp_path}"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("first / second = ") == 2
    assert done.stdout.count("memory: ") == 1
    assert list(tmp_path.iterdir()) == []
