"""What a sweep is going to do: read from the command line and the config, before anything is made."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import unwrap
from pathlib import Path, PurePath
from typing import TypeVar

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from engine.compose.arguments import split_override
from engine.compose.run_id import identity, plain_values
from engine.config import ConfigError, RunConfig
from sweeper.answer.confirm import MIN_SEEDS
from sweeper.config import Direction, PrunerKind, SamplerKind, SweeperConfig
from sweeper.space.grid import grid_of
from sweeper.space.overrides import overrides_of
from sweeper.space.reading import read_space, read_unconditional
from sweeper.space.settling import settle
from sweeper.space.space import Space
from sweeper.space.walking import combinations_of
from sweeper.study.storage import safe_url
from sweeper.work.composer import Composer
from sweeper.work.objectives import objectives_of, required_scores
from sweeper.work.settings_check import problems_without_a_plan

Result = TypeVar("Result")
_DEFAULT_TRIALS = 24
_FEW = 256  # combinations that are counted beside the number of trials
_LONGEST_NAME = 100  # letters; the names of trials are longer, and a file's name has 255 bytes at most
OWN_KEYS = (
    "name",
    "output_dir",
    "cache_dir",
    "dry_run",
    "force",
    "inspect",
    "tracking",
    "files",
)  # not of what is trained


@dataclass(kw_only=True, slots=True, frozen=True)
class Request:
    """What Hydra hands to a sweeper."""

    context: HydraContext
    task: TaskFunction  # what trains one run
    config: DictConfig  # of the defaults, Hydra's section included
    arguments: tuple[str, ...]  # the overrides as they were typed


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepPlan:
    """A sweep, whole; travels to the processes of the workers."""

    name: str
    folder: Path  # absolute
    storage: str  # as given: journal or a URL
    settings: SweeperConfig
    space: Space = field(repr=False)
    composer: Composer = field(repr=False)
    task: TaskFunction = field(repr=False)
    objectives: Mapping[str, Direction]
    is_grid: bool  # every combination once, nothing is confirmed
    num_combinations: int  # of a grid, whatever the budget; else 0
    num_trials: int  # search and confirmation together
    num_search: int
    defaults: RunConfig = field(repr=False)  # trial 0
    has_own_threads: bool  # every trial has training.threads of its own
    num_prompts_left: int = 0  # of the list of prompts, from the first one of the search on
    base_facts: Mapping[str, object] = field(
        repr=False
    )  # what all trials share, for a comparison with an earlier start
    lines: tuple[str, ...]  # what a user may not expect
    command: str  # the line that goes on


def plan_sweep(request: Request, settings: SweeperConfig) -> SweepPlan:
    """Read everything; raises ConfigError with all that prevents the sweep."""
    problems: list[str] = []
    groups = _groups(request)
    objectives = collected(problems, lambda: objectives_of(settings))
    read = collected(problems, lambda: read_space(settings, request.arguments, groups))
    composer = _composer(request, read, objectives)
    settled = None if read is None else collected(problems, lambda: _settled(read, composer))
    grid = None if settled is None else collected(problems, lambda: _grid(settings, settled[0], composer))
    defaults = collected(problems, lambda: composer.run({}))
    if objectives is None or settled is None or grid is None or defaults is None:
        problems += name_problems(settings.study) if settings.study is not None else []
        known = settled[0] if settled is not None else read_unconditional(settings, request.arguments, groups)
        problems += problems_without_a_plan(settings, composer, objectives, known)
        raise ConfigError(list(dict.fromkeys(problems)))
    space, lines = settled
    name = _study_name(settings, request, space)
    num_trials = settings.budget.trials or _DEFAULT_TRIALS
    if grid.is_grid:
        num_trials = min(settings.budget.trials or grid.num_combinations, grid.num_combinations)
    confirming = 0 if grid.is_grid else _num_confirmations(settings, num_trials)
    return SweepPlan(
        name=name,
        folder=Path(settings.folder).absolute() / name,
        storage=settings.storage,
        settings=settings,
        space=space,
        composer=composer,
        task=unwrap(request.task),  # without what turns a refusal into the end of the program
        objectives=objectives,
        is_grid=grid.is_grid,
        num_combinations=grid.num_combinations if grid.is_grid else 0,
        num_trials=num_trials,
        num_search=num_trials - confirming,
        defaults=defaults,
        has_own_threads=defaults.training.threads is not None,
        base_facts=_base_facts(defaults, space),
        lines=(*space.notes, *lines, *_notes_on_sampling(settings, grid, num_trials - confirming)),
        command=_typed(request),
    )


def collected(problems: list[str], call: Callable[[], Result]) -> Result | None:
    """What the call gives; where it is refused, None, and its problems join those that are known."""
    try:
        return call()
    except ConfigError as error:
        problems += error.problems
        return None


def _composer(request: Request, space: Space | None, objectives: Mapping[str, Direction] | None) -> Composer:
    """What composes every trial; with what is known where a part of it is wrong."""
    fixed = (text for text in request.arguments if not _is_sweep(text) and _key(text) != "dry_run")
    beneath = overrides_of({} if space is None else space.fixed)
    shared = (*fixed, *beneath, *required_scores(objectives or {}))
    return Composer(context=request.context, config=request.config, fixed=shared)


def _settled(space: Space, composer: Composer) -> tuple[Space, list[str]]:
    settled, lines = settle(space, composer.look)
    if not settled.dimensions:
        raise ConfigError(_nothing_searched(lines))
    return settled, lines


@dataclass(kw_only=True, slots=True, frozen=True)
class _Grid:
    is_grid: bool
    num_combinations: int  # of another space 0 where they are many, or intervals are among them


def _grid(settings: SweeperConfig, space: Space, composer: Composer) -> _Grid:
    """Whether every combination is trained once; ConfigError where that is asked for, and can't be."""
    is_plain = not settings.params and not settings.when and _is_countable(space)
    if not (is_plain or settings.sampler.kind is SamplerKind.grid):
        few = combinations_of(space, composer.look, most=_FEW) if _is_countable(space) else None
        return _Grid(is_grid=False, num_combinations=len(few or ()))
    return _Grid(is_grid=True, num_combinations=len(grid_of(space, composer.look)))


def _notes_on_sampling(settings: SweeperConfig, grid: _Grid, num_search: int) -> Iterator[str]:
    """What the pick of the sampler means beside the pruner and the size of the space."""
    prunes = settings.prune is not None and settings.pruner.kind is not PrunerKind.none
    if settings.sampler.kind is SamplerKind.gp and prunes and not grid.is_grid:
        yield (
            "sampler=gp sees nothing of pruned trials, and learns from the few that run to their end: "
            "add pruner=none, or take sampler=tpe"
        )
    if not grid.is_grid and 0 < grid.num_combinations <= num_search:
        yield (
            f"the space has {grid.num_combinations} combinations, and {num_search} trials search it: "
            "sampler=grid tries each once, where others repeat some"
        )


def _num_confirmations(settings: SweeperConfig, num_trials: int) -> int:
    """How many of all trials train the best again; none where so few would not tell a difference."""
    confirm = settings.confirm
    kept = 0 if confirm is None else int(num_trials * confirm.share)
    if confirm is None:
        return 0
    for num_seeds in range(confirm.seeds, MIN_SEEDS - 1, -1):
        num_settings = min(confirm.top + 1, kept // num_seeds)
        if num_settings >= 2:  # the default and one other; what is left over goes to the search
            return num_settings * num_seeds
    return 0


def pruner_words(plan: SweepPlan) -> str:
    """Which pruner, on what; or that nothing is pruned."""
    settings = plan.settings
    if settings.prune is None or settings.pruner.kind.value == "none" or plan.is_grid:
        return "none: every trial runs to its end"
    return f"{settings.pruner.kind.value} on {settings.prune.on}"


def read_settings(config: DictConfig) -> SweeperConfig:
    """hydra.sweeper, typed, with pruner=auto decided; a reference that leads nowhere is a ConfigError."""
    from omegaconf.errors import OmegaConfBaseException

    try:
        settings = OmegaConf.to_object(config.hydra.sweeper)
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"hydra.sweeper: {first}. Correct the file of conf/sweep/.") from error
    assert isinstance(settings, SweeperConfig), "the plugin registers the type"
    if settings.pruner.kind is PrunerKind.auto:
        is_blind = settings.sampler.kind is SamplerKind.gp
        settings.pruner.kind = PrunerKind.none if is_blind else PrunerKind.asha
    return settings


def _groups(request: Request) -> dict[str, list[str]]:
    """Every config group of a run, and its choices."""
    loader = request.context.config_loader
    assert isinstance(loader, ConfigLoaderImpl), "Hydra has no other"
    folders = loader.repository  # the loader's own get_group_options reads all files anew for each group
    picks = [str(group) for group in request.config.hydra.runtime.choices]
    return {group: folders.get_group_options(group, ObjectType.CONFIG) for group in picks if "/" not in group}


def _base_facts(run: RunConfig, space: Space) -> dict[str, object]:
    """What trials must share to be comparable: all but what is searched and where files lie."""
    searched = {dimension.key for dimension in space.dimensions}
    facts = {key: value for key, value in identity(run).items() if not _is_searched(key, searched)}
    values = plain_values(run)
    facts |= {name: values[name] for name in ("sampling", "evaluation") if name not in searched}
    return {key: value for key, value in facts.items() if key.split(".")[0] not in OWN_KEYS}


def _is_searched(key: str, searched: set[str]) -> bool:
    derived = {"network.alpha"} if searched & {"network.rank", "network.alpha_ratio"} else set()
    return (
        key in searched | derived or any(key.startswith(f"{group}.") for group in searched) or key in searched
    )


def _study_name(settings: SweeperConfig, request: Request, space: Space) -> str:
    if settings.study is not None:
        return settings.study
    picked = request.config.hydra.runtime.choices.get("sweep")
    words = (
        str(picked)
        if picked
        else "-".join(dict.fromkeys(dimension.key.rpartition(".")[2] for dimension in space.dimensions))
    )
    return f"{request.config.name}-{words}"


def name_problems(name: str) -> list[str]:
    """The study's name becomes a folder, a group of wandb, and a key of the storage."""
    is_folder = PurePath(name).name == name.strip() == name and name not in ("", "..")
    if is_folder and not set(name) & set('\\:*?"<>|') and name.isprintable() and len(name) <= _LONGEST_NAME:
        return []
    return [
        f"hydra.sweeper.study={name}: it names a folder. Use letters, digits, dots and dashes, "
        f"at most {_LONGEST_NAME}."
    ]


def _is_countable(space: Space) -> bool:
    return all(dimension.choices is not None for dimension in space.dimensions)


def _is_sweep(text: str) -> bool:
    return bool(OverridesParser.create().parse_overrides([text])[0].is_sweep_override())


def _key(text: str) -> str:
    form = split_override(text)
    return form[1] if form else text


def _nothing_searched(lines: list[str]) -> str:
    left_out = f" ({'; '.join(lines)})" if lines else ""
    return (
        f"--multirun: nothing is searched{left_out}. Add a file of conf/sweep/, for example +sweep=lora, "
        "or give several values: network.rank=4,16."
    )


def _typed(request: Request) -> str:
    """The line that was typed; where there is none (a test, a notebook), one that means the same."""
    words = [_without_password(word) for word in sys.orig_argv]
    places = [place for place, word in enumerate(words) if Path(word).name == "train.py"]
    if places:
        return shlex.join(["python", "train.py", *words[places[0] + 1 :]])
    hydra = [text for text in request.config.hydra.overrides.hydra if not text.startswith("hydra.mode=")]
    hydra = [_without_password(text) for text in hydra]
    return shlex.join(["python", "train.py", "--multirun", *hydra, *request.arguments])


def _without_password(word: str) -> str:
    """The line is kept in study.json, the report and wandb: a password in a URL is not."""
    key, _, value = word.partition("=")
    if key != "hydra.sweeper.storage":
        return word
    url = value.strip("'\"")
    return f"{key}={safe_url(url)}"
