"""One run from the command line: compose, check, train, score, show. python train.py --help"""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from engine.compose.guard import check_overrides
from engine.compose.refusal import refusing
from engine.compose.register import register

CONF = Path(__file__).resolve().parent / "conf"


def main() -> None:
    """What `python train.py ...` does; exit code 2 and a list of sentences where a run can't start."""
    register()
    with refusing():
        sys.argv[1:] = check_overrides(sys.argv[1:], CONF)
    run_composed()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def run_composed(config: DictConfig) -> None:
    """A composed run, to its end."""
    with refusing():
        train_and_show(config)


def train_and_show(config: DictConfig) -> None:
    """Raises ConfigError where the run can't start."""
    from engine.compose.load import load
    from engine.compose.plan import print_plan
    from engine.compose.preflight import preflight
    from rich.console import Console

    console = Console()
    run = load(config)
    plan = preflight(run, lambda: draw_demo(run))
    print_plan(run, plan, console)
    if run.dry_run:
        return


if __name__ == "__main__":
    main()
