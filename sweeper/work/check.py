"""Every setting that a sweep may come to is composed and checked before its first trial."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace

from engine.compose.placed import placed_in
from engine.compose.plan import Plan
from engine.config import ConfigError
from engine.data.fingerprints import dataset_fingerprint, picture_fingerprints
from sweeper.space.walking import candidates_of
from sweeper.work.candidates import candidate_problems, with_settings
from sweeper.work.plan import OWN_KEYS, SweepPlan, name_problems
from sweeper.work.settings_check import disk_problems_beside, settings_problems, shared_problems


def check_sweep(plan: SweepPlan) -> SweepPlan:
    """The plan with what the disk tells: how many prompts there are, and which pictures.

    raises  ConfigError with all problems of all candidates, each with the settings that show it
    """
    problems = [*_own_problems(plan)]
    candidates = candidates_of(plan.space, plan.composer.look)
    problems += candidate_problems(plan.composer, candidates)
    if problems:
        problems += disk_problems_beside(problems, plan.defaults)
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
    yield from shared_problems(
        plan.settings, plan.defaults, plan.composer.fixed, plan.objectives, is_grid=plan.is_grid
    )
    for dimension in plan.space.dimensions:
        if dimension.key.split(".")[0] in OWN_KEYS:
            yield f"{dimension.key}: nothing to search, since it does not change the run. Give one value."
    misnamed = name_problems(plan.name)
    if not misnamed and plan.folder.is_file():
        yield f"hydra.sweeper.study={plan.name}: {plan.folder} is a file. Give another name, or move it away."
    yield from misnamed
    yield from settings_problems(plan.settings)


def _start_problems(
    plan: SweepPlan, settings: Mapping[str, object], on_plan: Callable[[Plan], None]
) -> list[str]:
    """What the run itself finds on this machine before it loads a weight."""
    config = plan.composer.task_config(plan.composer.overrides(settings, "dry_run=true"))
    try:
        with redirect_stdout(io.StringIO()), placed_in(None, on_plan):
            plan.task(config)
    except ConfigError as error:
        return [with_settings(problem, settings) for problem in error.problems]
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
