"""The benchmark of looking at pictures at toy size, so that it does not rot; its timing is not judged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/evaluation.py"


SMALL = ("encoder=toy", "pictures=4", "size=32", "rounds=1", "threads=1")


def run_benchmark(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *SMALL, *arguments, f"folder={folder}"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
    return done.stdout


@pytest.mark.slow
def test_the_benchmark_measures_a_first_and_a_second_look(tmp_path: Path) -> None:
    shown = run_benchmark(tmp_path, "many=0")
    assert shown.count("first look / forward alone = ") == shown.count("first look / second look = ") == 1


@pytest.mark.slow
def test_the_benchmark_measures_memory(tmp_path: Path) -> None:
    assert run_benchmark(tmp_path, "many=70").count("memory: 70 pictures add ") == 1
