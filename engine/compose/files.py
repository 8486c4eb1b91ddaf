"""The YAML files of conf/: which there are, and what is wrong inside those that a run uses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped, unused-ignore]
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.compose.options import FREE_FORM, Option, did_you_mean, find_option, is_section, type_problem
from engine.compose.register import NETWORKS
from engine.compose.sweep_options import GROUPS, SECTION, WHOLE_CONFIG, sweeper_problems
from engine.config import LoRAConfig, NetworkConfig
from engine.models.places import WEIGHTS_ENDING

_GLOBAL = re.compile(r"^#\s*@package\s+_global_\s*$", re.MULTILINE)  # the file is of the whole config
_SCHEMA = re.compile(r"/schema/network/(\w+)@_here_")


@dataclass(kw_only=True, slots=True, frozen=True)
class ConfFolders:
    """Where YAML files are looked for, the first hit wins: --config-dir, then conf/."""

    roots: tuple[Path, ...]
    config_name: str = "config"

    def groups(self) -> list[str]:
        """Names of all groups: the folders that hold YAML files."""
        return sorted(
            {
                file.parent.relative_to(root).as_posix()
                for root in self.roots
                for file in root.glob("*/*.yaml")
            }
        )

    def names(self, group: str) -> list[str]:
        """The choices of a group."""
        return sorted({file.stem for root in self.roots for file in (root / group).glob("*.yaml")})

    def file(self, group: str, name: str) -> Path | None:
        """The file of one choice; group '' holds the root config."""
        candidates = (root / group / f"{name.removesuffix('.yaml')}.yaml" for root in self.roots)
        return next((file for file in candidates if file.is_file()), None)

    def shown(self, file: Path) -> str:
        """A file as a message names it."""
        root = next(root for root in self.roots if file.is_relative_to(root))
        return f"{root.name}/{file.relative_to(root).as_posix()}"


def default_picks(folders: ConfFolders) -> dict[str, str | None]:
    """What the root config picks of each group; null = nothing unless asked for."""
    file = folders.file("", folders.config_name)
    return {} if file is None else {group: name for group, name in _picks(_read(file)) if "/" not in group}


def group_problem(group: str, name: object, folders: ConfFolders) -> str | None:
    """The sentence that refuses a choice that has no file, or None."""
    names = folders.names(group)
    if isinstance(name, str) and name in names:
        return None
    if not isinstance(name, str):
        return f"give one of {', '.join(names)}. Single options are written {group}.option=value."
    if group == "model" and ("/" in name or name.endswith(WEIGHTS_ENDING)):
        return f"no recipe of conf/model. Weights are given beside one, as model.checkpoint={name}."
    return f"unknown choice{did_you_mean(name, names)}"


def used_files(chosen: Mapping[str, str], folders: ConfFolders) -> list[tuple[str, Path]]:
    """(group, file) of the root config and of every pick.

    chosen  what the command line picks; it wins over an experiment, which wins over the root config
    """
    whole = [folders.file(group, chosen[group]) for group in reversed(WHOLE_CONFIG) if group in chosen]
    inherited = {group: name for file in whole if file for group, name in _picks(_read(file))}
    picks = {"": folders.config_name, **default_picks(folders), **inherited, **chosen}
    found = [(group, folders.file(group, name)) for group, name in picks.items() if isinstance(name, str)]
    return [(group, file) for group, file in found if file is not None]


def network_schema(files: Sequence[tuple[str, Path]]) -> type[NetworkConfig]:
    """The dataclass behind the picked network file, as its defaults name it."""
    for group, file in files:
        match = _SCHEMA.search(file.read_text(encoding="utf-8")) if group == "network" else None
        if match and match[1] in NETWORKS:
            return NETWORKS[match[1]]
    return LoRAConfig


def file_problems(files: Sequence[tuple[str, Path]], folders: ConfFolders) -> list[str]:
    """Every unknown option, wrong type and unknown choice in the files, each sentence naming its file."""
    network = network_schema(files)
    problems: list[str] = []
    for group, file in files:
        try:
            content = _load(file)
        except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
            problems.append(f"{folders.shown(file)}: not valid YAML{_where(error)}. Correct the file.")
            continue
        if not isinstance(content, Mapping):
            problems.append(f"{folders.shown(file)}: not a mapping of options. Write option: value.")
            continue
        if group in WHOLE_CONFIG and not _GLOBAL.search(file.read_text(encoding="utf-8")):
            problems.append(f"{folders.shown(file)}: make `# @package _global_` its first line.")
        found = [*_pick_problems(content, folders), *_content_problems(content, group, network)]
        problems += [f"{folders.shown(file)}: {problem}" for problem in found]
    return problems


def _pick_problems(content: Mapping[str, object], folders: ConfFolders) -> Iterator[str]:
    for group, name in _picks(content):
        if name is None or "/" in group:
            continue
        if group not in folders.groups():
            yield f"{group}: unknown group{did_you_mean(group, folders.groups())}"
        elif problem := group_problem(group, name, folders):
            yield f"{group}={name}: {problem}"


def _content_problems(
    content: Mapping[str, object], group: str, network: type[NetworkConfig]
) -> Iterator[str]:
    if group in GROUPS:
        inner = GROUPS[group].removeprefix(f"{SECTION}.").rstrip(".")
        yield from sweeper_problems(
            inner, {key: value for key, value in content.items() if key != "defaults"}
        )
        return
    whole = group == "" or group in WHOLE_CONFIG
    yield from _key_problems(content, "" if whole else f"{group}.", network)
    settings = content.get("hydra") if whole else None
    if isinstance(settings, Mapping) and isinstance(settings.get("sweeper"), Mapping):
        yield from sweeper_problems("", settings["sweeper"])


def _key_problems(content: Mapping[str, object], prefix: str, network: type[NetworkConfig]) -> Iterator[str]:
    for key, value in content.items():
        if (not prefix and key in ("defaults", "hydra")) or key == "defaults":
            continue
        option = find_option(f"{prefix}{key}", network)
        if isinstance(option, str):
            yield option
        elif is_section(option) and isinstance(value, Mapping):
            yield from _key_problems(value, f"{prefix}{key}.", network)
        elif problem := _value_problem(option, value):
            yield problem


def _value_problem(option: Option, value: object) -> str | None:
    if is_section(option) or (option.path == FREE_FORM and not isinstance(value, Mapping)):
        return f"{option.path}={value}: give options below it, one a line."
    return type_problem(option, value)


def _picks(content: object) -> list[tuple[str, str | None]]:
    """(group, name) of each entry of a file's defaults list; schemas and _self_ left out."""
    entries = content.get("defaults", []) if isinstance(content, Mapping) else []
    pairs = [pair for entry in entries or [] if isinstance(entry, Mapping) for pair in entry.items()]
    return [(str(key).removeprefix("override ").removeprefix("/"), name) for key, name in pairs]


def _read(file: Path) -> object:
    """A file's content, or nothing where it can't be read: file_problems says so."""
    try:
        return _load(file)
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError):
        return {}


def _load(file: Path) -> object:
    content = OmegaConf.to_container(OmegaConf.load(file))
    return content if content is not None else {}


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark is not None else ""
