"""The benchmarks of sweeps at a size that measures nothing, so that they do not rot; no timing is judged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/sweep.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that the demo and the base's pictures are drawn once."""
    return tmp_path_factory.mktemp("sweeps")


def _tables(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "size=tiny", f"folder={folder}", *arguments],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"python benchmarks/sweep.py size=tiny folder={folder}" in done.stdout
    return done.stdout


@pytest.mark.slow
def test_each_way_of_searching_is_judged_beside_the_default(folder: Path) -> None:
    found = _tables(folder, "part=quality", "ways=ours,stock", "seeds=1", "processes=1")
    shares = re.findall(r"^\| (ours|stock|the default, untouched) \| -?[\d.]+% \|", found, re.MULTILINE)
    assert shares == ["ours", "stock", "the default, untouched"]


@pytest.mark.slow
def test_the_parts_of_a_trial_are_timed_by_name(folder: Path) -> None:
    found = _tables(folder, "part=overhead", "trials=3")
    milliseconds = dict(re.findall(r"^\| ([a-z,' A-Z]+?) \| (\d+) \| \d+ \|$", found, re.MULTILINE))
    assert int(milliseconds["training and scoring"]) > 0
    parts = (
        "checks before the start",
        "composing",
        "Hydra's run of a job",
        "reading scores, hashing the file",
    )
    assert all(int(milliseconds[part]) > 0 for part in parts)
    assert re.search(r"^\| 30 \|( \d+\.\d \|){6}$", found, re.MULTILINE)


@pytest.mark.slow
def test_one_process_is_held_against_separate_commands_of_the_same_runs(folder: Path) -> None:
    found = _tables(folder, "part=warm")
    assert re.search(
        r"^\| round 1, by the clock \| \d+\.\d s \| \d+\.\d s \| \d+\.\d\d \|$", found, re.MULTILINE
    )


@pytest.mark.slow
def test_idle_time_of_several_workers_is_a_share_of_their_time(folder: Path) -> None:
    found = _tables(folder, "part=idle", "workers=2", "trials=6")
    shares = [float(share) for share in re.findall(r"^\| .* \| (-?[\d.]+)% \|$", found, re.MULTILINE)]
    assert len(shares) == 3
    assert all(0 <= share < 100 for share in shares)
