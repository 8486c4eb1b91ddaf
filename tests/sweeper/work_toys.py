"""Sweeps planned in this process, as `python train.py --multirun` would plan them; nothing is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from engine.compose.guard import check_overrides
from engine.compose.register import register
from engine.config import ConfigError
from sweeper.work.check import check_sweep
from sweeper.work.composer import Composer
from sweeper.work.plan import Request, SweepPlan, plan_sweep, read_settings
from train import run_composed

CONF = Path(__file__).resolve().parents[2] / "conf"
QUICK = ("+sweep=quick", "tracking=off")


def request_of(*typed: str, guarded: bool = True) -> Request:
    """What Hydra hands to the sweeper for a command line; the guard goes first, as in train.py.

    raises  ConfigError where the guard refuses the line
    """
    register()
    Plugins.instance()
    words = check_overrides(["--multirun", *typed], CONF) if guarded else list(typed)
    overrides = [word for word in words if not word.startswith("--")]
    folders = [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    overrides += [
        f"hydra.searchpath=[{','.join(f'file://{Path(one).absolute()}' for one in folders)}]"
    ] * bool(folders)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        config = hydra.compose_config("config", overrides, run_mode=RunMode.MULTIRUN)
        context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
    arguments = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    assert isinstance(arguments, list)
    return Request(
        context=context, task=run_composed, config=config, arguments=tuple(str(text) for text in arguments)
    )


def plan_of(*typed: str) -> SweepPlan:
    """The plan of a command line; ConfigError where there is none."""
    request = request_of(*typed)
    return plan_sweep(request, read_settings(request.config))


def checked(*typed: str) -> SweepPlan:
    """The plan once every candidate was checked."""
    return check_sweep(plan_of(*typed))


def problems_of(*typed: str) -> list[str]:
    """What a command line is told: by the guard, the plan, or the check of the candidates."""
    with pytest.raises(ConfigError) as caught:
        checked(*typed)
    return list(caught.value.problems)


def composer_of(*typed: str, fixed: tuple[str, ...] = ()) -> Composer:
    """A composer with these overrides typed for the sweep, and `fixed` beneath every trial."""
    request = request_of(*typed)
    return Composer(context=request.context, config=request.config, fixed=(*request.arguments, *fixed))


def hydras_own(composer: Composer, overrides: tuple[str, ...]) -> DictConfig:
    """The reference: all of it composed by Hydra's own loader."""
    return composer.context.config_loader.load_sweep_config(composer.config, list(overrides))


def sweep_file(folder: Path, text: str, name: str = "mine") -> str:
    """Write conf/sweep/<name>.yaml in a folder of one's own; the flag that finds it."""
    path = folder / "own/sweep" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# @package _global_\n{text}", encoding="utf-8")
    return f"--config-dir={folder / 'own'}"


@contextmanager
def inside(folder: Path) -> Iterator[Path]:
    """A working directory for the block; all that is in it afterwards was made by the block."""
    import os

    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
