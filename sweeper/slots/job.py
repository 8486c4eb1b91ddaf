"""A Hydra job on its way to another process, and its return on the way back."""

import pickle
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from engine.config import ConfigError


class SlotError(RuntimeError):
    """A job's process ended without the job's own return: killed, crashed, left by sys.exit."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Work:
    """What every job of a launch shares."""

    task_function: TaskFunction
    hydra_context: HydraContext
    config: DictConfig


def pack_shared(work: Work) -> bytes:
    """What a fresh interpreter needs to run jobs of this launch.

    Pickled by value where it lives in the started script (__main__), as joblib and submitit do it.
    raises  ConfigError where the task function holds what can't be sent
    """
    import cloudpickle
    from hydra.core.singleton import Singleton

    try:
        return cloudpickle.dumps((work, Singleton.get_state()))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        function = work.task_function
        name = getattr(function, "__qualname__", type(function).__name__)
        raise ConfigError(
            f"hydra/launcher=gpus: the function {name} can't be sent to another process ({error}). "
            "Take hydra/launcher=basic, or keep open files and generators out of it."
        ) from error


def pack_job(shared: bytes, *, overrides: Sequence[str], number: int) -> bytes:
    """One job with all that its interpreter needs; plain pickle around it, so that sys.path comes first."""
    return pickle.dumps((list(sys.path), list(sys.argv), shared, list(overrides), number))


def run_packed(shared: bytes, overrides: list[str], number: int) -> JobReturn:
    """Compose the job's config and run its task function, in this process."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.singleton import Singleton
    from hydra.core.utils import run_job, setup_globals
    from omegaconf import open_dict

    work, state = pickle.loads(shared)  # our parent's own bytes
    setup_globals()
    Singleton.set_state(state)
    config = work.hydra_context.config_loader.load_sweep_config(work.config, overrides)
    with open_dict(config):
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
        config.hydra.job.num = number
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=work.hydra_context,
        task_function=work.task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def write_return(ended: JobReturn, path: Path) -> None:
    """Leave a job's return for the parent; what can't be pickled is told in words."""
    import cloudpickle

    value = ended._return_value
    if isinstance(value, BaseException) and value.__traceback__ is not None:
        lines = traceback.format_exception(type(value), value, value.__traceback__)
        value.add_note("".join(["in its own process:\n", *lines]))  # a traceback itself can't be pickled
    try:
        data = cloudpickle.dumps(ended)
        pickle.loads(data)  # some errors can be written, yet not made again
    except Exception as error:
        what = repr(value) if isinstance(value, BaseException) else f"a {type(value).__name__}: {error}"
        notes = "".join(getattr(value, "__notes__", []))
        reason = SlotError(f"the job's return can't be sent to another process: {what}\n{notes}".rstrip())
        data = pickle.dumps(failed(ended.overrides or [], reason))
    half = path.with_suffix(".half")
    half.write_bytes(data)
    half.replace(path)


def read_return(path: Path) -> JobReturn | None:
    """What write_return left, or None."""
    if not path.exists():
        return None
    try:
        ended: JobReturn = pickle.loads(path.read_bytes())
    except Exception as error:  # any class may refuse to be made again
        return failed([], SlotError(f"the job's return can't be read: {error!r}"))
    return ended


def failed(overrides: Sequence[str], reason: BaseException) -> JobReturn:
    """The return of a job that has none of its own."""
    ended = JobReturn(overrides=list(overrides), working_dir=str(Path.cwd()), status=JobStatus.FAILED)
    ended.return_value = reason
    return ended
