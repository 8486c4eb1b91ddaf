"""What a trial's attributes in the storage say: its facts, its starts, its lease; to and from TrialRecord."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.outcome import Outcome
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Phase, TrialRecord, TrialScore, TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FACTS = "facts"  # trial attribute: what the worker knows, written whole
STARTS = "starts"  # trial attribute: a list, one entry a start, the last one is the owner
LEASE = "lease"  # trial attribute: the owner's sign of life
TOLD = "told"  # trial attribute: the end, written before the state
RETRY_OF = "retry_of"  # trial attribute: the number of the ended trial that this one stands in for

# Of TrialRecord, what is not in FACTS: Optuna has it, or STARTS and LEASE do.
ELSEWHERE = ("number", "phase", "state", "reports", "worker", "started", "ended", "restarts", "folder")
STATES = {
    "WAITING": TrialState.waiting,
    "RUNNING": TrialState.running,
    "COMPLETE": TrialState.complete,
    "PRUNED": TrialState.pruned,
    "FAIL": TrialState.failed,
}


@dataclass(kw_only=True, slots=True, frozen=True)
class Start:
    """One stretch of work on a trial; times are the worker's own clock, in seconds since 1970."""

    token: str  # of the claim; the trial belongs to whoever holds the last one
    worker: str  # host:process, for people
    process: Mapping[str, object]  # Identity of the process, for whoever wonders whether it lives
    began: float
    ended: float | None = None
    how: str | None = None  # told | stopped (asked to) | died; None: at work


def starts_of(attributes: Mapping[str, object]) -> tuple[Start, ...]:
    """The starts of a trial, oldest first."""
    entries = attributes.get(STARTS)
    return tuple(Start(**entry) for entry in entries) if isinstance(entries, list) else ()


def starts_json(starts: Sequence[Start]) -> list[dict[str, object]]:
    """The starts as the attribute holds them."""
    return [asdict(start) for start in starts]


def number_of(trial: "FrozenTrial") -> int:
    """The number that people know: a retry keeps that of the trial that it stands in for."""
    number = trial.user_attrs.get(RETRY_OF)
    return number if isinstance(number, int) else trial.number


def latest_of(trials: Sequence["FrozenTrial"]) -> list["FrozenTrial"]:
    """The trials in the order of their numbers, without those that were retried."""
    retries = sorted((trial for trial in trials if RETRY_OF in trial.user_attrs), key=lambda one: one.number)
    latest = {number_of(trial): trial for trial in retries}
    kept = [trial for trial in trials if latest.get(number_of(trial), trial) is trial]
    return sorted(kept, key=number_of) if latest else kept


def spans_of(attributes: Mapping[str, object]) -> list[tuple[float, float]]:
    """(begin, end) of each start; a start that has not ended reaches to its last sign of life."""
    lease = attributes.get(LEASE)
    spans = []
    for start in starts_of(attributes):
        end = start.ended
        if end is None and isinstance(lease, dict) and lease.get("token") == start.token:
            end = float(lease["time"])
        spans.append((start.began, max(start.began, end if end is not None else start.began)))
    return spans


def facts_json(record: TrialRecord) -> dict[str, object]:
    """A record's own facts as JSON; facts that have their default value are left out."""
    facts: dict[str, object] = {}
    for name, default in _DEFAULTS.items():
        value = getattr(record, name)
        if value != default:
            facts[name] = _to_json(name, value)
    return facts


def record_of(
    trial: "FrozenTrial", folder: StudyFolder, phase: Phase, objectives: Sequence[str] = ()
) -> TrialRecord:
    """The record of a stored trial; a running one shows how far its last sign of life says it is.

    objectives  their names in order, for values that were told without facts
    """
    attributes = trial.user_attrs
    facts = attributes.get(FACTS)
    own = {name: _from_json(name, value) for name, value in (facts or {}).items() if name in _DEFAULTS}
    state = STATES[trial.state.name]
    starts = starts_of(attributes)
    record = TrialRecord(
        number=number_of(trial),
        phase=phase,
        state=state,
        folder=folder.trial(number_of(trial), phase),
        reports=tuple(sorted(trial.intermediate_values.items())),
        worker=starts[-1].worker if starts else None,
        started=datetime.fromtimestamp(starts[0].began, UTC) if starts else None,
        ended=_ended(state, starts),
        restarts=max(0, len(starts) - 1),
        **own,  # type: ignore[arg-type]  # names and types are facts_json's own
    )
    return _with_progress(record, trial, objectives)


def _with_progress(record: TrialRecord, trial: "FrozenTrial", objectives: Sequence[str]) -> TrialRecord:
    spans = spans_of(trial.user_attrs)
    lease = trial.user_attrs.get(LEASE)
    is_open = record.state in (TrialState.running, TrialState.waiting)
    at_work = sum(end - begin for begin, end in spans)
    newest = lease if isinstance(lease, dict) and is_open else {}
    return replace(
        record,
        params=record.params or dict(trial.params),
        values=record.values or dict(zip(objectives, trial.values or (), strict=False)),
        steps_done=max(record.steps_done, int(newest.get("steps_done", 0))),
        total_steps=record.total_steps or int(newest.get("total_steps", 0)),
        seconds=at_work if is_open or not record.seconds else record.seconds,
    )


def _ended(state: TrialState, starts: Sequence[Start]) -> datetime | None:
    is_over = state not in (TrialState.running, TrialState.waiting)
    if not is_over or not starts or starts[-1].ended is None:
        return None
    return datetime.fromtimestamp(starts[-1].ended, UTC)


def _to_json(name: str, value: object) -> object:
    if name == "scores":
        assert isinstance(value, Mapping)
        return {metric: asdict(score) for metric, score in value.items()}
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): _to_json("", entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple | list) else value


def _from_json(name: str, value: object) -> object:
    if name == "scores":
        assert isinstance(value, dict)
        return {metric: TrialScore(**score) for metric, score in value.items()}
    if name == "outcome":
        return Outcome(value)
    if name == "weights":
        return Path(str(value))
    return tuple(value) if name in ("overrides", "notes") and isinstance(value, list) else value


def _defaults() -> dict[str, object]:
    empty = TrialRecord(number=0, phase=Phase.search, state=TrialState.waiting, folder=Path())
    return {name: getattr(empty, name) for name in TrialRecord.__slots__ if name not in ELSEWHERE}


_DEFAULTS = _defaults()
