"""Composes the config of a trial, as Hydra would have from a command line."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from engine.compose.arguments import split_override
from engine.compose.load import load
from engine.compose.show import show
from engine.config import RunConfig
from sweeper.space.overrides import for_hydra, overrides_of


@dataclass(kw_only=True, slots=True)
class Composer:
    """What turns settings into a config; travels to the processes of the workers."""

    context: HydraContext
    config: DictConfig  # Hydra's, of the sweep itself
    fixed: tuple[str, ...]  # overrides of all trials, as Hydra takes them
    _looked: dict[tuple[str, tuple[str, ...]], str | None] = field(default_factory=dict)
    _composed: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)  # by picks of groups

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
            return None if value is self else show(value)
        except OmegaConfBaseException:
            return None
