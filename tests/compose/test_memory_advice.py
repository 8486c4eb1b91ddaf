"""A run that needs more memory than its GPU has is told what would make it fit, by the same estimate."""

from dataclasses import replace

import pytest
from toys import composed

from engine.compose import memory_advice as advice
from engine.compose.memory import MemoryEstimate
from engine.compose.memory_advice import memory_advice
from engine.config import Quantize, RunConfig

GB = 10**9


def estimate(run: RunConfig) -> MemoryEstimate:
    """40 GB, of which recomputing saves 10, nf4 15, each swapped block 1."""
    memory = run.memory
    saved = 10 * run.training.gradient_checkpointing + memory.blocks_to_swap
    base = (40 - saved - 15 * (memory.quantize is Quantize.nf4)) * GB
    return MemoryEstimate(base=base, encoding=0, network=0, activations=0)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    monkeypatch.setattr(advice, "num_blocks", lambda model: 10)
    return composed("model=flux_dev", "training.gradient_checkpointing=false")


def test_a_run_that_fits_is_told_nothing(run: RunConfig) -> None:
    assert memory_advice(run, estimate, capacity=None) == []
    assert memory_advice(run, estimate, capacity=45 * GB) == []


def test_the_cheapest_levers_that_bring_it_below_are_named(run: RunConfig) -> None:
    (said,) = memory_advice(run, estimate, capacity=44 * GB)
    assert said == (
        "memory: about 40.0 GB are needed beside the libraries, and the GPU has 44.0: this run may not fit. "
        "It would with training.gradient_checkpointing=true (about 30.0 GB), or "
        "training.gradient_checkpointing=true memory.quantize=nf4 (about 15.0 GB)."
    )
    recomputed = replace(run, training=replace(run.training, gradient_checkpointing=True))
    (said,) = memory_advice(recomputed, estimate, capacity=25 * GB)
    assert said.endswith(
        "with memory.quantize=nf4 (about 15.0 GB), or memory.blocks_to_swap=8 (about 22.0 GB)."
    )


def test_a_run_that_no_lever_helps_is_told_so(run: RunConfig) -> None:
    (said,) = memory_advice(run, estimate, capacity=12 * GB)
    assert said.endswith("No lever brings it below.")
    quantised = replace(run, memory=replace(run.memory, quantize=Quantize.nf4))
    assert "blocks_to_swap" not in memory_advice(quantised, estimate, capacity=20 * GB)[0]
