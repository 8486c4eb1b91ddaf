"""python -m sweeper retry: trials that came to nothing, into the queue again."""

from collections.abc import Sequence

from engine.config.errors import ConfigError
from engine.config.outcome import Outcome
from sweeper.commands.arguments import RETRIED, Arguments
from sweeper.commands.state import ENDED, spent
from sweeper.commands.studies import OpenStudy, chosen_study, near, open_study, readable
from sweeper.study.lock import study_lock
from sweeper.study.records import Phase, TrialRecord, TrialState
from sweeper.study.retry import Retry, enqueue_retry, retries_of, set_aside


def retry(arguments: Arguments) -> int:
    """Queue them; 1 where there is nothing to try again."""
    folder = chosen_study(arguments)
    study = open_study(folder, arguments.storage)
    with readable(folder), study_lock(study.storage, folder, study.record.name):
        chosen = _chosen(arguments, study)
        lost = [one for one in chosen if not one.has_settings]
        for one in chosen:
            if one.has_settings:
                _queue(study, one)
    for one in lost:
        print(f"{_name(one.record)}: has no settings yet; the sweep draws others in its place")
    if len(chosen) == len(lost):
        print(f"nothing to try again{_others(study)}")
        return 1
    _tell_how(open_study(folder, arguments.storage))
    return 0


def _chosen(arguments: Arguments, study: OpenStudy) -> list[Retry]:
    search = retries_of(study.search, study.folder, Phase.search)
    confirm = retries_of(study.confirm, study.folder, Phase.confirm)
    for key, found, runs in (
        ("trial", search, study.record.trials),
        ("confirm", confirm, study.record.confirmations),
    ):
        number = arguments.number(key)
        if number is not None:
            return [_by_number(key, number, found, runs)]
    outcome = Outcome(arguments.given.get("outcome", RETRIED[0]))
    return [one for one in (*search, *confirm) if one.record.outcome is outcome]


def _others(study: OpenStudy) -> str:
    """What another outcome=... would find."""
    runs = [*study.record.trials, *study.record.confirmations]
    ends = [run.outcome.value for run in runs if run.outcome is not None and run.state in ENDED]
    found = [f"outcome={name}: {ends.count(name)}" for name in RETRIED[1:] if name in ends]
    return f" ({', '.join(found)})" if found else ""


def _by_number(key: str, number: int, found: Sequence[Retry], runs: Sequence[TrialRecord]) -> Retry:
    for one in found:
        if one.record.number == number:
            return one
    record = next((run for run in runs if run.number == number), None)
    if record is None:
        raise ConfigError(f"{key}={number}: there is none of this number. status and trials.csv show them.")
    raise ConfigError(f"{key}={number}: {_refusal(record)}")


def _refusal(record: TrialRecord) -> str:
    if record.state is TrialState.waiting:
        return "waits in the queue already. The sweep's command runs it."
    if record.state is TrialState.running:
        return "is at work. Wait for its end."
    words = "completed" if record.state is TrialState.complete else "was pruned"
    return f"{words}: its result would be the same. What {', '.join(RETRIED)} can be tried again."


def _queue(study: OpenStudy, one: Retry) -> None:
    target = study.search if one.record.phase is Phase.search else study.confirm
    assert target is not None, "it has this trial"
    moved = set_aside(one.record, study.folder)
    enqueue_retry(target, one)
    begins = "from its first step" if moved or not one.record.steps_done else "from its last checkpoint"
    print(f"{_name(one.record)}: in the queue again, {begins}")
    if moved is not None:
        print(f"  what the first attempt left is in {near(moved)}")


def _tell_how(study: OpenStudy) -> None:
    reason = spent(study, study.stored(), [*study.stored(), *study.stored(confirm=True)])
    if study.workers:
        print("The workers that run take them.")
        return
    if reason is not None:
        print(f"The budget is used up ({reason}): give a larger one in the command, which runs them:")
    else:
        print("The sweep's command runs them:")
    print(f"  {study.record.command}")


def _name(record: TrialRecord) -> str:
    return f"{'trial' if record.phase is Phase.search else 'confirm'} {record.number}"
