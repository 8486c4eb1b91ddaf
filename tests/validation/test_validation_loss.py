"""The fixed validation loss: by hand, and untouched by what a run varies."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.config import Prediction
from engine.diffusion.seeding import normal_draws
from engine.models.family import ModelFamily
from engine.validation import ValidationPicture, validation_loss
from tests.training.toy_runs import train_small

SHAPE = (4, 2, 3)


class Zeros:
    """A model that answers nothing but zero, and counts what it is asked."""

    device = torch.device("cpu")
    alphas_cumprod = torch.linspace(0.99, 0.01, 1000)

    def __init__(self, factor: float = 0.0) -> None:
        self.factor = factor
        self.timesteps: list[int] = []

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, text_embeddings: Tensor) -> Tensor:
        self.timesteps += timesteps.tolist()
        return noisy_latents * self.factor


def test_the_loss_of_zero_answers_is_the_mean_square_of_the_noise() -> None:
    pictures = _pictures(3)
    noise = [
        normal_draws(0, "validation", step=position, samples=range(4), shape=SHAPE) for position in range(3)
    ]
    expected = torch.stack(noise).double().square().mean()
    assert _loss(Zeros(), pictures) == pytest.approx(float(expected), rel=1e-6)


def test_each_picture_is_looked_at_in_the_middles_of_equal_parts_of_the_schedule() -> None:
    model = Zeros()
    _loss(model, _pictures(2))
    assert model.timesteps == [125, 375, 625, 875] * 2


def test_weights_that_are_not_numbers_give_a_loss_that_is_none() -> None:
    assert not math.isfinite(_loss(Zeros(math.nan), _pictures(1)))


def test_the_loss_is_the_same_whatever_was_drawn_before() -> None:
    before = _loss(Zeros(0.5), _pictures(2))
    torch.manual_seed(99)
    torch.randn(1000)
    assert _loss(Zeros(0.5), _pictures(2)) == before


@pytest.mark.parametrize(
    "option",
    ["noise.offset=0.2", "loss.min_snr_gamma=1", "seed=5", "network.dropout=0.5", "dataset.batch_size=3"],
)
def test_untrained_networks_have_one_loss_whatever_a_run_varies(tmp_path: Path, option: str) -> None:
    plain = train_small(tmp_path / "plain", "training.steps=1", "sampling.num_prompts=0")
    varied = train_small(tmp_path / "varied", "training.steps=1", "sampling.num_prompts=0", option)
    assert plain.val_losses[0] == varied.val_losses[0]
    assert plain.val_losses[1] != varied.val_losses[1]  # the option did train other weights


def _loss(model: Zeros, pictures: list[ValidationPicture]) -> float:
    family: ModelFamily = model  # type: ignore[assignment]
    return validation_loss(family, pictures, num_timesteps=4, prediction=Prediction.epsilon)


def _pictures(count: int) -> list[ValidationPicture]:
    generator = torch.Generator().manual_seed(0)
    return [
        ValidationPicture(
            latents=torch.randn(*SHAPE, generator=generator), text=torch.randn(5, 6, generator=generator)
        )
        for _ in range(count)
    ]
