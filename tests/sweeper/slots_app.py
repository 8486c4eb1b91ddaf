"""A small Hydra program, swept with hydra/launcher=gpus: python slots_app.py results.json [override ...]."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, RunMode
from hydra.version import setbase
from omegaconf import DictConfig

from engine.training.interrupt import Interrupt
from sweeper.slots.preemption import preemptible

VARIABLES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "DIFFUSION_SWEEPER_SLOT")


class UnsendableError(Exception):
    """An error that pickle writes, but can't make again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def task(config: DictConfig) -> object:
    """What the job is told by do=..., in its own process."""
    job = HydraConfig.get().job
    Path(f"started-{job.num}").write_text(f"{os.getpid()} {Path(f'started-{job.num}').exists():d}")
    doing = {"env": _environment, "wait": _wait, "die": _die, "helper": _helper, "preempt": _preempt}
    if config.do in doing:
        doing[config.do](config)
    if config.do == "raise":
        raise ValueError("the picture is green")
    if config.do == "unsendable":
        raise UnsendableError(1, 2)
    if config.do == "exit":
        sys.exit(3)
    if config.do == "crash":
        os._exit(7)
    time.sleep(float(config.get("sleep", 0)))
    print(f"printed by {job.num}")
    print("half\rwhole", file=sys.stderr)
    return {"num": job.num, "id": job.id, "x": config.get("x"), "argv": sys.argv[1:2], "pid": os.getpid()}


def _environment(_config: DictConfig) -> None:
    slot = os.environ["DIFFUSION_SWEEPER_SLOT"]
    Path(f"env-{slot}.json").write_text(json.dumps({name: os.environ.get(name) for name in VARIABLES}))


def _wait(config: DictConfig) -> None:
    """Until Ctrl-C or SIGTERM, which ends the job cleanly; do=wait x=stubborn heeds neither."""
    number = HydraConfig.get().job.num
    if config.get("x") == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(f"waiting-{number}").write_text(str(os.getpid()))
    try:
        while not Path("enough").exists():
            time.sleep(0.02)
            print("still waiting")
    except KeyboardInterrupt:
        Path(f"clean-{number}").touch()
        time.sleep(1)  # a step that is being finished: the program sees its jobs at work after Ctrl-C


def _die(_config: DictConfig) -> None:
    """The first time: by kill -9, after as long as the test has asked for."""
    if not Path("died").exists():
        Path("died").touch()
        time.sleep(float(os.environ.get("LIVE", "0")))
        os.kill(os.getpid(), signal.SIGKILL)


def _helper(_config: DictConfig) -> None:
    """Die and leave a process behind."""
    helper = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Path("helper").write_text(str(helper.pid))
    os.kill(os.getpid(), signal.SIGSEGV)


def _preempt(config: DictConfig) -> None:
    """The first time: until the cluster's warning, then a clean end."""
    if Path("preempted").exists():
        return
    with preemptible(), Interrupt():
        try:
            _wait(config)
        finally:
            Path("preempted").touch()


def _told(ended: JobReturn) -> dict[str, object]:
    value = ended._return_value
    if ended.status == JobStatus.COMPLETED:
        return {"status": "completed", "value": value, "overrides": ended.overrides}
    notes = "".join(getattr(value, "__notes__", []))
    return {"status": "failed", "error": f"{type(value).__name__}: {value}", "notes": notes}


def launch(overrides: list[str]) -> list[JobReturn]:
    """Every combination as a job of one launch. (Hydra's own sweeper stops at the first failure.)"""
    hydra = Hydra.create_main_hydra2(task_name="app", config_search_path=create_config_search_path(None))
    fixed = [
        "hydra/launcher=gpus",
        "hydra.sweep.dir=swept",
        "hydra/job_logging=none",
        "hydra/hydra_logging=none",
    ]
    if any(override.startswith("hydra/launcher=") for override in overrides):
        del fixed[0]
    own = [override for override in overrides if override.startswith("hydra")]
    config = hydra.compose_config(
        config_name=None, overrides=[*fixed, *own], run_mode=RunMode.MULTIRUN, with_log_configuration=False
    )
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
    launcher = Plugins.instance().instantiate_launcher(context, task, config)
    swept = OverridesParser.create().parse_overrides([text for text in overrides if text not in own])
    (jobs,) = BasicSweeper.split_arguments(swept, max_batch_size=None)
    return list(launcher.launch(jobs, initial_job_idx=0))


def main() -> None:
    """Launch, and write every return, or what ended the launch."""
    results = Path(sys.argv[1])
    setbase("1.3")  # as hydra.main(version_base="1.3") does
    try:
        returns = launch(sys.argv[2:])
    except BaseException as error:
        results.write_text(json.dumps({"ended": type(error).__name__, "why": str(error)}))
        raise
    results.write_text(json.dumps([_told(ended) for ended in returns]))


if __name__ == "__main__":
    main()
