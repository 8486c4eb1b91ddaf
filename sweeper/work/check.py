"""Every setting that a sweep may come to is composed and checked before its first trial."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace

from engine.compose.dead_options import dead_options
from engine.compose.folders import folder_problems
from engine.compose.load import load
from engine.compose.placed import placed_in
from engine.compose.plan import Plan
from engine.compose.rules import broken_rules
from engine.config import ConfigError
from engine.data.fingerprints import dataset_fingerprint, picture_fingerprints
from sweeper.answer.names import settings_words, short_names
from sweeper.space.walking import candidates_of
from sweeper.work.plan import OWN_KEYS, SweepPlan

_NOT_IN_SWEEPS = {
    "force": "a trial is repeated by giving the study another name: hydra.sweeper.study=NAME",
    "inspect": "look at batches of a single run first",
    "output_dir": "trials lie in the study's folder: hydra.sweeper.folder=DIR",
}


def check_sweep(plan: SweepPlan) -> SweepPlan:
    """The plan with what the disk tells: how many prompts there are, and which pictures.

    raises  ConfigError with all problems of all candidates, each with the settings that show it
    """
    problems = [*_own_problems(plan)]
    candidates = candidates_of(plan.space, plan.composer.look)
    problems += _problems_of_all(plan, candidates)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    plans: list[Plan] = []
    for chosen in _different_files(plan, candidates):
        problems += _start_problems(plan, chosen, plans.append)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return _told(plan, plans)


def _told(plan: SweepPlan, plans: Sequence[Plan]) -> SweepPlan:
    data = sorted({dataset_fingerprint(picture_fingerprints(one.scan)) for one in plans})
    return replace(
        plan,
        num_prompts_left=plans[0].drawing.chosen.num_left,
        base_facts={**plan.base_facts, "pictures": data},
    )


def _own_problems(plan: SweepPlan) -> Iterator[str]:
    typed = {text.lstrip("+").split("=")[0]: text for text in plan.composer.fixed}
    for key, advice in _NOT_IN_SWEEPS.items():
        if key in typed:
            yield f"{typed[key]}: not in a sweep; {advice}."
    for dimension in plan.space.dimensions:
        if dimension.key.split(".")[0] in OWN_KEYS:
            yield f"{dimension.key}: nothing to search, since it does not change the run. Give one value."
    if plan.defaults.files.copy_to is not None:
        yield (
            f"files.copy_to={plan.defaults.files.copy_to}: not in a sweep, whose trials share one name. "
            "Leave it out; the best trial's weights are in the folder of the sweep."
        )
    if not plan.defaults.evaluation.enabled and set(plan.objectives) != {"val_loss"}:
        yield "evaluation.enabled=false: a sweep needs scores. Leave it out."
    yield from folder_problems("hydra.sweeper.folder", plan.settings.folder)
    if plan.folder.is_file():
        yield f"hydra.sweeper.study={plan.name}: {plan.folder} is a file. Give another name, or move it away."
    budget = plan.settings.budget
    for name in ("trials", "hours", "gpu_hours", "patience"):
        value = getattr(budget, name)
        if value is not None and not value > 0:
            yield f"hydra.sweeper.budget.{name}={value}: give more than 0, or null."
    if plan.settings.storage != "journal" and "://" not in plan.settings.storage:
        yield (
            f"hydra.sweeper.storage={plan.settings.storage}: unknown. Give journal or the URL of a database, "
            "such as postgresql://user@host/database."
        )
    if plan.settings.lease < 10:
        yield f"hydra.sweeper.lease={plan.settings.lease}: seconds; give at least 10."
    if plan.settings.workers is not None and plan.settings.workers < 1:
        yield f"hydra.sweeper.workers={plan.settings.workers}: give at least 1, or null."
    confirm = plan.settings.confirm
    if confirm is not None and not (0 <= confirm.share < 1 and confirm.top >= 1 and confirm.seeds >= 2):
        yield "hydra.sweeper.confirm: share is from 0 to below 1, top at least 1, seeds at least 2."
    prune = plan.settings.prune
    if prune is not None and (prune.eta < 2 or (prune.min is not None and prune.min < 1)):
        yield "hydra.sweeper.prune: eta is at least 2, min at least 1 step."
    pruner = plan.settings.pruner
    if pruner.startup < 0 or pruner.patience < 0:
        yield "hydra.sweeper.pruner: startup and patience are at least 0."
    if (
        prune is not None
        and plan.defaults.training.validate_every == 0
        and plan.settings.pruner.kind.value != "none"
    ):
        yield "training.validate_every=0: pruning looks at the validation loss. Add pruner=none."


def _problems_of_all(plan: SweepPlan, candidates: Sequence[Mapping[str, object]]) -> list[str]:
    """Each problem once, with the first settings that show it where its own value does not tell all."""
    shown: dict[str, Mapping[str, object]] = {}
    for settings in candidates:
        for problem in _problems(plan, settings):
            shown.setdefault(problem, settings)
    return [_with_settings(problem, _needed(plan, problem, settings)) for problem, settings in shown.items()]


def _needed(plan: SweepPlan, problem: str, settings: Mapping[str, object]) -> Mapping[str, object]:
    """The settings without those that have no part in the problem, where it is its own key's alone."""
    own = {key: value for key, value in settings.items() if problem.startswith(f"{key}=")}
    return own if own != settings and problem in _problems(plan, own) else settings


def _problems(plan: SweepPlan, settings: Mapping[str, object]) -> list[str]:
    config = plan.composer.task_config(plan.composer.overrides(settings))
    try:
        run = load(config)
    except ConfigError as error:
        return error.problems
    searched = [key for key in settings if key not in plan.composer.config.hydra.runtime.choices]
    found = broken_rules(run)
    for problem in dead_options(sorted(searched), run, config):
        found.append(f"{problem} Or name the condition under hydra.sweeper.when.")
    return found


def _start_problems(
    plan: SweepPlan, settings: Mapping[str, object], on_plan: Callable[[Plan], None]
) -> list[str]:
    """What the run itself finds on this machine before it loads a weight."""
    config = plan.composer.task_config(plan.composer.overrides(settings, "dry_run=true"))
    try:
        with redirect_stdout(io.StringIO()), placed_in(None, on_plan):
            plan.task(config)
    except ConfigError as error:
        return [_with_settings(problem, settings) for problem in error.problems]
    return []


def _different_files(
    plan: SweepPlan, candidates: Sequence[Mapping[str, object]]
) -> list[Mapping[str, object]]:
    """The defaults, and one candidate for each choice that is not a number: it may name a file or a class."""
    chosen: list[Mapping[str, object]] = [{}]
    seen: set[tuple[str, str]] = set()
    for settings in candidates:
        words = {
            (key, str(value))
            for key, value in settings.items()
            if not isinstance(value, int | float) and value is not None
        }
        if words - seen:
            seen |= words
            chosen.append(settings)
    return chosen


def _with_settings(problem: str, settings: Mapping[str, object]) -> str:
    others = {key: value for key, value in settings.items() if not problem.startswith(f"{key}=")}
    if not others or len(others) == len(settings) == 0:
        return problem
    return f"{problem} (with {settings_words(others, short_names(list(others)))})"
