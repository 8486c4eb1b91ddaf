"""The fixed validation loss: by hand, and untouched by what a run varies."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine import validation
from engine.config import LayerGroup, LoRAConfig, LossConfig, NoiseConfig, Prediction
from engine.diffusion.discrete import DiscreteSchedule
from engine.diffusion.seeding import normal_draws
from engine.models.family import Conditioning, ModelFamily
from engine.networks.files import read_lora
from engine.networks.lora import attach_lora
from engine.training import validation_record
from engine.training.result import TrainResult
from engine.validation import ValidationLosses, ValidationPicture, validation_losses
from tests.training.toy_runs import train_small

SHAPE = (4, 2, 3)


class Scaled:
    """A model that answers a share of what it is asked, and keeps the questions."""

    device = torch.device("cpu")
    schedule = DiscreteSchedule(torch.linspace(0.99, 0.01, 1000))

    def __init__(self, factor: float = 0.0) -> None:
        self.factor = factor
        self.timesteps: list[int] = []
        self.texts: list[Tensor] = []

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, told: Conditioning) -> Tensor:
        self.timesteps += timesteps.tolist()
        self.texts.append(told.text["hidden"])
        return noisy_latents * self.factor


@pytest.mark.parametrize(
    ("prediction", "factor", "loss"),
    [
        (Prediction.epsilon, 0.0, 4.0),  # target: the noise, 2; answer 0
        (Prediction.epsilon, 0.5, 1.0),  # noisy: 0.8 * 1 + 0.6 * 2 = 2; answer 1
        (Prediction.v, 0.0, 1.0),  # target: 0.8 * 2 - 0.6 * 1 = 1
        (Prediction.v, 0.5, 0.0),
        (Prediction.v, 2.0, 9.0),
    ],
)
def test_the_loss_by_hand_for_latents_of_one_and_noise_of_two(
    monkeypatch: pytest.MonkeyPatch, prediction: Prediction, factor: float, loss: float
) -> None:
    monkeypatch.setattr(
        validation,
        "normal_draws",
        lambda seed, stream, *, step, samples, shape: torch.full((len(samples), *shape), 2.0),
    )
    model = Scaled(factor)
    model.schedule = DiscreteSchedule(torch.full((1000,), 0.64))  # 0.8 of the picture, 0.6 of the noise
    picture = ValidationPicture(
        latents=torch.ones(SHAPE), text={"hidden": torch.zeros(5, 6)}, sizes=torch.zeros(6)
    )
    assert _loss(model, [picture, picture], prediction=prediction) == pytest.approx(loss, abs=1e-6)


def test_the_loss_of_zero_answers_is_the_mean_square_of_the_noise() -> None:
    pictures = _pictures(3)
    noise = [
        normal_draws(0, "validation", step=position, samples=range(4), shape=SHAPE) for position in range(3)
    ]
    expected = torch.stack(noise).double().square().mean()
    assert _loss(Scaled(), pictures) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("count", "timesteps"),
    [(1, [500]), (2, [250, 750]), (4, [125, 375, 625, 875])],
)
def test_each_picture_is_looked_at_in_the_middles_of_equal_parts_of_the_schedule(
    count: int, timesteps: list[int]
) -> None:
    model = Scaled()
    _loss(model, _pictures(3), count=count)
    assert model.timesteps == timesteps * 3


def test_each_picture_has_a_loss_of_its_own_at_each_timestep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        validation,
        "normal_draws",
        lambda seed, stream, *, step, samples, shape: torch.stack(
            [torch.full(tuple(shape), 1.0 + step + 10 * sample) for sample in samples]
        ),
    )
    losses = _losses(Scaled(), _pictures(2), count=3)
    assert losses.timesteps == [166, 500, 833] and losses.num_timesteps == 1000
    assert losses.losses.dtype == torch.float64
    assert losses.losses.tolist() == [[1.0, 121.0, 441.0], [4.0, 144.0, 484.0]]  # squares of the noise
    assert losses.mean() == pytest.approx(1195 / 6)


def test_each_picture_is_looked_at_with_its_own_text() -> None:
    model = Scaled()
    pictures = _pictures(2)
    _loss(model, pictures)
    for picture, text in zip(pictures, model.texts, strict=True):
        assert torch.equal(text, picture.text["hidden"].expand(4, -1, -1))


def test_one_picture_of_many_that_goes_wrong_makes_the_loss_no_number() -> None:
    pictures = _pictures(3)
    pictures[1].latents[0, 0, 0] = math.inf
    assert not math.isfinite(_loss(Scaled(0.5), pictures))


def test_weights_that_are_not_numbers_give_a_loss_that_is_none() -> None:
    assert not math.isfinite(_loss(Scaled(math.nan), _pictures(1)))


def test_the_loss_is_the_same_whatever_was_drawn_before() -> None:
    before = _loss(Scaled(0.5), _pictures(2))
    torch.manual_seed(99)
    torch.randn(1000)
    assert _loss(Scaled(0.5), _pictures(2)) == before


OPTIONS = (
    "noise.offset=0.2",
    "loss.min_snr_gamma=1",
    "loss.kind=huber",
    "loss.kind=smooth_l1 loss.huber_c=0.5 loss.huber_schedule=exponential loss.huber_scale=2",
    "seed=5",
    "network.dropout=0.5",
    "dataset.batch_size=3",
    "dataset.flip_aug=true",
)

OF_FLOW_MODELS = {  # tests/training/test_flux_run.py walks them
    "noise.timesteps",
    "noise.timestep_mean",
    "noise.timestep_scale",
    "noise.mode_scale",
    "noise.timestep_shift",
    "loss.flow_weighting",
}


def test_every_option_of_noise_and_loss_is_walked_below() -> None:
    fields = [f"noise.{field.name}" for field in dataclasses.fields(NoiseConfig)]
    fields += [f"loss.{field.name}" for field in dataclasses.fields(LossConfig)]
    fields.remove("loss.prior_loss_weight")  # of pictures that the validation loss does not look at
    fields = [name for name in fields if name not in OF_FLOW_MODELS]  # which the demo is not
    assert set(fields) <= {word.split("=")[0] for option in OPTIONS for word in option.split()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A run without any of the options."""
    return _train(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("option", OPTIONS)
def test_the_same_weights_have_one_loss_whatever_a_run_varies(
    tmp_path: Path, plain: TrainResult, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[ModelFamily, list[ValidationPicture], float]] = []

    def remember(
        family: ModelFamily, pictures: list[ValidationPicture], *, num_timesteps: int, prediction: Prediction
    ) -> ValidationLosses:
        losses = validation_losses(family, pictures, num_timesteps=num_timesteps, prediction=prediction)
        asked.append((family, pictures, losses.mean()))
        return losses

    monkeypatch.setattr(validation_record, "validation_losses", remember)
    varied = _train(tmp_path, *option.split())
    assert varied.val_losses[0] == plain.val_losses[0]  # untrained
    assert varied.val_losses[-1] != plain.val_losses[-1]  # the option did train other weights

    family, pictures, after = asked[-1]
    assert len(pictures) == 2 and varied.weights is not None
    state = read_lora(varied.weights).state
    config = LoRAConfig(rank=2, alpha=2, layers=[LayerGroup.attention])  # no dropout, another seed
    layers, kind = family.adaptable_layers(), family.config.family
    network = attach_lora(config, layers, family=kind, seed=8, device="cpu")
    try:
        network.train(False)
        network.load_state(state)
        again = validation_losses(family, pictures, num_timesteps=3, prediction=Prediction.epsilon).mean()
    finally:
        network.detach()
    assert again == after == varied.val_losses[-1][1]


def _train(folder: Path, *options: str) -> TrainResult:
    """Two steps that move the weights far, validated before and after."""
    return train_small(
        folder,
        "training.steps=2",
        "training.validation_images=2",
        "training.validation_timesteps=3",
        "optimizer.lr=0.01",
        "network.layers=[attention]",
        "network.alpha=2",
        "sampling.num_prompts=0",
        *options,
    )


def _loss(
    model: Scaled,
    pictures: list[ValidationPicture],
    *,
    count: int = 4,
    prediction: Prediction = Prediction.epsilon,
) -> float:
    return _losses(model, pictures, count=count, prediction=prediction).mean()


def _losses(
    model: Scaled,
    pictures: list[ValidationPicture],
    *,
    count: int = 4,
    prediction: Prediction = Prediction.epsilon,
) -> ValidationLosses:
    family: ModelFamily = model  # type: ignore[assignment]
    return validation_losses(family, pictures, num_timesteps=count, prediction=prediction)


def _pictures(count: int) -> list[ValidationPicture]:
    generator = torch.Generator().manual_seed(0)
    return [
        ValidationPicture(
            latents=torch.randn(*SHAPE, generator=generator),
            text={"hidden": torch.randn(5, 6, generator=generator)},
            sizes=torch.zeros(6),
        )
        for _ in range(count)
    ]
