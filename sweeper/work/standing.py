"""What a sweep would find where its study is kept: none of its name, one to go on in, or another one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.answer.words import counts_words, trials_words
from sweeper.config import OnChange
from sweeper.study.facts import STATES, latest_of
from sweeper.study.folder import StudyFolder
from sweeper.study.peek import peek
from sweeper.study.records import TrialState
from sweeper.work.plan import SweepPlan
from sweeper.work.session import changes_of, extension_problems, facts_of, forked, refusal_of

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


@dataclass(kw_only=True, slots=True, frozen=True)
class Standing:
    """What a start would do with the study, found without making anything."""

    words: str
    storage: "BaseStorage | None" = None  # None: there is nothing yet
    refusal: tuple[str, ...] = ()  # why a start would be refused


def standing_of(plan: SweepPlan) -> Standing:
    """Look, and make nothing; ConfigError where the storage cannot be reached or read."""
    folder = StudyFolder(plan.folder)
    if folder.exists():
        folder.read()  # refuses one of another schema
    storage = peek(plan.storage, folder)
    existing = None if storage is None else facts_of(storage, plan.name)
    if storage is None or existing is None:
        return Standing(words="none of this name yet: it would be made", storage=storage)
    there, changes = _trials_there(storage, plan.name), changes_of(existing, plan)
    if not changes:
        return Standing(words=f"{there}: it would go on", storage=storage)
    if plan.settings.on_change is OnChange.fork:
        fork = forked(plan, storage)
        return Standing(words=f"{there}, another one: {fork.name} would be taken beside it", storage=storage)
    refusal = refusal_of(plan, changes)
    if plan.settings.on_change is OnChange.extend:
        refusal = extension_problems(existing, plan, changes)
    words = f"{there}, another one: a start would be refused" if refusal else f"{there}: it would be extended"
    return Standing(words=words, storage=storage, refusal=tuple(refusal))


def _trials_there(storage: "BaseStorage", name: str) -> str:
    """5 trials: 4 complete, 1 waiting."""
    trials = latest_of(storage.get_all_trials(storage.get_study_id_from_name(name), deepcopy=False))
    states = [STATES[trial.state.name].value for trial in trials]
    ways = {state.value: states.count(state.value) for state in TrialState}
    counts = counts_words(ways)
    return f"is there with {trials_words(len(trials))}" + (f" ({counts})" if counts else "")
