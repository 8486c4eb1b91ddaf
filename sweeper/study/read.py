"""Reads a study whole, as plain data: for the display, the report, the answer and the commands."""

from typing import TYPE_CHECKING

from engine.config import ConfigError
from sweeper.study.claim import stop_reason
from sweeper.study.facts import latest_of, record_of
from sweeper.study.folder import StudyFile, StudyFolder
from sweeper.study.records import Phase, StudyRecord, TrialRecord
from sweeper.study.storage import open_storage

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

NOTES = "notes"  # study attribute: what a reader of all trials must know
CONFIRM = "/confirm"  # after the name of the second study
ENDED = "ended"  # study attribute: why the last start ended, in words


def read_study(folder: StudyFolder, storage: "BaseStorage | str | None" = None) -> StudyRecord:
    """What study.json and the storage say; ConfigError where there is no study.

    storage  open already, or a URL; None: what study.json names, which does not keep a password
    """
    file = folder.read()
    if storage is None or isinstance(storage, str):
        storage = open_storage(storage or storage_url(file, folder), folder)
    return read_session(folder, *load_studies(file, storage))


def load_studies(
    file: StudyFile, storage: "BaseStorage"
) -> "tuple[optuna.Study | None, optuna.Study | None]":
    """Search and confirmations; None: not made yet."""
    import optuna

    known = {study.study_name for study in storage.get_all_studies()}
    search, confirm = (
        optuna.load_study(study_name=name, storage=storage) if name in known else None
        for name in (file.name, file.name + CONFIRM)
    )
    return search, confirm


def storage_url(file: StudyFile, folder: StudyFolder) -> str:
    """Where the study is kept; ConfigError where that needs a password, which is kept nowhere."""
    if "***" in file.storage:
        raise ConfigError(
            f"storage={file.storage}: the study in {folder.root} is in a database whose password is kept "
            "nowhere. Give storage=<the URL with its password>."
        )
    return file.storage


def read_session(
    folder: StudyFolder, search: "optuna.Study | None", confirm: "optuna.Study | None"
) -> StudyRecord:
    """The same from studies that are open already; None: not made yet."""
    file = folder.read()
    return StudyRecord(
        name=file.name,
        folder=folder.root,
        storage=file.storage,
        command=file.command,
        objectives=file.objectives,
        constraints=file.constraints,
        dimensions=file.dimensions,
        trials=_records(search, folder, Phase.search),
        notes=tuple(search.user_attrs.get(NOTES, ())) if search is not None else (),
        confirmations=_records(confirm, folder, Phase.confirm),
        sampler=file.sampler,
        pruner=file.pruner,
        prune_on=file.prune_on,
        winner=file.winner,
        num_trials=file.num_trials,
        num_confirmations=file.num_confirmations,
        budget=file.budget,
        defaults=file.defaults,
        created=file.created,
        stopped=_stopped(search),
        is_demo=file.is_demo,
        device=file.device,
        threads=file.threads,
    )


def write_ended(study: "optuna.Study", reason: str | None) -> None:
    """Keep why a start of the sweep ended ("24 of 24 trials"), for its reports; None at the next start."""
    study.set_user_attr(ENDED, reason)


def _records(study: "optuna.Study | None", folder: StudyFolder, phase: Phase) -> tuple[TrialRecord, ...]:
    if study is None:
        return ()
    trials = latest_of(study.get_trials(deepcopy=False))
    names = study.metric_names or []
    return tuple(record_of(trial, folder, phase, names) for trial in trials)


def _stopped(study: "optuna.Study | None") -> str | None:
    if study is None:
        return None
    ended = study.user_attrs.get(ENDED)
    return stop_reason(study) or (ended if isinstance(ended, str) else None)
