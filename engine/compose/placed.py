"""What another program settles for the runs that it starts: a sweep gives each of its trials a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compose.plan import Plan


@dataclass(kw_only=True, slots=True, frozen=True)
class Placement:
    """Where a run leaves its files, and who is told its plan."""

    folder: Path | None = None  # in place of output_dir/<name>-<run_id>
    on_plan: Callable[[Plan], None] | None = None


_PLACEMENT: ContextVar[Placement] = ContextVar("placement of the run", default=Placement())  # noqa: B039


@contextmanager
def placed_in(folder: Path | None, on_plan: Callable[[Plan], None] | None = None) -> Iterator[None]:
    """Runs that begin in this block use `folder`, and tell their plan."""
    token = _PLACEMENT.set(Placement(folder=folder, on_plan=on_plan))
    try:
        yield
    finally:
        _PLACEMENT.reset(token)


def placed(plan: Plan) -> Plan:
    """The plan as the caller of this run wants it placed; unchanged for a run that was started by itself."""
    placement = _PLACEMENT.get()
    if placement.folder is not None:
        plan = replace(plan, folder=placement.folder)
    if placement.on_plan is not None:
        placement.on_plan(plan)
    return plan
