"""The same run on a GPU."""

from pathlib import Path

import pytest
import torch

from engine.config.outcome import Outcome
from engine.networks.files import read_lora
from tests.training.toy_runs import train_small

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_a_run_on_cuda_lowers_the_validation_loss(tmp_path: Path, precision: str) -> None:
    options = ("training.steps=30", "dataset.batch_size=8", "training.device=cuda")
    result = train_small(tmp_path, *options, f"training.mixed_precision={precision}")
    assert result.outcome is Outcome.completed
    assert result.val_losses[-1][1] < 0.9 * result.val_losses[0][1]
    assert 0 < result.peak_memory_bytes < 2e9
    assert result.weights is not None
    assert all(bool(torch.isfinite(value).all()) for value in read_lora(result.weights).state.values())


def test_a_run_goes_on_on_cuda_after_its_checkpoint(tmp_path: Path) -> None:
    from engine.training.job import Hooks

    options = ("training.device=cuda", "training.validate_every=1", "training.checkpoint_every=1")

    def out_of_memory(step: int, _: float) -> bool:
        return bool(torch.empty(10**15, device="cuda")) if step == 2 else False

    stopped = train_small(tmp_path, *options, hooks=Hooks(on_validation=out_of_memory))
    assert stopped.outcome is Outcome.out_of_memory and stopped.steps_done == 2
    assert train_small(tmp_path, *options).outcome is Outcome.completed
