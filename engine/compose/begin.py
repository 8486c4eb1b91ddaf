"""From a composed config to a run that can start, and its printed plan."""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from engine.compose.load import load
from engine.compose.placed import placed
from engine.compose.plan import Plan, print_plan
from engine.compose.plan_table import print_subsets
from engine.compose.preflight import preflight
from engine.compose.sources import DrawnDemo
from engine.config import RunConfig
from engine.config.sources import Sources

if TYPE_CHECKING:
    from rich.console import Console


def begin(
    config: DictConfig,
    draw_demo: Callable[[str, Path], DrawnDemo],
    check_scoring: Callable[[RunConfig, Sources], list[str]],
) -> "tuple[RunConfig, Plan, Console]":
    """The typed run, its plan, and the console that it was printed on.

    raises  ConfigError with everything that prevents the run
    """
    from rich.console import Console

    run, console = load(config), Console()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what no terminal can show
    plan = placed(preflight(run, draw_demo, check_scoring))
    print_plan(run, plan, console)
    if run.dry_run or len(plan.scan.subsets) > 1:
        print_subsets(plan, console)
    return run, plan, console
