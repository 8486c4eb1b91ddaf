"""Puts ended trials into the queue again: same number, same settings; their first attempts count no more."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.outcome import Outcome
from sweeper.study.facts import FACTS, RETRY_OF, latest_of, number_of, record_of
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Phase, TrialRecord

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_FIXED = "fixed_params"  # system attribute of Optuna: what a trial of the queue takes on
_OURS = ("settings", "of", "seed")  # attributes that say what a trial is, not how it went


@dataclass(kw_only=True, slots=True, frozen=True)
class Retry:
    """A trial that is to be tried again."""

    stored: "FrozenTrial"
    record: TrialRecord

    @property
    def has_settings(self) -> bool:
        """Whether it came as far as having any; a worker that died while drawing them left none."""
        return "settings" in self.stored.user_attrs


def retries_of(study: "optuna.Study | None", folder: StudyFolder, phase: Phase) -> list[Retry]:
    """Every ended trial that did not come to a value nor was pruned for one, the latest attempt of each."""
    if study is None:
        return []
    trials = latest_of(study.get_trials(deepcopy=False))
    found = [Retry(stored=trial, record=record_of(trial, folder, phase)) for trial in trials]
    lost = (Outcome.failed, Outcome.diverged, Outcome.out_of_memory)
    return [one for one in found if one.stored.state.is_finished() and one.record.outcome in lost]


def enqueue_retry(study: "optuna.Study", retry: Retry) -> None:
    """A new trial of the queue that stands in for the old one. Call it under the study's lock.

    Optuna opens no ended trial again; to people the number, the folder and the settings are the same.
    """
    stored, record = retry.stored, retry.record
    fixed = stored.system_attrs.get(_FIXED)
    params = {**(fixed if isinstance(fixed, Mapping) else {}), **stored.params}
    kept = {name: stored.user_attrs[name] for name in _OURS if name in stored.user_attrs}
    note = f"tried again: it had {_words(record)}"
    facts: dict[str, object] = {"params": dict(record.params), "notes": [*record.notes, note]}
    study.enqueue_trial(params, user_attrs={**kept, RETRY_OF: number_of(stored), FACTS: facts})


def set_aside(record: TrialRecord, folder: StudyFolder) -> Path | None:
    """Move a folder that can't be gone on with away, so that the trial begins at its first step.

    returns  where it is now; None: there is none, or it stays: after a failure its checkpoint is still good
    """
    halved = any("halved" in note for note in record.notes)
    if not record.folder.is_dir() or (record.outcome is Outcome.failed and not halved):
        return None
    place = folder.root / "set_aside"
    place.mkdir(exist_ok=True)
    number = 1
    while (target := place / f"{record.folder.parent.name}-{record.folder.name}-{number}").exists():
        number += 1
    shutil.move(record.folder, target)
    return target


def _words(record: TrialRecord) -> str:
    words = "failed" if record.outcome is None else record.outcome.value.replace("_", " ")
    return f"{words} ({' '.join(record.cause.split())[:200]})" if record.cause else words
