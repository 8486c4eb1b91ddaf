"""Which slots this machine has: one GPU each, or a share of the cores where there is none."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.config import ConfigError

SLOT_VARIABLE = "DIFFUSION_SWEEPER_SLOT"  # in a slot's process: its number
VISIBLE = "CUDA_VISIBLE_DEVICES"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

_OPTION = "hydra.launcher"
_SECONDS = 60.0  # a driver that is not kept loaded takes a while


MOST_ON_CORES = 4  # processes without a GPU: each holds a base model in memory


@dataclass(kw_only=True, slots=True, frozen=True)
class SlotSettings:
    """The options of hydra/launcher=gpus."""

    slots: int | None = (
        None  # processes at a time; None = per_gpu for each GPU, or a core each without one, at most 4
    )
    gpus: Sequence[int | str] | None = (
        None  # numbers as nvidia-smi counts, UUIDs, MIG names; None = all visible
    )
    per_gpu: int = 1  # slots that share a GPU
    restarts: int = 3  # how often a job whose process died is started again


@dataclass(kw_only=True, slots=True, frozen=True)
class Slot:
    """A place for one process."""

    number: int
    environment: Mapping[str, str]  # what its process has beside or instead of ours

    @property
    def device(self) -> str:
        """ "gpu 0" or "cpu"."""
        gpu = self.environment[VISIBLE]
        return f"gpu {gpu}" if gpu else "cpu"


def plan_slots(
    settings: SlotSettings,
    *,
    num_jobs: int | None = None,
    environ: Mapping[str, str] = os.environ,
    num_cores: int | None = None,
) -> tuple[Slot, ...]:
    """The slots, no more than there are jobs.

    num_jobs   None: as many as the settings give
    environ    CUDA_VISIBLE_DEVICES in it says which GPUs may be used at all
    num_cores  shared by CPU slots; None: those that this process may run on
    raises  ConfigError with every option that can't be followed
    """
    problems = _wrong_numbers(settings)
    visible, ours = visible_gpus(environ)
    gpus = _chosen(settings.gpus, visible, problems)
    if gpus and settings.slots is not None and settings.per_gpu > 0:
        _check_room(settings, len(gpus), problems)
    if problems:
        raise ConfigError(problems)
    cores = num_cores or usable_cores()
    number = settings.slots or (len(gpus) * settings.per_gpu if gpus else min(cores, MOST_ON_CORES))
    number = min(number, max(1, num_jobs if num_jobs is not None else number))
    if gpus:  # dealt out in turn, so that few slots spread over all GPUs
        order = (
            {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if ours else {}
        )  # nvidia-smi's, in which they were counted
        return tuple(_slot(place, {VISIBLE: gpus[place % len(gpus)], **order}) for place in range(number))
    share = str(max(1, cores // number))
    threads = {name: share for name in THREAD_VARIABLES if not environ.get(name)}
    return tuple(_slot(place, {VISIBLE: "", **threads}) for place in range(number))


def visible_gpus(
    environ: Mapping[str, str] = os.environ, listing: Callable[[], str] | None = None
) -> tuple[list[str], bool]:
    """Names for CUDA_VISIBLE_DEVICES, and whether we counted them (else the user named them in it).

    CUDA reads that variable up to the first name that it does not know: so do we with -1 and blanks.
    listing  what `nvidia-smi -L` prints; None: it is run
    """
    given = environ.get(VISIBLE)
    if given is not None:
        names: list[str] = []
        for name in given.split(","):
            if name.strip() in ("", "-1", "NoDevFiles"):
                break
            names.append(name.strip())
        return names, False
    return _listed((listing or _nvidia_smi)()), True


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _listed(text: str) -> list[str]:
    """GPUs of `nvidia-smi -L` by number; of one that is cut up, its MIG devices by name instead."""
    devices: dict[str, list[str]] = {}
    number = ""
    for line in text.splitlines():
        if match := re.match(r"GPU (\d+):", line):
            number = match[1]
            devices[number] = []
        elif match := re.match(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)", line):
            devices[number].append(match[1])
    return [name for gpu, parts in devices.items() for name in (parts or [gpu])]


def _nvidia_smi() -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _wrong_numbers(settings: SlotSettings) -> list[str]:
    problems = []
    if settings.slots is not None and settings.slots < 1:
        problems.append(f"{_OPTION}.slots={settings.slots}: at least 1. Leave it out for one a GPU.")
    if settings.per_gpu < 1:
        problems.append(f"{_OPTION}.per_gpu={settings.per_gpu}: at least 1 process uses a GPU. Give 1.")
    if settings.restarts < 0:
        problems.append(f"{_OPTION}.restarts={settings.restarts}: a count. Give 0 for none.")
    return problems


def _chosen(asked: Sequence[int | str] | None, visible: list[str], problems: list[str]) -> list[str]:
    if asked is None:
        return visible
    text = f"{_OPTION}.gpus=[{','.join(map(str, asked))}]"
    names = [str(name) for name in asked]
    if not names:
        problems.append(f"{text}: no GPU is named. Leave it out; for CPU slots set {VISIBLE} empty.")
    elif not visible:
        problems.append(f"{text}: no GPU is visible here. Leave it out for CPU slots.")
    elif len(set(names)) < len(names):
        problems.append(f"{text}: a GPU is named twice. Give per_gpu=2 for two slots on each.")
    else:
        unknown = [name for name in names if not _is_known(name, visible)]
        if unknown:
            there = f"visible {'is' if len(visible) == 1 else 'are'} {', '.join(visible)}"
            problems.append(f"{text}: there is no GPU {' or '.join(unknown)}; {there}. Name those.")
    return names


def _is_known(name: str, visible: list[str]) -> bool:
    """Whole names (GPU-..., MIG-...) are CUDA's to judge where the visible ones are numbers."""
    return name in visible or (not name.isdigit() and all(other.isdigit() for other in visible))


def _check_room(settings: SlotSettings, num_gpus: int, problems: list[str]) -> None:
    room = num_gpus * settings.per_gpu
    if settings.slots is not None and settings.slots > room:
        gpus = "1 GPU has" if num_gpus == 1 else f"{num_gpus} GPUs have"
        problems.append(
            f"{_OPTION}.slots={settings.slots}: {gpus} room for {room} with per_gpu={settings.per_gpu}. "
            f"Give slots={room}, or raise per_gpu."
        )


def _slot(number: int, environment: dict[str, str]) -> Slot:
    return Slot(number=number, environment={**environment, SLOT_VARIABLE: str(number)})
