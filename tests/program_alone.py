"""Runs a program of the tests in a process and a folder of its own, where the project cannot be imported."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_alone(program: Path, request: Mapping[str, object], folder: Path) -> dict[str, object]:
    """The report.json that the program writes into the folder; it is told of the file with the request."""
    (folder / "request.json").write_text(json.dumps(request))
    copy = folder / "program.py"  # Python puts a program's own folder on the path: not the project's
    copy.write_bytes(program.read_bytes())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, str(copy), str(folder / "request.json")],
        cwd=folder,
        env={**kept, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, object] = json.loads((folder / "report.json").read_text())
    return report
