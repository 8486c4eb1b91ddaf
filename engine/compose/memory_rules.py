"""What must hold of the levers on memory: what they need is here."""

import importlib.util

from engine.compose.device import visible_device
from engine.config import Quantize, RunConfig

PACKAGES: dict[Quantize, str] = {
    Quantize.nf4: "bitsandbytes",
    Quantize.int8: "bitsandbytes",
    Quantize.fp8: "torchao",
    Quantize.int8_ao: "torchao",
}
ON_GPU = (Quantize.nf4, Quantize.int8)  # diffusers and bitsandbytes ask for one
_EXTRAS = {"bitsandbytes": "8bit", "torchao": "torchao"}


def swap_rule(run: RunConfig) -> list[str]:
    """Blocks are swapped where they are recomputed, and as they are."""
    count = run.memory.blocks_to_swap
    if count < 1:
        return []
    problems = []
    if not run.training.gradient_checkpointing:
        problems.append(
            f"memory.blocks_to_swap={count}: the backward pass needs the blocks again, and gets them "
            "where they are recomputed. Set training.gradient_checkpointing=true."
        )
    if run.memory.quantize is not Quantize.none:
        problems.append(
            f"memory.blocks_to_swap={count} with memory.quantize={run.memory.quantize.name}: "
            "quantised blocks are not swapped. Leave one of them out."
        )
    return problems


def memory_problems(run: RunConfig) -> list[str]:
    """What this machine lacks for the levers: a GPU, packages."""
    return [*_swap_problems(run), *_quantize_problems(run)]


def _swap_problems(run: RunConfig) -> list[str]:
    if run.memory.blocks_to_swap < 1 or visible_device(run.training.device) != "cpu":
        return []
    return [
        f"memory.blocks_to_swap={run.memory.blocks_to_swap}: blocks wait on the processor, and this run "
        "has no other device. Set memory.blocks_to_swap=0."
    ]


def _quantize_problems(run: RunConfig) -> list[str]:
    """Packages that are not installed here, and ways that need a GPU where there is none."""
    how = run.memory.quantize
    package = PACKAGES.get(how)
    if package is None:
        return []
    if importlib.util.find_spec(package) is None:
        return [
            f"memory.quantize={how.name}: the package {package} is not installed. "
            f'Run pip install -e ".[{_EXTRAS[package]}]", or set memory.quantize=none.'
        ]
    if how in ON_GPU and visible_device(run.training.device) == "cpu":
        return [
            f"memory.quantize={how.name}: {package} trains on a GPU alone, and this run is on a processor. "
            "Use memory.quantize=fp8 or int8_ao, or none."
        ]
    return []
