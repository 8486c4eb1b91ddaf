"""What a run that needs more memory than its GPU has is told: the levers that bring it below, and how far."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from engine.compose.memory import MemoryEstimate, num_blocks
from engine.config import Quantize, RunConfig

_SHARE = 0.9  # of a GPU's memory; the rest is for libraries and for what operations need while they run
_SWAPPED = 4  # blocks at a time
_SUGGESTIONS = 2


def memory_advice(
    run: RunConfig, estimate: Callable[[RunConfig], MemoryEstimate], *, capacity: int | None
) -> list[str]:
    """One sentence, or none where the run fits.

    estimate  of a run
    capacity  bytes of the GPU; None where there is none
    """
    if capacity is None or (needed := estimate(run).peak) <= _SHARE * capacity:
        return []
    fitting = []
    for options, changed in _levers(run):
        if (size := estimate(changed).peak) <= _SHARE * capacity:
            fitting.append(f"{options} (about {size / 1e9:.1f} GB)")
        if len(fitting) == _SUGGESTIONS:
            break
    remedy = f"It would with {', or '.join(fitting)}." if fitting else "No lever brings it below."
    return [
        f"memory: about {needed / 1e9:.1f} GB are needed beside the libraries, and the GPU has "
        f"{capacity / 1e9:.1f}: this run may not fit. {remedy}"
    ]


def _levers(run: RunConfig) -> Iterator[tuple[str, RunConfig]]:
    """Options and the run with them: what costs least time first; one number of swapped blocks, the least."""
    recomputed = replace(run, training=replace(run.training, gradient_checkpointing=True))
    prefix = "" if run.training.gradient_checkpointing else "training.gradient_checkpointing=true "
    if prefix:
        yield prefix.strip(), recomputed
    if run.memory.quantize is not Quantize.none:
        return
    yield (
        f"{prefix}memory.quantize=nf4",
        replace(recomputed, memory=replace(run.memory, quantize=Quantize.nf4, blocks_to_swap=0)),
    )
    for count in range(_SWAPPED, num_blocks(run.model) + 1, _SWAPPED):
        if run.memory.blocks_to_swap < count:
            yield (
                f"{prefix}memory.blocks_to_swap={count}",
                replace(recomputed, memory=replace(run.memory, blocks_to_swap=count)),
            )
