"""Refuses a command line before Hydra sees it: all problems at once, each as a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from engine.compose.arguments import Arguments, parse_override, read_arguments, split_override, with_sign
from engine.compose.dead_options import dead_options
from engine.compose.files import (
    ConfFolders,
    default_picks,
    file_problems,
    group_problem,
    network_schema,
    used_files,
)
from engine.compose.load import load
from engine.compose.options import (
    FREE_FORM,
    find_option,
    is_list,
    is_section,
    is_text,
    meant_options,
    type_problem,
)
from engine.compose.preflight import disk_problems
from engine.compose.rules import broken_rules
from engine.compose.sweep_options import (
    BY_NAME,
    SECTION,
    SPACE,
    WHOLE_CONFIG,
    misplaced,
    searched_problem,
    searched_values,
    sweeper_problems,
    sweeper_schema,
)
from engine.config import ConfigError, NetworkConfig


@dataclass(slots=True)
class _Checked:
    """What is known while the overrides are walked through."""

    folders: ConfFolders
    sweeps: bool = False  # whether options may have several values
    good: list[str] = field(default_factory=list)  # overrides in the form that Hydra takes
    problems: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)  # paths already complained about


def check_overrides(argv: Sequence[str], conf: Path) -> list[str]:
    """The command line for Hydra's main, or ConfigError with everything that is wrong with it.

    conf  the folder of the YAML files
    A plain key=value is enough for arguments of the optimizer and for an experiment: the plus signs that
    Hydra wants there are put in.
    """
    arguments = read_arguments(argv)
    flags = arguments.flags
    if flags.hydra_help or flags.shell_completion:
        return list(argv)
    folders = _folders(arguments, conf)
    state = _Checked(folders, sweeps=bool(flags.multirun))
    state.problems = arguments.problems + _flag_problems(arguments, folders)
    state.settled |= arguments.meant
    if folders.file("", folders.config_name) is None:
        raise ConfigError(state.problems)
    if sweeper_schema() is None:
        Plugins.instance()  # its types check what is said of sweeps
    picks, options = _split_groups(arguments.overrides, state)
    files = used_files(picks, folders)
    broken_files = file_problems(files, folders)
    state.problems += broken_files
    _check_options(options, network_schema(files), state)
    if not broken_files:
        _check_run(state, looking=bool(flags.cfg or flags.help or flags.info))
    if state.problems:
        raise ConfigError(state.problems)
    return arguments.argv(state.good)


def _folders(arguments: Arguments, conf: Path) -> ConfFolders:
    flags = arguments.flags
    root = conf.parent / flags.config_path if flags.config_path else conf
    extra = (Path(flags.config_dir).absolute(),) if flags.config_dir else ()
    return ConfFolders(roots=(*extra, root), config_name=flags.config_name or "config")


def _flag_problems(arguments: Arguments, folders: ConfFolders) -> list[str]:
    flags, problems = arguments.flags, []
    if flags.experimental_rerun:
        problems.append("--experimental-rerun: not used here. The same command again continues a run.")
    if flags.multirun and (flags.cfg or flags.info):
        problems.append(
            f"--{'cfg' if flags.cfg else 'info'}: shows one run. Leave --multirun out; dry_run=true shows "
            "what a sweep would do."
        )
    for root in folders.roots:
        if not root.is_dir():
            problems.append(f"{root}: no such config folder. Correct --config-dir or --config-path.")
    if folders.file("", folders.config_name) is None:
        problems.append(f"--config-name={folders.config_name}: no such file in {folders.roots[-1].name}/.")
    return problems


def _split_groups(overrides: Sequence[str], state: _Checked) -> tuple[dict[str, str], list[str]]:
    """Picks of groups (checked, and handed on in Hydra's form), and the overrides that are options."""
    defaults, groups = default_picks(state.folders), state.folders.groups()
    picks: dict[str, str] = {}
    options: list[str] = []
    seen: dict[str, str] = {}
    for text in overrides:
        form = split_override(text)
        if form is None or form[0] == "~" or form[1] not in groups:
            options.append(text)
            continue
        _, group, value = form
        override = parse_override(text, takes_text=False, sweeps=state.sweeps and group not in WHOLE_CONFIG)
        if isinstance(override, str):
            state.problems.append(override)
        elif problem := _pick_problem(group, override, state.folders):
            state.problems.append(f"{text.lstrip('+')}: {problem}")
        elif group in seen:
            state.problems.append(_given_twice(text, seen[group]))
        else:
            if not override.is_sweep_override():
                picks[group] = value
            state.good.append(with_sign(override, "" if group in defaults else "+"))
        seen.setdefault(group, value)
    return picks, options


def _pick_problem(group: str, override: Override, folders: ConfFolders) -> str | None:
    problems = (group_problem(group, name, folders) for name in searched_values(override))
    return next((problem for problem in problems if problem), None)


def _check_options(overrides: Sequence[str], network: type[NetworkConfig], state: _Checked) -> None:
    seen: dict[str, str] = {}
    for text in sorted(overrides, key=lambda text: not text.startswith("hydra/")):  # groups before options
        form = split_override(text)
        if form is not None and form[1] in seen:
            state.problems.append(_given_twice(text, seen[form[1]]))
        elif form is not None and form[1].split(".")[0].split("/")[0] == "hydra":
            _check_hydra(text, state)
        else:
            _check_option(text, network, state)
        if form is not None:
            seen.setdefault(form[1], form[2])


def _check_option(text: str, network: type[NetworkConfig], state: _Checked) -> None:
    form = split_override(text)
    if form is None or form[0] == "~":
        state.problems.append(str(parse_override(text, takes_text=False)))
        return
    if problem := misplaced(form[1]):
        state.problems.append(problem)
        return
    option = find_option(form[1].replace("/", "."), network, groups=state.folders.groups())
    if isinstance(option, str):
        state.problems.append(option)
        state.settled.update(meant_options(option))
        return
    override = parse_override(
        text, takes_text=is_text(option), takes_list=is_list(option), sweeps=state.sweeps
    )
    if isinstance(override, str):
        problem = override
    elif override.is_sweep_override():
        problem = searched_problem(option, override)
    elif form[1] == FREE_FORM and not isinstance(override.value(), dict):
        problem = f"{text}: this option takes a mapping. Write {FREE_FORM}.name=value."
    elif is_section(option):
        problem = f"{text}: this is a group of options. Write {form[1]}.option=value."
    else:
        problem = type_problem(option, override.value())
    if problem or isinstance(override, str):
        state.problems.append(str(problem))
        state.settled.add(option.path)
    else:
        state.good.append(with_sign(override, "++" if option.path == FREE_FORM else ""))


def _check_hydra(text: str, state: _Checked) -> None:
    """Options of Hydra itself: taken if Hydra composes them."""
    override = parse_override(text, takes_text=False)
    if isinstance(override, str):
        override = parse_override(text, takes_text=True)  # what Hydra's grammar cannot read is a text
    if isinstance(override, str):
        state.problems.append(override)
    elif problems := _sweeper_problems(override):
        state.problems += problems
    elif _compose(state.folders, [*_hydra_picks(state), _hydra_line(override)]) is None:
        state.problems.append(f"{text}: Hydra has no such option, or not with this value. Leave it out.")
    elif override.key_or_group == "hydra.mode":
        state.problems.append(f"{text}: write --multirun for a sweep, and nothing for a run.")
    else:
        state.good.append(_hydra_line(override))


def _hydra_line(override: Override) -> str:
    """With the signs by which Hydra adds a metric to a mapping."""
    added = tuple(f"{SECTION}.{name}" for name in BY_NAME)
    return with_sign(override, "++") if override.key_or_group.startswith(added) else _line(override)


def _hydra_picks(state: _Checked) -> list[str]:
    """Groups of Hydra that were picked: their options are known only with them."""
    return [text for text in state.good if text.startswith("hydra/")]


def _sweeper_problems(override: Override) -> list[str]:
    key = override.key_or_group
    if not key.startswith(f"{SECTION}."):
        return []
    if key.removeprefix(f"{SECTION}.") in SPACE and isinstance(override.value(), dict):
        return [
            f"{key}: is given in a file of conf/sweep/. On the command line type what is searched itself: "
            "network.rank=4,16."
        ]
    return list(sweeper_problems(key.removeprefix(f"{SECTION}."), override.value()))


def _check_run(state: _Checked, *, looking: bool) -> None:
    """Rules on the composed run; with problems found, the disk too, so that all are told together."""
    single = [text for text in state.good if not (state.sweeps and _is_sweep(text))]
    config = _compose(state.folders, single)
    if config is not None and state.sweeps and not state.problems:
        return  # the rest is asked of every candidate, not of the defaults alone
    if config is None:
        state.problems.append("these options can't be composed. Leave them out one by one to find which.")
        return
    try:
        run = load(config)
    except ConfigError as error:
        state.problems += error.problems
        return
    given = {form[1] for form in map(split_override, state.good) if form}
    found = broken_rules(run)
    if state.sweeps:  # what is searched may give an option its effect, or its place
        found = [problem for problem in found if problem.split("=")[0] in given]
    else:
        found += dead_options(sorted(given), run, config)
    if (found or state.problems) and not looking:
        found += disk_problems(run, refused=True)
    silent = state.settled - given  # a mistyped option is one problem, not also that it is missing
    state.problems += [problem for problem in found if problem.split("=")[0] not in silent]


def _compose(folders: ConfFolders, overrides: list[str]) -> DictConfig | None:
    """The config as Hydra composes it, or None where it can't."""
    extra = [f"hydra.searchpath=[{','.join(f'file://{root}' for root in folders.roots[:-1])}]"]
    try:
        with initialize_config_dir(str(folders.roots[-1].absolute()), version_base="1.3"):
            return compose(folders.config_name, overrides=overrides + extra * (len(folders.roots) > 1))
    except (
        HydraException,
        OmegaConfBaseException,
        AssertionError,
        AttributeError,
    ):  # the last two below a null
        return None


def _given_twice(text: str, before: str) -> str:
    return f"{text}: given twice (before: {before}). Give it once."


def _is_sweep(text: str) -> bool:
    override = parse_override(text, takes_text=False, sweeps=True)
    return not isinstance(override, str) and override.is_sweep_override()


def _line(override: Override) -> str:
    return override.input_line or ""
