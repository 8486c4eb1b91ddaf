"""Composes the config of a trial, as Hydra would have from a command line."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from engine.compose.arguments import split_override
from engine.compose.load import load
from engine.compose.show import show
from engine.compose.sweep_options import GROUPS
from engine.config import RunConfig
from sweeper.space.overrides import for_hydra, overrides_of, text_of

_OF_SWEEPS = ("sweep", *GROUPS)


@dataclass(kw_only=True, slots=True)
class Composer:
    """What turns settings into a config; travels to the processes of the workers."""

    context: HydraContext
    config: DictConfig  # Hydra's, of the sweep itself
    fixed: tuple[str, ...]  # overrides of all trials, as Hydra takes them
    _looked: dict[tuple[str, tuple[str, ...]], str | None] = field(default_factory=dict)
    _composed: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)  # by picks of groups
    _file_sets: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def fresh(self) -> "Composer":
        """The same without what it remembers, to be sent to another process."""
        return Composer(context=self.context, config=self.config, fixed=self.fixed)

    def overrides(self, settings: Mapping[str, object], *more: str) -> tuple[str, ...]:
        """The task overrides of a trial; what comes later replaces what comes before of the same key."""
        by_key: dict[str, str] = {}
        for text in for_hydra([*self.fixed, *overrides_of(settings), *more]):
            form = split_override(text)
            assert form is not None, text
            by_key.pop(form[1], None)
            by_key[form[1]] = text
        return tuple(by_key.values())

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Hydra's config of a run, its own section included.

        Files are read once for each pick of groups; single options are then set in a copy (5 ms, not 200).
        """
        groups = tuple(text for text in overrides if self.is_group(text))
        if groups not in self._composed:
            self._composed[groups] = self.context.config_loader.load_sweep_config(self.config, list(groups))
        config = copy.deepcopy(self._composed[groups])
        options = OverridesParser.create().parse_overrides([text for text in overrides if text not in groups])
        ConfigLoaderImpl._apply_overrides_to_config(options, config)  # as load_sweep_config does it, too
        with open_dict(config):
            config.hydra.overrides.task = list(overrides)
        return config

    def explicit(self, overrides: Sequence[str]) -> tuple[str, ...]:
        """The same run without the sweep's file: what it picks and sets is spelled out.

        So that a trial's command and best.yaml mean the same when the file has changed, or is not there.
        """
        groups = tuple(text for text in overrides if self.is_group(text))
        if groups not in self._file_sets:
            self._file_sets[groups] = self._set_by_file(groups)
        picks, paths = self._file_sets[groups]
        rest = tuple(text for text in overrides if _key(text) != "sweep")
        wanted = self.compose(overrides)
        given = {_key(text) for text in rest}
        values = {path: _plain(OmegaConf.select(wanted, path)) for path in paths if path not in given}
        return (*picks, *rest, *for_hydra(overrides_of(values)))

    def _set_by_file(self, groups: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The picks of the sweep's file, and the paths of the options that it sets."""
        rest = tuple(text for text in groups if _key(text) != "sweep")
        if rest == groups:
            return (), ()
        wanted, without = self.compose(groups), self.compose(rest)
        old = without.hydra.runtime.choices
        picks = tuple(
            f"{group}={pick}"
            for group, pick in wanted.hydra.runtime.choices.items()
            if group not in _OF_SWEEPS and "/" not in group and pick is not None and old.get(group) != pick
        )
        given = _leaves(self.compose((*picks, *rest)))
        changed = [path for path, value in _leaves(wanted).items() if given.get(path, self) != value]
        return picks, tuple(changed)

    def is_group(self, override: str) -> bool:
        """Whether an override picks a file, and does not set an option."""
        form = split_override(override)
        return form is not None and (form[1] in self.config.hydra.runtime.choices or "/" in form[1])

    def task_config(self, overrides: Sequence[str]) -> DictConfig:
        """The same without Hydra's section: what the run is given."""
        config = copy.deepcopy(self.compose(overrides))
        with open_dict(config):
            del config["hydra"]
        return config

    def run(self, settings: Mapping[str, object], *more: str) -> RunConfig:
        """The typed run; raises ConfigError where a reference leads nowhere."""
        return load(self.task_config(self.overrides(settings, *more)))

    def look(self, key: str, settings: Mapping[str, object]) -> str:
        """The value of a key, or the pick of a group, when these settings are composed; as text.

        raises  KeyError where there is no such key with these settings
        """
        overrides = self.overrides(settings)
        if (key, overrides) not in self._looked:
            self._looked[key, overrides] = self._look(key, overrides)
        found = self._looked[key, overrides]
        if found is None:
            raise KeyError(key)
        return found

    def _look(self, key: str, overrides: tuple[str, ...]) -> str | None:
        config = self.compose(overrides)
        picks = config.hydra.runtime.choices
        if key in picks:
            return str(picks[key])
        try:
            value = OmegaConf.select(config, key, throw_on_missing=True, default=self)
            return None if value is self else _text(value)
        except OmegaConfBaseException:
            return None


def _leaves(config: DictConfig) -> dict[str, object]:
    """Path -> value of every option of a run as it is written, references as they stand, enums by name."""
    run = copy.deepcopy(config)
    with open_dict(run):
        del run["hydra"]
    plain = OmegaConf.to_container(run, resolve=False, enum_to_str=True)
    assert isinstance(plain, dict), "a config is a mapping"
    return dict(_walk(plain, ""))


def _walk(node: dict[Any, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: object) -> object:
    """A value of the config as a setting: an enum by its name."""
    if isinstance(value, Enum):
        return value.name
    if OmegaConf.is_config(value):
        return OmegaConf.to_container(value, enum_to_str=True)
    return value


def _key(text: str) -> str:
    form = split_override(text)
    return form[1] if form else text


def _text(value: object) -> str:
    """As the command line takes it; numbers with all their digits."""
    return text_of(value) if isinstance(value, int | float) else show(value)
