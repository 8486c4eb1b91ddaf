"""A study opened for work: made when it is new, compared with what it was when it is not."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.compose.show import show
from engine.config import ConfigError, is_demo
from sweeper.config import Direction, OnChange
from sweeper.space.facts import cannot_extend, differences, dimensions_of
from sweeper.space.grid import grid_of
from sweeper.space.suggest import parameters_of
from sweeper.study.claim import clear_stop
from sweeper.study.folder import StudyFile, StudyFolder
from sweeper.study.lock import study_lock
from sweeper.study.read import CONFIRM, NOTES, write_ended
from sweeper.study.samplers import build_sampler
from sweeper.study.storage import open_storage, safe_url
from sweeper.work.defaults import values_of
from sweeper.work.plan import SweepPlan, pruner_words

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

SPACE, BASE, OBJECTIVES, COMMON = "space", "base", "objectives", "common"  # attributes of the study
SETTINGS, OF, SEED = "settings", "of", "seed"  # attributes of a trial that was not drawn


@dataclass(kw_only=True, slots=True, frozen=True)
class Session:
    """The two studies of a sweep, and where they are kept."""

    folder: StudyFolder
    storage: "BaseStorage"
    search: "optuna.Study"
    confirm: "optuna.Study"
    threads: int  # of the training of every trial


def make_study(plan: SweepPlan, *, threads: int) -> SweepPlan:
    """Make the study, or go on in it; the plan comes back with the name that it has then.

    threads  of a trial's training, if the study is new
    raises   ConfigError where the study of this name is another one, with the difference
    """
    folder = StudyFolder(plan.folder)
    threads = plan.defaults.training.threads or threads
    if folder.exists():
        folder.read()  # refuses one of another schema
    storage = open_storage(plan.storage, folder)
    with study_lock(storage, folder, plan.name):
        existing = facts_of(storage, plan.name)
        changes = [] if existing is None else changes_of(existing, plan)
        if not changes or existing is None:
            _write(plan, folder, storage, existing, threads)
            return plan
        if plan.settings.on_change is OnChange.extend:
            if problems := extension_problems(existing, plan, changes):
                raise ConfigError(problems)
            _note_extension(storage, plan, changes)
            _write(plan, folder, storage, existing, threads)
            return plan
    if plan.settings.on_change is not OnChange.fork:
        raise ConfigError(refusal_of(plan, changes))
    return make_study(forked(plan, storage), threads=threads)


def open_session(plan: SweepPlan) -> Session:
    """The study of a plan, as a worker uses it."""
    import optuna

    folder = StudyFolder(plan.folder)
    storage = open_storage(plan.storage, folder, wait=True)
    sampler = build_sampler(
        plan.settings.sampler,
        plan.space.dimensions,
        num_trials=plan.num_search,
        num_objectives=len(plan.objectives),
    )
    search = optuna.load_study(study_name=plan.name, storage=storage, sampler=sampler)
    confirm = optuna.load_study(study_name=plan.name + CONFIRM, storage=storage)
    common = search.user_attrs[COMMON]
    return Session(
        folder=folder, storage=storage, search=search, confirm=confirm, threads=int(common["threads"])
    )


def reopen(plan: SweepPlan) -> None:
    """Typing the command again takes back a request to stop, and what was said of the end."""
    session = open_session(plan)
    clear_stop(session.search)
    write_ended(session.search, None)


def _write(
    plan: SweepPlan,
    folder: StudyFolder,
    storage: "BaseStorage",
    existing: Mapping[str, object] | None,
    threads: int,
) -> None:
    """Make both studies and what they start with; a kill in between is mended by the next start."""
    import optuna

    folder.make()
    ways = optuna.study.StudyDirection
    directions = [ways[way.name.upper()] for way in plan.objectives.values()]
    names = (plan.name, plan.name + CONFIRM)
    search, confirm = (
        optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
        for name in names
    )
    if existing is None:
        for study in (search, confirm):
            study.set_metric_names(list(plan.objectives))
        search.set_user_attr(COMMON, {"threads": threads, "created": datetime.now(UTC).isoformat()})
    _enqueue_missing(search, plan)
    search.set_user_attr(BASE, plan.base_facts)
    search.set_user_attr(OBJECTIVES, _plain_objectives(plan))
    search.set_user_attr(SPACE, plan.space.facts())  # the last: with it the study is whole
    common = search.user_attrs[COMMON]
    folder.write(_study_file(plan, common))


def _enqueue_missing(study: "optuna.Study", plan: SweepPlan) -> None:
    """The starts, or every combination of a grid; what is there already is not doubled."""
    look = plan.composer.look
    wanted = _default_first(plan) if plan.is_grid else list(plan.space.start)
    known = [
        json.dumps(trial.user_attrs.get(SETTINGS), sort_keys=True)
        for trial in study.get_trials(deepcopy=False)
    ]
    for settings in wanted:
        if json.dumps(settings, sort_keys=True) in known:
            continue
        study.enqueue_trial(parameters_of(plan.space, settings, look), user_attrs={SETTINGS: dict(settings)})


def _default_first(plan: SweepPlan) -> list[dict[str, object]]:
    """Every combination of a grid; the declared default, where it is one of them, is trial 0."""
    combinations = grid_of(plan.space, plan.composer.look)
    default = values_of(plan.space, plan.composer, {})
    return sorted(combinations, key=lambda settings: settings != default)


def _study_file(plan: SweepPlan, common: Mapping[str, object]) -> StudyFile:
    settings, budget = plan.settings, plan.settings.budget
    pruner = pruner_words(plan).split(" ")[0].rstrip(":")
    given = {name: getattr(budget, name) for name in ("trials", "hours", "gpu_hours", "patience")}
    return StudyFile(
        name=plan.name,
        storage=safe_url(plan.storage),
        command=plan.command,
        objectives=plan.objectives,
        constraints=settings.constraints,
        dimensions=plan.space.dimensions,
        space=plan.space.facts(),
        base=plan.base_facts,
        base_hash=hashlib.sha256(_text(plan.base_facts).encode()).hexdigest()[:16],
        sampler="grid" if plan.is_grid else settings.sampler.kind.value,
        pruner=pruner,
        prune_on=None if pruner == "none" or settings.prune is None else settings.prune.on,
        winner=settings.winner,
        num_trials=plan.num_search,
        num_confirmations=plan.num_trials - plan.num_search,
        budget={name: value for name, value in given.items() if value is not None},
        defaults=values_of(plan.space, plan.composer, {}),
        created=datetime.fromisoformat(str(common["created"])),
        is_demo=is_demo(plan.defaults.model),
        device=plan.defaults.training.device,
        threads=int(str(common["threads"])),
    )


def facts_of(storage: "BaseStorage", name: str) -> Mapping[str, object] | None:
    """The attributes of a study of this name that is whole; None: there is none."""
    found = [study for study in storage.get_all_studies() if study.study_name == name]
    if not found or SPACE not in found[0].user_attrs:
        return None
    return dict(found[0].user_attrs)


def changes_of(existing: Mapping[str, object], plan: SweepPlan) -> list[str]:
    """One line for each difference between the study and what is asked for now."""
    space, base = existing[SPACE], existing[BASE]
    assert isinstance(space, dict) and isinstance(base, dict)
    now = json.loads(_text(plan.base_facts))
    asked = json.loads(_text(plan.space.facts()))
    lines = differences(space, asked)
    searched = {dimension.key for facts in (space, asked) for dimension in dimensions_of(facts)}
    for key in dict.fromkeys([*base, *now]):
        if base.get(key) != now.get(key) and key not in searched:
            lines += _changed(key, base.get(key), now.get(key))
    if _has_other_objectives(existing, plan):
        lines.append(f"objectives: {show(existing[OBJECTIVES])} -> {show(_plain_objectives(plan))}")
    return lines


def _note_extension(storage: "BaseStorage", plan: SweepPlan, changes: Sequence[str]) -> None:
    """Reports say from which trial on what was another."""
    import optuna

    study = optuna.load_study(study_name=plan.name, storage=storage)
    begun = sum(trial.state.name != "WAITING" for trial in study.get_trials(deepcopy=False))
    note = f"extended: trials from {begun} on are not of the same kind as those before ({'; '.join(changes)})"
    study.set_user_attr(NOTES, [*study.user_attrs.get(NOTES, []), note])


def extension_problems(existing: Mapping[str, object], plan: SweepPlan, changes: Sequence[str]) -> list[str]:
    """Why the study can't be gone on with under on_change=extend; empty: it can."""
    if _has_other_objectives(existing, plan):
        return refusal_of(plan, changes)
    space = existing[SPACE]
    assert isinstance(space, dict)
    return cannot_extend(space, json.loads(_text(plan.space.facts())))


def _changed(key: str, old: object, new: object) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
        return [f"{key}.{name}: {show(old.get(name))} -> {show(new.get(name))}" for name in keys]
    if key == "pictures":
        return ["the pictures, captions or masks are others now"]
    return [f"{key}: {show(old)} -> {show(new)}"]


def _has_other_objectives(existing: Mapping[str, object], plan: SweepPlan) -> bool:
    return existing[OBJECTIVES] != _plain_objectives(plan)


def _plain_objectives(plan: SweepPlan) -> dict[str, str]:
    return {name: Direction(way).value for name, way in plan.objectives.items()}


def refusal_of(plan: SweepPlan, changes: Sequence[str]) -> list[str]:
    """Why a study of this name is not gone on with, what to do, and each difference."""
    ways = "hydra.sweeper.on_change=fork starts one beside it, hydra.sweeper.study=... names another."
    if not any(line.startswith("objectives:") for line in changes):
        ways = f"hydra.sweeper.on_change=extend goes on all the same, {ways}"
    return [
        f"hydra.sweeper.study={plan.name}: a study of this name has other trials, not to be compared. {ways}",
        *(f"  was -> is   {line}" for line in changes),
    ]


def forked(plan: SweepPlan, storage: "BaseStorage") -> SweepPlan:
    """The same plan under the first free name: <name>-2, <name>-3; one that fits is gone on with."""
    number = 2
    while True:
        name = f"{plan.name}-{number}"
        fork = replace(plan, name=name, folder=plan.folder.parent / name)
        found = facts_of(_storage_of(fork, storage), name)
        if found is None or not changes_of(found, fork):
            return fork
        number += 1


def _storage_of(fork: SweepPlan, storage: "BaseStorage") -> "BaseStorage":
    """A journal lies in the study's own folder, a database holds all studies."""
    folder = StudyFolder(fork.folder)
    if fork.storage != "journal" or not folder.exists():
        return storage
    return open_storage(fork.storage, folder)


def _text(facts: object) -> str:
    return json.dumps(facts, sort_keys=True, default=str)
