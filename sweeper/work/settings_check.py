"""What is wrong with hydra.sweeper, and with the run of the defaults, before any candidate is looked at."""

from collections.abc import Iterator, Mapping, Sequence

from engine.compose.arguments import split_override
from engine.compose.folders import folder_problems
from engine.compose.load import load
from engine.compose.preflight import disk_problems
from engine.config import ConfigError, RunConfig
from sweeper.config import Direction, PrunerKind, SamplerKind, SweeperConfig
from sweeper.space.grid import interval_problems
from sweeper.space.space import Space
from sweeper.space.walking import candidates_of
from sweeper.study.peek import storage_problems
from sweeper.work.candidates import candidate_problems
from sweeper.work.composer import Composer

_NOT_IN_SWEEPS = {
    "force": "a trial is repeated by giving the study another name: hydra.sweeper.study=NAME",
    "inspect": "look at batches of a single run first",
    "output_dir": "trials lie in the study's folder: hydra.sweeper.folder=DIR",
}


def settings_problems(settings: SweeperConfig) -> Iterator[str]:
    """A sentence for each option of hydra.sweeper that cannot be; a database is asked whether it answers."""
    yield from folder_problems("hydra.sweeper.folder", settings.folder)
    budget = settings.budget
    for name in ("trials", "hours", "gpu_hours", "patience"):
        value = getattr(budget, name)
        if value is not None and not value > 0:
            yield f"hydra.sweeper.budget.{name}={value}: give more than 0, or null."
    yield from storage_problems(settings.storage)
    if settings.lease < 10:
        yield f"hydra.sweeper.lease={settings.lease}: seconds; give at least 10."
    if settings.workers is not None and settings.workers < 1:
        yield f"hydra.sweeper.workers={settings.workers}: give at least 1, or null."
    confirm = settings.confirm
    if confirm is not None and not (0 <= confirm.share < 1 and confirm.top >= 1 and confirm.seeds >= 2):
        yield "hydra.sweeper.confirm: share is from 0 to below 1, top at least 1, seeds at least 2."
    prune = settings.prune
    if prune is not None and (prune.eta < 2 or (prune.min is not None and prune.min < 1)):
        yield "hydra.sweeper.prune: eta is at least 2, min at least 1 step."
    if settings.pruner.startup < 0 or settings.pruner.patience < 0:
        yield "hydra.sweeper.pruner: startup and patience are at least 0."
    if settings.sampler.startup is not None and settings.sampler.startup < 0:
        yield f"hydra.sweeper.sampler.startup={settings.sampler.startup}: give at least 0, or null."


def shared_problems(
    settings: SweeperConfig,
    run: RunConfig,
    typed: Sequence[str],
    objectives: Mapping[str, Direction] | None,
    *,
    is_grid: bool = False,
) -> Iterator[str]:
    """What the run of the defaults asks for that no sweep can give.

    typed       the overrides of all trials
    objectives  None: they are wrong themselves
    is_grid     nothing is pruned
    """
    by_key = {form[1]: text for text in typed if (form := split_override(text))}
    for key, advice in _NOT_IN_SWEEPS.items():
        if key in by_key:
            yield f"{by_key[key].lstrip('+')}: not in a sweep; {advice}."
    if run.files.copy_to is not None:
        yield (
            f"files.copy_to={run.files.copy_to}: not in a sweep, whose trials share one name. "
            "Leave it out; the best trial's weights are in the folder of the sweep."
        )
    if not run.evaluation.enabled and objectives is not None and set(objectives) != {"val_loss"}:
        yield "evaluation.enabled=false: a sweep needs scores. Leave it out."
    prunes = settings.prune is not None and settings.pruner.kind is not PrunerKind.none
    if prunes and not is_grid and run.training.validate_every == 0:
        yield "training.validate_every=0: pruning looks at the validation loss. Add pruner=none."


def problems_without_a_plan(
    settings: SweeperConfig, composer: Composer, objectives: Mapping[str, Direction] | None, space: Space
) -> list[str]:
    """All that can be told where the space or the objectives are wrong, so that nothing is planned.

    space  what could be read of it
    """
    problems = [*settings_problems(settings)]
    try:
        run = load(composer.task_config(composer.overrides({})))
    except ConfigError as error:
        return [*problems, *error.problems]
    problems += [*shared_problems(settings, run, composer.fixed, objectives)]
    if settings.sampler.kind is SamplerKind.grid:
        problems += interval_problems(space)
    problems += candidate_problems(composer, candidates_of(space, composer.look), is_whole=False)
    return [*problems, *disk_problems_beside(problems, run)]


def disk_problems_beside(problems: Sequence[str], run: RunConfig) -> list[str]:
    """What stands against the defaults on this machine, where something else prevents the sweep already."""
    told = {_key(problem) for problem in problems}
    return [problem for problem in disk_problems(run, refused=True) if _key(problem) not in told]


def _key(problem: str) -> str:
    return problem.split(":")[0].split("=")[0]
