"""The lines of the live display, from plain data: a head, one a worker, one a trial that ended."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from rich.console import Group
from rich.text import Text

from engine.config.outcome import Outcome
from sweeper.answer.names import short_names, show_value
from sweeper.answer.winner import rank_trials, rule_of
from sweeper.answer.words import counts_words, number_words, seconds_words
from sweeper.display.worker_status import WorkerStatus
from sweeper.study.records import Phase, StudyRecord, TrialRecord, TrialState

ENDED = (TrialState.complete, TrialState.pruned, TrialState.failed)
SILENT = 60.0  # seconds without a word after which a worker's line says so

_COLUMNS, _FEW = 6, 2  # cells of a worker's line with and without a trial
_LONGEST_NAME = 17
_STYLES = {Outcome.completed: "green", Outcome.pruned: "yellow", Outcome.interrupted: "yellow"}


@dataclass(kw_only=True, slots=True, frozen=True)
class Seen:
    """A study as it was last read, with what takes a while to work out."""

    record: StudyRecord
    best: TrialRecord | None  # by the study's own rule
    names: Mapping[str, str]  # searched key -> short name

    @property
    def runs(self) -> list[TrialRecord]:
        """Search trials and confirmations."""
        return [*self.record.trials, *self.record.confirmations]


def see(record: StudyRecord) -> Seen:
    """Rank the trials of a study."""
    ranked = rank_trials(record, rule_of(record))
    best = record.trial(ranked[0].number) if ranked else None
    return Seen(record=record, best=best, names=short_names([one.key for one in record.dimensions]))


def live_view(seen: Seen, workers: Sequence[WorkerStatus], *, elapsed: float, now: float) -> Group:
    """Everything that is refreshed: at most two lines of head, then a line a worker.

    elapsed  seconds since this start
    now      seconds since 1970
    """
    return Group(_head(seen, workers, elapsed, now), _best_line(seen), *_worker_lines(workers, now))


def ended_line(trial: TrialRecord, seen: Seen) -> Text:
    """`trial 7  (8 of 24)  completed  likeness 0.893 (best 0.901)  rank=16 lr=3e-3  41 s`."""
    outcome = trial.outcome or Outcome.failed
    line = Text(f"{_run_name(trial)}  ({_progress(seen)})  ")
    line.append(outcome.value.replace("_", " "), _STYLES.get(outcome, "red"))
    if outcome is Outcome.completed:
        line.append(f"  {_values(trial)}{_beside_best(trial, seen)}")
    settings = " ".join(
        f"{seen.names.get(key, key)}={show_value(value)}" for key, value in trial.params.items()
    )
    parts = [settings, seconds_words(trial.seconds), trial.cause or ""]
    line.append("".join(f"  {part}" for part in parts if part))
    return line


def seconds_left(seen: Seen, workers: Sequence[WorkerStatus], now: float) -> float | None:
    """An estimate of what the sweep still takes; None before anything has ended or without a total."""
    search = [trial.seconds for trial in seen.record.trials if trial.state in ENDED and trial.seconds]
    whole = [trial.seconds for trial in seen.runs if trial.state is TrialState.complete and trial.seconds]
    if seen.record.num_trials is None or not search:
        return None
    mean, full = fmean(search), fmean(whole or search)
    work = mean * max(0, seen.record.num_trials - _num_ended(seen.record.trials))
    work += full * max(0, seen.record.num_confirmations - _num_ended(seen.record.confirmations))
    at_work = [worker for worker in workers if worker.trial is not None]
    done = sum(min(mean, max(0.0, now - worker.trial_started)) for worker in at_work)
    return max(0.0, work - done) / max(1, len(at_work))


def _head(seen: Seen, workers: Sequence[WorkerStatus], elapsed: float, now: float) -> Text:
    left = seconds_left(seen, workers, now)
    parts = [f"{_progress(seen)} trials", _bad_ends(seen), seconds_words(elapsed)]
    parts += [] if not left else [f"about {seconds_words(left)} left"]
    return Text.assemble((seen.record.name, "bold"), *(f"  {part}" for part in parts if part))


def _best_line(seen: Seen) -> Text:
    if seen.best is None:
        return Text("no trial has completed yet", style="dim", no_wrap=True, overflow="ellipsis")
    settings = " ".join(
        f"{seen.names.get(key, key)}={show_value(value)}" for key, value in seen.best.params.items()
    )
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append("best so far  ").append(_values(seen.best), "green")
    return line.append(f"  trial {seen.best.number}: {settings or 'the defaults'}")


def _worker_lines(workers: Sequence[WorkerStatus], now: float) -> list[Text]:
    """One a worker, in columns; those without a trial say why in the rest of the line."""
    if not workers:
        return [Text("no worker is at work yet", style="dim")]
    rows = [_worker_cells(worker, now) for worker in workers]
    full = [row for row in rows if len(row) > _FEW]
    widths = [max((len(row[place]) for row in full), default=0) for place in range(_COLUMNS)]
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if cell.endswith("left") else cell.ljust(width)
            for cell, width in zip(row, widths, strict=False)
        ]
        lines.append(Text("  ".join(cells).rstrip(), no_wrap=True, overflow="ellipsis"))
    return lines


def _worker_cells(worker: WorkerStatus, now: float) -> list[str]:
    where = worker.worker if worker.slot is None else f"slot {worker.slot}"
    name = _shortened(f"{where} {worker.device}".strip())
    silent = now - worker.updated
    activity = f"silent for {seconds_words(silent)}" if silent > SILENT else worker.activity
    if worker.trial is None:
        return [name, activity]
    trial = f"{'trial' if worker.phase is Phase.search else 'confirm'} {worker.trial}"
    step = f"{worker.step}/{worker.total_steps}" if worker.total_steps else ""
    loss = "" if worker.loss is None else f"loss {worker.loss:.4f}"
    return [name, trial, activity, step, loss, _time_left(worker)]


def _shortened(name: str) -> str:
    """Both ends of a long one: host names tell apart at the start, processes at the end."""
    half = (_LONGEST_NAME - 1) // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def _time_left(worker: WorkerStatus) -> str:
    """Of the training; drawing and scoring come after it."""
    done, spent = worker.step - worker.first_step, worker.updated - worker.trial_started
    if worker.activity != "training" or done <= 0 or spent <= 0 or worker.step >= worker.total_steps:
        return ""
    return f"{seconds_words(spent / done * (worker.total_steps - worker.step))} left"


def _run_name(trial: TrialRecord) -> str:
    if trial.phase is Phase.search:
        return f"trial {trial.number}"
    return f"confirm {trial.number}" + ("" if trial.of is None else f" of trial {trial.of}")


def _progress(seen: Seen) -> str:
    done, record = _num_ended(seen.runs), seen.record
    if record.num_trials is None:
        return f"{done}"
    return f"{done} of {max(done, record.num_trials + record.num_confirmations)}"  # the budget may shrink


def _num_ended(trials: Sequence[TrialRecord]) -> int:
    return sum(trial.state in ENDED for trial in trials)


def _bad_ends(seen: Seen) -> str:
    counts: Counter[str] = Counter()
    for trial in seen.runs:
        if trial.state in (TrialState.pruned, TrialState.failed):
            counts[(trial.outcome or Outcome(trial.state.value)).value] += 1
    return counts_words(counts)


def _values(trial: TrialRecord) -> str:
    return ", ".join(f"{name} {number_words(value)}" for name, value in trial.values.items())


def _beside_best(trial: TrialRecord, seen: Seen) -> str:
    if seen.best is None or trial.phase is Phase.confirm:
        return ""
    if seen.best.number == trial.number:
        return " (the best so far)"
    return f" (best {', '.join(number_words(value) for value in seen.best.values.values())})"
