"""How long the phases of a run took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds by phase, and of the whole run with what earlier starts of it took."""

    def __init__(self) -> None:
        self.earlier = 0.0  # seconds that earlier starts of this run took
        self.by_phase: dict[str, float] = {}
        self._started = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time inside the block to a phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.by_phase[name] = self.by_phase.get(name, 0.0) + time.perf_counter() - started

    def total(self) -> float:
        """Seconds of the run so far."""
        return self.earlier + time.perf_counter() - self._started
