"""hydra/launcher=gpus on real processes, driven by the small program slots_app.py."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slots_driver import App, is_gone, until


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """The program, and nothing of it left afterwards."""
    app = App(tmp_path)
    yield app
    app.end()


def test_jobs_come_back_in_their_order_from_processes_that_see_nothing_but_their_gpu(app: App) -> None:
    results = app.run("+do=env", "+x=a,b,c", "+sleep=0.3", CUDA_VISIBLE_DEVICES="5,GPU-7f")
    values = [result["value"] for result in results]
    assert [value["x"] for value in values] == ["a", "b", "c"]
    assert [value["num"] for value in values] == [0, 1, 2]
    assert [value["id"] for value in values] == ["app_0", "app_1", "app_2"]
    assert [result["overrides"] for result in results] == [
        ["+do=env", f"+x={x}", "+sleep=0.3"] for x in "abc"
    ]
    assert len({value["pid"] for value in values}) == 3  # a fresh interpreter each
    assert all(value["argv"] == ["results.json"] for value in values)
    seen = [json.loads((app.folder / f"env-{slot}.json").read_text()) for slot in (0, 1)]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in seen] == ["5", "GPU-7f"]
    assert [slot["DIFFUSION_SWEEPER_SLOT"] for slot in seen] == ["0", "1"]
    assert not (app.folder / "env-2.json").exists()
    assert "[slot 0] printed by 0\n" in app.out and "[slot 1] printed by 1\n" in app.out
    assert "[slot 0] whole\n" in app.err  # a line that a progress bar wrote over


@pytest.mark.slow
def test_without_a_gpu_the_cores_are_shared_by_the_slots_in_use(app: App) -> None:
    cores = len(os.sched_getaffinity(0))
    app.run(
        "+do=env", "+x=1,2", "+sleep=0.3", "hydra.launcher.slots=5", OMP_NUM_THREADS="", MKL_NUM_THREADS=""
    )
    seen = json.loads((app.folder / "env-1.json").read_text())
    assert seen["CUDA_VISIBLE_DEVICES"] == ""
    assert seen["OMP_NUM_THREADS"] == seen["MKL_NUM_THREADS"] == str(max(1, cores // 2))
    assert not (app.folder / "env-2.json").exists()  # two jobs need two slots


def test_a_job_that_raises_leaves_crashes_or_cant_be_sent_fails_alone_and_says_why(app: App) -> None:
    done = app.run("+do=raise,exit,crash,unsendable,fine", "hydra.launcher.slots=3")
    raised, left, crashed, unsendable, fine = done
    assert raised["error"] == "ValueError: the picture is green"
    assert 'raise ValueError("the picture is green")' in str(raised["notes"])
    assert left["error"] == "SlotError: the job left the program by sys.exit(3)"
    assert "SlotError: the process of slot 2 (cpu, process " in str(crashed["error"])
    assert "ended with exit code 7 and without a result, after " in str(crashed["error"])
    assert "can't be sent to another process: UnsendableError('1 and 2')" in str(unsendable["error"])
    assert fine["status"] == "completed"


def test_options_that_cant_be_followed_are_refused_before_any_job(app: App) -> None:
    process = app.start(
        "+do=env", "hydra.launcher.slots=0", "hydra.launcher.per_gpu=0", "hydra.launcher.gpus=[0]"
    )
    process.communicate(timeout=60)
    told = app.results()
    assert told["ended"] == "ConfigError"  # type: ignore[call-overload]
    why = told["why"].splitlines()  # type: ignore[call-overload]
    assert [line.split(":")[0] for line in why] == [
        "hydra.launcher.slots=0",
        "hydra.launcher.per_gpu=0",
        "hydra.launcher.gpus=[0]",
    ]
    assert not (app.folder / "swept").exists()


def test_ctrl_c_ends_all_jobs_cleanly_and_once(app: App) -> None:
    process = app.start("+do=wait", "+x=1,2,3", "hydra.launcher.slots=2")
    children = app.waiting(0, 1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group of the program
    _, err = process.communicate(timeout=60)
    assert (app.folder / "clean-0").exists() and (app.folder / "clean-1").exists()
    assert not (app.folder / "started-2").exists()  # nothing is begun after it
    assert app.results()["ended"] == "KeyboardInterrupt"  # type: ignore[call-overload]
    assert "SIGINT: the 2 processes at work are finishing the step; Ctrl-C again ends at once" in err
    until(lambda: all(is_gone(child) for child in children), seconds=20)


def test_when_the_program_is_killed_its_jobs_end_cleanly(app: App) -> None:
    process = app.start("+do=wait", "+x=1,2", "hydra.launcher.slots=2")
    children = app.waiting(0, 1)
    process.kill()
    until(lambda: all(is_gone(child) for child in children), seconds=20)
    assert (app.folder / "clean-0").exists() and (app.folder / "clean-1").exists()


@pytest.mark.slow
def test_all_jobs_that_came_to_an_end_are_returned_after_ctrl_c(app: App) -> None:
    process = app.start("+do=wait", "+x=1,2", "hydra.launcher.slots=2")
    app.waiting(0, 1)
    process.send_signal(signal.SIGTERM)  # by name to the program only: passed on
    process.communicate(timeout=60)
    assert [result["status"] for result in app.results()] == ["completed", "completed"]


@pytest.mark.slow
def test_a_second_ctrl_c_ends_what_does_not_heed_the_first(app: App) -> None:
    process = app.start("+do=wait", "+x=stubborn")
    (child,) = app.waiting(0)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None and not is_gone(child)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert is_gone(child)
    assert app.results()["ended"] == "KeyboardInterrupt"  # type: ignore[call-overload]


@pytest.mark.slow
def test_a_process_that_is_killed_early_fails_its_job_and_the_others_go_on(app: App) -> None:
    died, fine = app.run("+do=die,env", "hydra.launcher.slots=2")
    assert re.search(
        r"was killed by SIGKILL, as the system does when memory runs out, after \d+ s", str(died["error"])
    )
    assert fine["status"] == "completed"


@pytest.mark.slow
def test_a_process_that_is_killed_after_a_while_is_started_again_with_its_job(app: App) -> None:
    (result,) = app.run("+do=die", "+x=1", LIVE="10")
    assert result["value"]["x"] == 1  # type: ignore[index]
    assert "[slot 0] the process of slot 0 (cpu, process " in app.err
    assert "started again (1 of 3)" in app.err


@pytest.mark.slow
def test_restarts_may_be_switched_off(app: App) -> None:
    (result,) = app.run("+do=die", "hydra.launcher.restarts=0", LIVE="10.5")
    assert "was killed by SIGKILL" in str(result["error"])


@pytest.mark.slow
def test_what_a_process_that_dies_had_started_goes_with_it(app: App) -> None:
    (result,) = app.run("+do=helper")
    assert re.search(r"was killed by SIGSEGV, after \d+ s", str(result["error"]))
    assert is_gone(int((app.folder / "helper").read_text()))


@pytest.mark.slow
def test_a_process_that_is_interrupted_from_outside_is_not_started_again(app: App) -> None:
    process = app.start("+do=wait", "+x=1", "hydra.launcher.slots=1")
    (child,) = app.waiting(0)
    os.kill(child, signal.SIGTERM)
    process.communicate(timeout=60)
    assert [result["status"] for result in app.results()] == ["completed"]  # the job made a clean end of it
