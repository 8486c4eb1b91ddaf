"""A cluster's warning: the trial ends cleanly, then the launcher queues the job again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from slots_driver import App

from engine.training.interrupt import Interrupt
from sweeper.slots.preemption import preemptible


class Requeue:
    """A launcher's handler, which leaves the program."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, number: int, _frame: object) -> None:
        self.events.append(f"queued again by {signal.Signals(number).name}")
        raise SystemExit(-1)


@pytest.fixture
def requeue() -> Iterator[Requeue]:
    """A launcher that handles SIGUSR2."""
    handler = Requeue()
    former = signal.signal(signal.SIGUSR2, handler)
    yield handler
    signal.signal(signal.SIGUSR2, former)


def test_the_step_is_finished_before_the_launcher_gets_its_turn(requeue: Requeue) -> None:
    with pytest.raises(SystemExit), preemptible(), Interrupt() as interrupt, interrupt.patient():
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGUSR2)  # repeated: not the second one that stops at once
        requeue.events.append(f"step finished after {interrupt.signal}")
    assert requeue.events == ["step finished after SIGTERM", "queued again by SIGUSR2"]
    assert signal.getsignal(signal.SIGUSR2) is requeue


def test_without_a_warning_and_without_a_handler_nothing_changes(requeue: Requeue) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with preemptible():
        assert signal.getsignal(signal.SIGUSR1) == before
    assert requeue.events == []


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """The program, and nothing of it left afterwards."""
    app = App(tmp_path)
    yield app
    app.end()


@pytest.mark.slow
def test_a_job_of_submitit_that_is_preempted_ends_cleanly_and_runs_again(app: App) -> None:
    process = app.start("+do=preempt", "+x=1", "hydra/launcher=submitit_local")
    (worker,) = app.waiting(0)
    os.kill(worker, signal.SIGUSR2)
    process.communicate(timeout=60)
    (result,) = app.results()
    assert (app.folder / "clean-0").exists()
    assert result["status"] == "completed"
    assert result["value"]["pid"] != worker  # type: ignore[index]
    logs = "".join(path.read_text() for path in Path(app.folder / "swept/.submitit").rglob("*_log.err"))
    assert "this job is preempted" in logs
