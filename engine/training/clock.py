"""How long the phases of a run took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Seconds by phase of this start, and of the whole run with what earlier starts of it took."""

    def __init__(self) -> None:
        self.earlier = 0.0  # seconds that earlier starts of this run took
        self.by_phase: dict[str, float] = {}
        self.on_phase: Callable[[str], None] = lambda name: None  # told the name of a phase that begins
        self._started = self._since = time.perf_counter()
        self._phase: str | None = None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Book the time inside the block to a phase, and not to the phase around it."""
        outer = self._phase
        self._enter(name)
        self.on_phase(name)
        try:
            yield
        finally:
            self._enter(outer)

    def total(self) -> float:
        """Seconds of the run so far."""
        return self.earlier + time.perf_counter() - self._started

    def _enter(self, name: str | None) -> None:
        now = time.perf_counter()
        if self._phase is not None:
            self.by_phase[self._phase] = self.by_phase.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = name, now
