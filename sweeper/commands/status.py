"""python -m sweeper status: one study, from its workers to its failures."""

import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from sweeper.answer.answer import answer_of
from sweeper.answer.verdict import outcome_counts
from sweeper.answer.words import counts_words, seconds_words, trials_words
from sweeper.commands.arguments import RETRIED, Arguments
from sweeper.commands.state import Activity, StudyState, ago_words, num_ended, state_of
from sweeper.commands.studies import OpenStudy, chosen_study, near, open_study
from sweeper.config import Direction
from sweeper.display.lines import live_view, see
from sweeper.study.records import Phase, StudyRecord, TrialRecord, TrialState

_LONGEST_CAUSE = 300  # letters; the rest is in the trial's output.log
_MOST_FAILURES = 20
_LABEL = 14  # letters of the first column
_OUTPUT = "output.log"


def status(arguments: Arguments) -> int:
    """Print how a study stands."""
    study = open_study(chosen_study(arguments), arguments.storage)
    answer = answer_of(study.record)
    state, console = state_of(study, answer), Console(file=sys.stdout)
    console.print(Text.assemble((study.record.name, "bold"), f"  {state.words}, {_last(state)}"))
    for label, text in _rows(study, state):
        _print_row(console, label, text)
    if study.workers:
        console.print()
        view = live_view(see(study.record), study.workers, elapsed=state.hours * 3600, now=time.time())
        console.print(view)
    console.print()
    console.print(Text(answer.sentence))
    _print_failures(study.record, console)
    _print_next(study.record, state, console)
    return 0


def _rows(study: OpenStudy, state: StudyState) -> Iterator[tuple[str, str]]:
    record = study.record
    yield "folder", near(record.folder)
    yield "storage", record.storage
    yield "objectives", ", ".join(f"{name} ({_way(way)})" for name, way in record.objectives.items())
    yield "search", _progress(record.trials, record.num_trials, "trials")
    if record.num_confirmations or record.confirmations:
        yield "confirmations", _progress(record.confirmations, record.num_confirmations, "runs")
    waiting = [trial for trial in _runs(record) if trial.state is TrialState.waiting]
    if waiting:
        yield "waiting", ", ".join(_waiting_words(trial) for trial in waiting)
    yield "time at work", _hours(state, record)
    if state.reason is not None:
        yield (
            ("stopped" if state.activity in (Activity.stopped, Activity.stopping) else "used up"),
            state.reason,
        )
    elif record.stopped is not None and state.activity is Activity.waiting:
        yield "last start", f"ended: {record.stopped}"


def _progress(trials: Sequence[TrialRecord], total: int | None, what: str) -> str:
    """18 of 24 trials ended: 15 completed, 3 pruned; 2 running. Of a smaller budget since: 18 trials."""
    counts = outcome_counts(trials)
    open_ones: dict[str, int] = {name: counts.pop(name) for name in ("running", "waiting") if name in counts}
    ended = num_ended(trials)
    of = "" if total is None or ended > total else f" of {total}"
    done = f"{ended}{of} {what} ended"
    return "; ".join(
        part
        for part in (f"{done}{f': {counts_words(counts)}' if counts else ''}", counts_words(open_ones))
        if part
    )


def _waiting_words(trial: TrialRecord) -> str:
    name = f"{'trial' if trial.phase is Phase.search else 'confirm'} {trial.number}"
    return f"{name} (from step {trial.steps_done} of {trial.total_steps})" if trial.steps_done else name


def _hours(state: StudyState, record: StudyRecord) -> str:
    """41 min of 8 h; 2.4 h of 24 h summed over workers."""
    limits = [record.budget.get(key) for key in ("hours", "gpu_hours")]
    own, summed = (
        seconds_words(3600 * used) + ("" if limit is None else f" of {limit:g} h")
        for used, limit in zip((state.hours, state.worker_hours), limits, strict=True)
    )
    return f"{own}; {summed} summed over workers"


def _print_failures(record: StudyRecord, console: Console) -> None:
    lost = [
        trial
        for trial in _runs(record)
        if trial.state is TrialState.failed
        or (trial.state is TrialState.pruned and trial.cause and _is_bad(trial))
    ]
    if not lost:
        return
    console.print()
    console.print(Text(f"{trials_words(len(lost))} that came to nothing:"))
    for trial in lost[-_MOST_FAILURES:]:
        cause = " ".join((trial.cause or "no cause is known").split())
        short = cause if len(cause) <= _LONGEST_CAUSE else f"{cause[:_LONGEST_CAUSE]}..."
        words = "failed" if trial.outcome is None else trial.outcome.value.replace("_", " ")
        name = f"{'trial' if trial.phase is Phase.search else 'confirm'} {trial.number}"
        console.print(Padding(Text(f"{name}  {words}: {short}"), (0, 0, 0, 2)))
        if (trial.folder / _OUTPUT).is_file():
            _print_line(console, f"    {near(trial.folder / _OUTPUT)}")
    if len(lost) > _MOST_FAILURES:
        console.print(f"  and {len(lost) - _MOST_FAILURES} before them: see trials.csv")


def _is_bad(trial: TrialRecord) -> bool:
    return trial.outcome is not None and trial.outcome.value == "out_of_memory"


def _print_next(record: StudyRecord, state: StudyState, console: Console) -> None:
    if state.activity in (Activity.waiting, Activity.stopped):
        console.print()
        console.print("The same command goes on:")
        _print_line(console, f"  {record.command}")
    elif state.activity is Activity.finished and record.sampler != "grid":
        console.print()
        console.print(Text("A larger budget in the same command goes on."))
    lost = next((trial.outcome for trial in record.trials if trial.state is TrialState.failed), None)
    if state.activity is Activity.finished and lost is not None:
        kind = "" if lost.value == RETRIED[0] else f" outcome={lost.value}"
        console.print(
            Text(f"When the cause is mended: python -m sweeper retry{kind}, then the same command.")
        )


def _print_row(console: Console, label: str, text: str) -> None:
    from rich.table import Table

    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=_LABEL)
    row.add_column(overflow="fold")
    row.add_row(Text(label, style="dim"), Text(text))
    console.print(row)


def _print_line(console: Console, text: str) -> None:
    """What one copies is not wrapped."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _runs(record: StudyRecord) -> list[TrialRecord]:
    return [*record.trials, *record.confirmations]


def _last(state: StudyState) -> str:
    words = ago_words(state.last_sign)
    return f"last sign of life {words}" if words else "nothing has begun"


def _way(way: Direction) -> str:
    return way.value
