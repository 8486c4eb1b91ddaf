"""One run from the command line: compose, check, train, score, show. See python train.py --help."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import hydra
from omegaconf import DictConfig

from engine.compose.guard import check_overrides
from engine.compose.refusal import refusing
from engine.compose.register import register

CONF = str(Path(__file__).resolve().parent / "conf")


def main() -> None:
    """What `python train.py ...` does; exit code 2 and a list of sentences where a run can't start."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # what nobody foresaw keeps its own traceback
    register()
    with refusing():
        sys.argv[1:] = check_overrides(sys.argv[1:], Path(CONF))
        run_composed()


@hydra.main(version_base="1.3", config_path=CONF, config_name="config")
@refusing()
def run_composed(config: DictConfig) -> dict[str, float]:
    """A composed run to its end, or its refusal; returns its scores."""
    from demo.folder import prepare_demo
    from engine.compose.begin import begin
    from evaluation.check import check_scoring

    run, plan, console = begin(config, prepare_demo, check_scoring)
    if run.dry_run:
        return {}
    if run.inspect:
        from engine.training.inspect_batches import inspect_batches
        from pages.inspect_page import write_inspect_page

        print(f"page     {write_inspect_page(inspect_batches(run, plan, console=console))}")
        return {}
    from engine.training.job import given_hooks
    from engine.training.summary import finish
    from engine.training.train import train
    from evaluation.in_run import scorer_of, scores_of
    from pages.run_page import read_run_folder, write_run_page

    hooks = replace(given_hooks(), score=scorer_of(run, plan.sources, device=plan.device))
    result = train(run, plan, console=console, hooks=hooks)
    scores, page = scores_of(result.folder), result.folder / "index.html"
    write_run_page(read_run_folder(result.folder), page)
    finish(result, scores.lines, page, console, missing=scores.missing)
    return scores.values


if __name__ == "__main__":
    main()
