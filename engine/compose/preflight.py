"""What must be true of this machine and its disk before anything is loaded, drawn or written."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from engine.compose.checkpoint import checkpoint_problems
from engine.compose.checkpoint_fit import fit_problems
from engine.compose.checkpoint_settings import swap_problems
from engine.compose.device import visible_device
from engine.compose.folders import folder_problems
from engine.compose.memory_rules import memory_problems
from engine.compose.plan import Plan
from engine.compose.planning import make_plan
from engine.compose.prompts import has_demo_list, needs_captions, plan_drawing, prompt_set_rule
from engine.compose.side_rule import side_step
from engine.compose.sources import (
    DrawnDemo,
    demo_sources,
    lacks_recipe_encoder,
    lacks_recipe_image_encoder,
    own_sources,
)
from engine.compose.start_file import start_problems
from engine.compose.weights_copy import copy_problems
from engine.config import DEMO_CONCEPTS, ConfigError, MixedPrecision, RunConfig, given_pictures, is_demo
from engine.config.evaluation import PIXELS
from engine.config.sources import Sources
from engine.data.indexes import Indexes
from engine.data.layouts import scan_dataset
from engine.data.scan import Scan
from engine.models.locate import find_checkpoint, is_hub_id
from engine.optimizers.build import check_args


def preflight(
    run: RunConfig,
    draw_demo: Callable[[str, Path], DrawnDemo],
    check_scoring: Callable[[RunConfig, Sources], list[str]],
) -> Plan:
    """The plan of a run that can start; raises ConfigError with everything that prevents it.

    draw_demo      (concept, cache folder) -> the demo's folder; called only for a run on the demo model,
                   after all other checks
    check_scoring  what prevents the scores of a run with these sources; asked where there will be scores
    """
    indexes = Indexes(Path(run.cache_dir))
    scan = _given_scan(run, indexes)
    problems = disk_problems(run, scan=scan)
    if problems:
        raise ConfigError(problems)
    sources = own_sources(run)
    if is_demo(run.model):
        sources = demo_sources(run, draw_demo(run.dataset.concept or DEMO_CONCEPTS[0], Path(run.cache_dir)))
    problems = check_scoring(run, sources) if run.evaluation.enabled else []
    if scan is None:
        scan = scan_dataset(run.dataset, sources.pictures, indexes)
    if problems := [*problems, *_drawing_problems(run, sources, scan)]:
        raise ConfigError(problems)
    indexes.save()
    return make_plan(run, sources, scan)


def disk_problems(run: RunConfig, *, scan: Scan | None = None, refused: bool = False) -> list[str]:
    """All that stands against the run on this machine; nothing is written.

    scan     of the pictures, where they are given and were looked at
    refused  something else already prevents the run: what only torch can tell is not asked
    """
    looked_at = scan or _given_scan(run, Indexes())
    problems = [
        *(checkpoint_problems(run.model) or [*swap_problems(run), *fit_problems(run)]),
        *([] if looked_at is None else looked_at.problems),
        *_prompt_problems(run, looked_at),
        *_evaluation_problems(run),
        *folder_problems("output_dir", run.output_dir),
        *folder_problems("cache_dir", run.cache_dir),
        *start_problems(run),
        *copy_problems(run),
        *_tensorboard_problems(run),
        *memory_problems(run),
    ]
    problems += check_args(run.optimizer, try_values=not (problems or refused))
    if refused:
        return problems
    return problems or _device_problems(run)  # the device is asked last: only torch knows


def _given_scan(run: RunConfig, indexes: Indexes) -> Scan | None:
    """The user's own pictures; None: the demo's."""
    given = given_pictures(run.dataset)
    if given is None:
        return None
    return scan_dataset(run.dataset, Path(given), indexes, side_step=side_step(run.model.family))


def _prompt_problems(run: RunConfig, scan: Scan | None) -> list[str]:
    """What is wrong with the list of prompts, as far as it is there before the demo is drawn."""
    name, sources = run.sampling.prompt_file, own_sources(run)
    if name is not None and not Path(name).is_file():
        return [f"sampling.prompt_file={name}: no such file. Give a text file with one prompt a line."]
    if has_demo_list(run) or prompt_set_rule(run):
        return []
    if needs_captions(run, sources) and (scan is None or scan.problems):
        return []
    return _drawing_problems(run, sources, scan)


def _drawing_problems(run: RunConfig, sources: Sources, scan: Scan | None) -> list[str]:
    try:
        plan_drawing(run, sources, scan)
    except ConfigError as error:
        of_file = f"{sources.prompts}: "
        return [
            f"sampling.prompt_file={problem}" if problem.startswith(of_file) else problem
            for problem in error.problems
        ]
    return []


def _evaluation_problems(run: RunConfig) -> list[str]:
    evaluation, problems = run.evaluation, []
    if not evaluation.enabled:
        return []
    encoders = {
        "encoder": None if lacks_recipe_encoder(run) else evaluation.encoder,
        "image_encoder": None if lacks_recipe_image_encoder(run) else evaluation.image_encoder,
        "preference": evaluation.preference,
    }
    for key, name in encoders.items():
        if name is not None and name != PIXELS and find_checkpoint(name) is None:
            fetch = f"Run: hf download {name}" if is_hub_id(name) else f"Give evaluation.{key}=DIR"
            problems.append(
                f"evaluation.{key}={name}: the model that scores the pictures is not on this machine. "
                f"{fetch}, or go without scores: evaluation.enabled=false."
            )
    if evaluation.aesthetic is not None and not Path(evaluation.aesthetic).is_file():
        problems.append(
            f"evaluation.aesthetic={evaluation.aesthetic}: no such file. Give the head's, or null."
        )
    if evaluation.references is not None and not Path(evaluation.references).exists():
        problems.append(
            f"evaluation.references={evaluation.references}: no such file. Give a prompts.json, or a folder."
        )
    return problems


def _tensorboard_problems(run: RunConfig) -> list[str]:
    if not run.tracking.tensorboard or importlib.util.find_spec("tensorboard") is not None:
        return []
    return [
        "tracking.tensorboard=true: the package tensorboard is not installed. "
        'Run pip install -e ".[tensorboard]", or leave the option out.'
    ]


def _device_problems(run: RunConfig) -> list[str]:
    device, precision = run.training.device, run.training.mixed_precision
    asks_for_gpu = device not in ("auto", "cpu")
    if not asks_for_gpu and precision is not MixedPrecision.fp16:
        return []
    found = visible_device(device)
    if asks_for_gpu and found is None:
        return [f"training.device={device}: torch sees no such device here. Use training.device=auto."]
    if precision is MixedPrecision.fp16 and found == "cpu":
        return ["training.mixed_precision=fp16: needs a GPU, and torch sees none here. Use bf16 or no."]
    return []
