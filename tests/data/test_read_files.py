"""Files that are read by several processes or threads give what they give one by one."""

import math
import sys
from pathlib import Path

import pytest
from picture_files import write_picture

from engine.data import read_files, read_worker
from engine.data.read_files import read_headers, read_texts

NAMES = [f"p{number}.png" for number in range(40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 pictures with captions, of which the fourth has none and the sixth is no picture."""
    for number, name in enumerate(NAMES):
        write_picture(tmp_path / name, (8 + number, 8), caption=f"thing {number} é")
    (tmp_path / "p3.txt").unlink()
    (tmp_path / "p5.png").write_bytes(b"text")
    return tmp_path


def check(folder: Path) -> None:
    sizes = read_headers(str(folder), NAMES, most_pixels=8 * 40)
    assert sizes == [None if number in (5, *range(33, 40)) else (8 + number, 8) for number in range(40)]
    texts = read_texts(str(folder), [name.replace(".png", ".txt") for name in NAMES])
    assert texts == [None if number == 3 else f"thing {number} é" for number in range(40)]


def test_few_files_are_read_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_files.subprocess, "Popen", None)
    check(folder)
    assert read_headers(str(folder), [], most_pixels=math.inf) == []


@pytest.mark.parametrize("num_cores", [2, 3, 7, 100])
def test_many_files_are_shared_by_as_many_processes_as_cores(
    folder: Path, monkeypatch: pytest.MonkeyPatch, num_cores: int
) -> None:
    started = []
    true_start = read_files._start

    def counting_start(job: dict[str, object]) -> read_files._Process | None:
        started.append(true_start(job))
        return started[-1]

    monkeypatch.setattr(read_files, "_FILES_OF_A_PROCESS", 5)
    monkeypatch.setattr(read_files, "_num_cores", lambda: num_cores)
    monkeypatch.setattr(read_files, "_start", counting_start)
    check(folder)
    assert len(started) == 2 * (min(num_cores, 8) - 1)  # beside this one, for headers and for captions
    assert all(one is not None and one.process.returncode == 0 for one in started)


@pytest.mark.parametrize("program", ["/no such program", "false", ""])
def test_where_no_process_can_work_all_is_read_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(read_files, "_FILES_OF_A_PROCESS", 5)
    monkeypatch.setattr(read_files, "_num_cores", lambda: 3)
    monkeypatch.setattr(sys, "executable", program)
    check(folder)


def test_threads_read_while_the_disk_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([0, 100, 100, 100, 100, 200, *[200] * 100])  # slow, then not, then slow again
    in_threads = []
    true_threads = read_worker._in_threads
    monkeypatch.setattr(read_worker, "_num_waits", lambda: next(waits))
    monkeypatch.setattr(read_worker, "_PROBE", 4)
    monkeypatch.setattr(read_worker, "_AT_ONCE", 10)
    monkeypatch.setattr(
        read_worker,
        "_in_threads",
        lambda read, names: in_threads.append(names) or true_threads(read, names),
    )
    check(folder)
    assert in_threads == [NAMES[4:14], NAMES[22:32]]


def test_a_process_that_reads_imports_neither_pillow_nor_much_else() -> None:
    project = Path(__file__).parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(project)!r}); import engine.data.read_worker;"
        "sys.exit(any(name in sys.modules for name in ('PIL', 'dataclasses', 'pathlib', 'subprocess')))"
    )
    read_files.subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
