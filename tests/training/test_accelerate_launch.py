"""The same run by accelerate's launcher: the same folder, the same file."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LAUNCH = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes=1", "--num_cpu_threads_per_process=1")
OPTIONS = (
    "training.steps=3",
    "training.threads=1",
    "training.device=cpu",
    "sampling.num_prompts=0",
    "evaluation.enabled=false",
    "tracking=off",
)


@pytest.mark.slow
def test_accelerate_launch_gives_the_file_of_a_plain_command(tmp_path: Path) -> None:
    files = {}
    for name, launcher in (("plain", ()), ("launched", LAUNCH)):
        places = (f"output_dir={tmp_path / name}", f"cache_dir={tmp_path / 'cache'}")
        done = subprocess.run(
            [sys.executable, *launcher, str(PROJECT / "train.py"), *OPTIONS, *places],
            cwd=tmp_path,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        (weights,) = (tmp_path / name).rglob("demo.safetensors")
        files[name] = (weights.parent.name, hashlib.sha256(weights.read_bytes()).hexdigest())
    assert files["launched"] == files["plain"]
