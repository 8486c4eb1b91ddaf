"""FLUX.1 at toy size, trained by whole runs on four photographs."""

from pathlib import Path

import pytest
import torch

from engine.config.outcome import Outcome
from engine.networks.files import read_lora
from engine.training.result import TrainResult
from tests.data.real_photographs import write_photographs
from tests.models.tiny_flux import write_tiny_flux
from tests.training.toy_runs import train_small

MODELS = {"flux_dev": True, "flux_schnell": False}  # recipe -> whether its transformer is told a guidance


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/ with four pictures and their captions; flux_dev/ and flux_schnell/, checkpoints."""
    desk = tmp_path_factory.mktemp("flux")
    for path in write_photographs(desk / "photos")[4:]:
        path.unlink()
        path.with_suffix(".txt").unlink()
    for name, is_dev in MODELS.items():
        write_tiny_flux(desk / name, is_dev=is_dev)
    return desk


def _train(desk: Path, folder: Path, model: str, *overrides: str) -> TrainResult:
    return train_small(
        folder,
        f"model={model}",
        f"model.checkpoint={desk / model}",
        f"dataset.path={desk / 'photos'}",
        "dataset.resolution=64",
        "training.validation_images=4",
        "optimizer.lr=3e-3",
        *overrides,
    )


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("flux_dev", ()),
        pytest.param(
            "flux_dev",
            ("model.t5_attention_mask=true", "training.gradient_checkpointing=true"),
            marks=pytest.mark.slow,
        ),
        pytest.param("flux_schnell", (), marks=pytest.mark.slow),
    ],
)
def test_fifty_steps_on_four_pictures_lower_the_fixed_loss(
    desk: Path, tmp_path: Path, model: str, options: tuple[str, ...]
) -> None:
    result = _train(
        desk, tmp_path, model, "training.steps=50", "training.validate_every=25", "network.rank=4", *options
    )
    assert result.outcome is Outcome.completed and result.weights is not None
    steps, losses = zip(*result.val_losses, strict=True)
    assert steps == (0, 25, 50) and losses[0] > losses[1] + 0.01 > losses[2] + 0.02


@pytest.mark.parametrize("option", ["model.t5_token_length=64", "model.t5_attention_mask=true"])
def test_captions_that_are_read_otherwise_are_not_taken_from_the_cache(
    desk: Path, tmp_path: Path, option: str
) -> None:
    quick = ("training.steps=1", "training.validate_every=1", "sampling.num_prompts=0")
    before = _train(desk, tmp_path / "one", "flux_dev", *quick)
    after = _train(desk, tmp_path / "one", "flux_dev", *quick, option)  # in the same folder, with its cache
    alone = _train(desk, tmp_path / "other", "flux_dev", *quick, option)
    assert after.val_losses == alone.val_losses != before.val_losses


@pytest.mark.slow
def test_the_fixed_loss_of_given_weights_is_one_whatever_levels_and_weights_are_trained_at(
    desk: Path, tmp_path: Path
) -> None:
    quick = ("training.steps=2", "training.validate_every=1", "sampling.num_prompts=0")
    plain = _train(desk, tmp_path / "plain", "flux_dev", *quick).val_losses
    for option in (
        "noise.timesteps=uniform",
        "noise.timesteps=mode noise.mode_scale=0.5",
        "noise.timestep_mean=1",
        "noise.timestep_scale=2",
        "noise.timestep_shift=5",
        "loss.flow_weighting=cosmap",
        "loss.flow_weighting=clean",
        "loss.flow_weighting=sigma_sqrt",
    ):
        varied = _train(desk, tmp_path / "varied", "flux_dev", *quick, *option.split()).val_losses
        assert varied[0] == plain[0]  # untrained
        assert varied[-1] != plain[-1], option  # trained otherwise


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_swapped_blocks_learn_the_same_and_every_part_comes_in_its_turn(
    desk: Path, tmp_path: Path
) -> None:
    quick = ("training.device=cuda", "training.steps=4", "training.gradient_checkpointing=true")
    whole = _train(desk, tmp_path / "whole", "flux_dev", *quick)
    ways = ("memory.blocks_to_swap=3", "memory.unload_encoders=false", "memory.quantize=nf4")
    found = [_train(desk, tmp_path / str(place), "flux_dev", *quick, way) for place, way in enumerate(ways)]
    assert {result.outcome for result in (whole, *found)} == {Outcome.completed}
    assert whole.weights is not None
    exact = read_lora(whole.weights).state
    for result in found[:2]:
        assert result.weights is not None
        for key, tensor in read_lora(result.weights).state.items():
            torch.testing.assert_close(tensor, exact[key], rtol=1e-3, atol=1e-5)
