"""Where a study stands: at work, stopped, finished, or waiting for its command; its budget."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from sweeper.answer.records import Answer
from sweeper.answer.words import seconds_words
from sweeper.commands.studies import OpenStudy
from sweeper.study.budget import Budget, has_begun, hours_at_work, is_enough, time_is_up, worker_hours
from sweeper.study.claim import stop_reason
from sweeper.study.facts import spans_of, starts_of
from sweeper.study.records import TrialRecord, TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ENDED = (TrialState.complete, TrialState.pruned, TrialState.failed)
_FRESH = 120.0  # seconds; a trial whose worker is not seen here, but gave a sign since then, is at work


class Activity(Enum):
    """What goes on in a study."""

    running = "running"
    stopping = "stopping"  # asked to stop; trials still run
    stopped = "stopped"
    finished = "finished"
    waiting = "waiting"  # there is more to do, and nobody at work


@dataclass(kw_only=True, slots=True, frozen=True)
class StudyState:
    """What goes on, and what was used."""

    activity: Activity
    num_at_work: int  # workers whose files are here, or else trials that show signs of life
    reason: str | None  # why no more trials are started; None: they are, or will be
    hours: float  # in which somebody was at work
    worker_hours: float  # summed over workers
    last_sign: datetime | None

    @property
    def words(self) -> str:
        """running (2 workers)."""
        if self.activity in (Activity.running, Activity.stopping):
            return f"{self.activity.value} ({self.num_at_work} worker{'s' * (self.num_at_work != 1)})"
        return self.activity.value


def state_of(study: OpenStudy, answer: Answer) -> StudyState:
    """How a study stands now."""
    search, confirm = study.stored(), study.stored(confirm=True)
    everything = [*search, *confirm]
    num_at_work = len(study.workers) or sum(_shows_life(trial) for trial in everything)
    asked = None if study.search is None else stop_reason(study.search)
    reason = asked or spent(study, search, everything)
    if num_at_work:
        activity = Activity.stopping if asked else Activity.running
    elif asked:
        activity = Activity.stopped
    else:
        activity = Activity.finished if _is_over(study, answer) else Activity.waiting
    return StudyState(
        activity=activity,
        num_at_work=num_at_work,
        reason=reason,
        hours=hours_at_work(everything),
        worker_hours=worker_hours(everything),
        last_sign=_last_sign(study, everything),
    )


def spent(
    study: OpenStudy, search: Sequence["FrozenTrial"], everything: Sequence["FrozenTrial"]
) -> str | None:
    """The sentence of the budget that is used up, as the study's last command stated it."""
    if study.search is None:
        return None
    given = study.record.budget
    limits = Budget(
        trials=study.record.num_trials,
        hours=given.get("hours"),
        gpu_hours=given.get("gpu_hours"),
        patience=None if given.get("patience") is None else int(given["patience"]),
    )
    return time_is_up(limits, everything) or is_enough(limits, search, study.search.directions)


def num_ended(trials: Sequence[TrialRecord]) -> int:
    """How many have ended, however."""
    return sum(trial.state in ENDED for trial in trials)


def ago_words(moment: datetime | None) -> str:
    """5 min ago; the date where that is longer than a day and a half."""
    if moment is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    return f"{seconds_words(seconds)} ago" if seconds < 36 * 3600 else f"{moment.astimezone():%Y-%m-%d}"


def _is_over(study: OpenStudy, answer: Answer) -> bool:
    """Whether typing the command again would train nothing."""
    search, confirm = study.stored(), study.stored(confirm=True)
    if study.search is None:
        return False
    if _time_is_over(study, [*search, *confirm]):
        return True
    is_open = any(not trial.state.is_finished() and has_begun(trial) for trial in [*search, *confirm])
    return not is_open and spent(study, search, [*search, *confirm]) is not None and not answer.num_missing


def _time_is_over(study: OpenStudy, everything: Sequence["FrozenTrial"]) -> bool:
    given = study.record.budget
    return (
        time_is_up(Budget(hours=given.get("hours"), gpu_hours=given.get("gpu_hours")), everything) is not None
    )


def _shows_life(trial: "FrozenTrial") -> bool:
    if trial.state.name != "RUNNING":
        return False
    from sweeper.study.process import is_surely_dead
    from sweeper.study.staleness import last_sign_of

    starts = starts_of(trial.user_attrs)
    if not starts:
        return False
    sign = last_sign_of(trial, starts[-1])
    return time.time() - sign < _FRESH and not is_surely_dead(starts[-1].process, last_sign=sign)


def _last_sign(study: OpenStudy, everything: Sequence["FrozenTrial"]) -> datetime | None:
    signs = [end for trial in everything for _, end in spans_of(trial.user_attrs)]
    signs += [worker.updated for worker in study.workers]
    return datetime.fromtimestamp(max(signs), UTC) if signs else study.record.created
