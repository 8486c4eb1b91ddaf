"""Starts the small program slots_app.py in a folder of its own, and reads what it wrote."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
APP = Path(__file__).with_name("slots_app.py")


class App:
    """The program in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *overrides: str, **environ: str) -> subprocess.Popen[str]:
        """As the leader of a process group, as a shell would."""
        inherited = {
            name: value for name, value in os.environ.items() if name not in ("CUDA_VISIBLE_DEVICES",)
        }
        process = subprocess.Popen(
            [sys.executable, str(APP), "results.json", *overrides],
            cwd=self.folder,
            env={**inherited, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.started.append(process)
        return process

    def run(self, *overrides: str, **environ: str) -> list[dict[str, object]]:
        """The returns of all jobs."""
        process = self.start(*overrides, **environ)
        self.out, self.err = process.communicate(timeout=120)
        assert process.returncode == 0, self.err
        return self.results()

    def results(self) -> list[dict[str, object]]:
        """What the program wrote."""
        return json.loads((self.folder / "results.json").read_text())

    def end(self) -> None:
        """Leave nothing of it at work."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def waiting(self, *jobs: int) -> list[int]:
        """The processes of jobs, once all of them are at work."""
        files = [self.folder / f"waiting-{job}" for job in jobs]
        until(lambda: all(file.exists() and file.read_text() for file in files))
        return [int(file.read_text()) for file in files]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that must come true."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether no process of this number is at work."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
