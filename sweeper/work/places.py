"""How many workers a launcher has places for, and how many threads each of them trains with."""

from omegaconf import DictConfig

from engine.compose.device import num_threads
from engine.config import ConfigError
from sweeper.config import SweeperConfig
from sweeper.slots.places import SlotSettings, plan_slots

_ELSEWHERE = 4  # workers where the launcher's places are not this machine's: Slurm, Ray


def num_workers(config: DictConfig, settings: SweeperConfig) -> int:
    """hydra.sweeper.workers, else one for each place of hydra/launcher.

    raises  ConfigError where the launcher has only one place and more are asked for
    """
    name = launcher_name(config)
    if name == "basic":
        if settings.workers not in (None, 1):
            raise ConfigError(
                f"hydra.sweeper.workers={settings.workers}: the basic launcher runs one, in this process. "
                "Add hydra/launcher=gpus."
            )
        return 1
    if settings.workers is not None:
        return settings.workers
    if name == "gpus":
        return len(plan_slots(_slots(config)))
    if name == "joblib":
        jobs = int(config.hydra.launcher.n_jobs)
        return jobs if jobs > 0 else num_threads(None)
    return _ELSEWHERE


def threads_of_a_trial(config: DictConfig, workers: int) -> int:
    """The cores of this machine shared among the workers on it; all of them where they are elsewhere."""
    here = launcher_name(config) in ("basic", "gpus", "joblib", "submitit_local")
    return max(1, num_threads(None) // (workers if here else 1))


def workers_words(config: DictConfig, workers: int) -> str:
    """Who works, for the printed plan."""
    given = config.training.threads
    threads = given if isinstance(given, int) else threads_of_a_trial(config, workers)
    where = {"basic": "in this process"}.get(
        launcher_name(config), f"by hydra/launcher={launcher_name(config)}"
    )
    return f"{workers} {where}, {threads} thread{'s' * (threads != 1)} each"


def launcher_name(config: DictConfig) -> str:
    """The pick of hydra/launcher."""
    return str(config.hydra.runtime.choices.get("hydra/launcher", "basic"))


def _slots(config: DictConfig) -> SlotSettings:
    launcher = config.hydra.launcher
    gpus = None if launcher.gpus is None else list(launcher.gpus)
    return SlotSettings(slots=launcher.slots, gpus=gpus, per_gpu=launcher.per_gpu, restarts=launcher.restarts)
