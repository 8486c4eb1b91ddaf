"""Signals: patience while training, at once elsewhere, and the former handlers afterwards."""

import os
import signal

import pytest

from engine.training.clock import Clock
from engine.training.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_outside_the_patient_block_interrupts_at_once(number: signal.Signals) -> None:
    with Interrupt() as interrupt, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    assert interrupt.signal is None


def test_the_first_signal_in_the_patient_block_is_kept_and_the_second_interrupts() -> None:
    with Interrupt() as interrupt, interrupt.patient():
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.signal == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_former_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupt():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_phase_inside_another_is_booked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 3.0, 7.0, 8.0])
    monkeypatch.setattr("engine.training.clock.time.perf_counter", lambda: next(times))
    clock = Clock()
    with clock.phase("training"), clock.phase("validation"):
        pass
    assert clock.by_phase == {"training": 2.0 + 1.0, "validation": 4.0}
