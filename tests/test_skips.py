"""A test that does not run is seen: what tests/conftest.py makes of a skip."""

import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")
SETTINGS = "[pytest]\nmarkers =\n    gpu: needs CUDA\n    network: needs the internet\n"
SOME = """
import pytest

def test_runs(): pass

@pytest.mark.gpu
def test_needs_a_gpu(): pytest.skip("no CUDA")

def test_hides(): pytest.skip("no server")

@pytest.mark.skip(reason="later")
def test_is_put_off(): pass
"""


def test_only_tests_that_need_a_gpu_or_the_internet_may_skip(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(SOME)
    (tmp_path / "test_absent.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    shutil.copy(CONFTEST, tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "--continue-on-collection-errors",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 skipped, 2 errors" in done.stdout
    assert "PASSED test_some.py::test_runs" in done.stdout
    assert "FAILED test_some.py::test_hides" in done.stdout
    assert "ERROR test_some.py::test_is_put_off" in done.stdout
    assert "ERROR test_absent.py" in done.stdout
