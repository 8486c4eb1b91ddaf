"""The sweeper as Hydra takes it: a few lines, since plugins are imported at every start."""

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeper.config import SweeperConfig

ConfigStore.instance().store(
    group="hydra/sweeper", name="diffusion", node=SweeperConfig, provider="diffusion_sweeper"
)


class DiffusionSweeper(Sweeper):
    """What `python train.py --multirun` calls."""

    def __init__(self, **_settings: Any) -> None:
        """Hydra hands over the settings untyped; they are read from the config instead."""
        self._task: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a sweep is made of."""
        self.hydra_context, self.config, self._task = hydra_context, config, task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Search until the budget is spent; arguments are the overrides as they were typed."""
        from sweeper.work.sweep import Request, run_sweep

        assert self.hydra_context is not None and self.config is not None and self._task is not None
        run_sweep(
            Request(
                context=self.hydra_context, task=self._task, config=self.config, arguments=tuple(arguments)
            )
        )
