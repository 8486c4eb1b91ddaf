"""hydra/launcher=gpus: one process on this machine for each GPU, or for a share of its cores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GpusLauncherConf:
    """The options; what they mean stands at sweeper.slots.places.SlotSettings."""

    _target_: str = "hydra_plugins.diffusion_sweeper.gpus_launcher.GpusLauncher"
    slots: int | None = (
        None  # processes at a time; null = per_gpu for each GPU; without one a core each, at most 4
    )
    gpus: list[Any] | None = None  # numbers as nvidia-smi counts, UUIDs, MIG names; null = all visible
    per_gpu: int = 1  # slots that share a GPU
    restarts: int = 3  # how often a job whose process died is started again


ConfigStore.instance().store(
    group="hydra/launcher", name="gpus", node=GpusLauncherConf, provider="diffusion_sweeper"
)


class GpusLauncher(Launcher):
    """Runs every job in a fresh interpreter in a slot of its own, and blocks until all have ended."""

    def __init__(
        self, *, slots: int | None, gpus: Sequence[int | str] | None, per_gpu: int, restarts: int
    ) -> None:
        self._options = (slots, gpus, per_gpu, restarts)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Refuses options that this machine can't follow, before anything starts."""
        from sweeper.slots.job import Work
        from sweeper.slots.places import SlotSettings, plan_slots

        slots, gpus, per_gpu, restarts = self._options
        self.settings = SlotSettings(
            slots=slots, gpus=None if gpus is None else list(gpus), per_gpu=per_gpu, restarts=restarts
        )
        plan_slots(self.settings)
        self.work = Work(task_function=task_function, hydra_context=hydra_context, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """The jobs' returns in their order; KeyboardInterrupt if Ctrl-C left jobs without one."""
        from hydra.core.utils import configure_log, setup_globals

        from sweeper.slots.places import plan_slots
        from sweeper.slots.pool import Pool

        setup_globals()
        configure_log(self.work.config.hydra.hydra_logging, self.work.config.hydra.verbose)
        slots = plan_slots(self.settings, num_jobs=len(job_overrides))
        pool = Pool(self.work, job_overrides, slots, first=initial_job_idx, restarts=self.settings.restarts)
        return pool.run()
