"""Sweeps planned in this process, as `python train.py --multirun` would plan them; nothing is trained."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from engine.compose.guard import check_overrides
from engine.compose.register import register
from engine.config import ConfigError
from sweeper.config import SweeperConfig
from sweeper.work.check import check_sweep
from sweeper.work.composer import Composer
from sweeper.work.plan import Request, SweepPlan, plan_sweep, read_settings
from train import run_composed

CONF = Path(__file__).resolve().parents[2] / "conf"


def request_of(*typed: str) -> Request:
    """What Hydra hands to the sweeper for a command line; the guard goes first, as in train.py.

    raises  ConfigError where the guard refuses the line
    """
    register()
    Plugins.instance()
    return _request(*check_overrides(["--multirun", *typed], CONF))


@cache
def _request(*words: str) -> Request:
    """Hydra's part, for words in the form that it takes."""
    register()
    Plugins.instance()
    overrides = [word for word in words if not word.startswith("--")]
    folders = create_config_search_path(str(CONF))
    for word in words:
        if word.startswith("--config-dir="):
            path = f"file://{Path(word.partition('=')[2]).absolute()}"
            folders.prepend("command-line", path, anchor=SearchPathQuery(provider="schema"))
    with _alone():
        hydra = Hydra.create_main_hydra2(task_name="train", config_search_path=folders)
        config = hydra.compose_config("config", overrides, run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
    arguments = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    assert isinstance(arguments, list)
    return Request(
        context=context, task=run_composed, config=config, arguments=tuple(str(text) for text in arguments)
    )


def plan_of(*typed: str, change: Callable[[SweeperConfig], None] | None = None) -> SweepPlan:
    """The plan of a command line in the form that Hydra takes; the guard has tests of its own.

    change  sets options of hydra.sweeper: many plans of one command line, which is composed once
    """
    request = _request(*typed)
    settings = read_settings(request.config)
    if change is not None:
        change(settings)
    return plan_sweep(request, settings)


def checked(*typed: str) -> SweepPlan:
    """The plan once every candidate was checked."""
    request = request_of(*typed)
    return check_sweep(plan_sweep(request, read_settings(request.config)))


def problems_of(*typed: str) -> list[str]:
    """What a command line is told: by the guard, the plan, or the check of the candidates."""
    with pytest.raises(ConfigError) as caught:
        checked(*typed)
    return list(caught.value.problems)


def composer_of(*typed: str, fixed: tuple[str, ...] = ()) -> Composer:
    """A composer with these overrides typed for the sweep, and `fixed` beneath every trial."""
    request = _request(*typed)
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
def _alone() -> Iterator[None]:
    """Hydra keeps one instance of itself; it is gone after the block."""
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


@contextmanager
def inside(folder: Path) -> Iterator[Path]:
    """A working directory for the block; all that is in it afterwards was made by the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
