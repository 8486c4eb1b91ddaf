"""One batch to one loss per picture, on a model whose answer is known."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from engine.config import FlowWeighting, HuberSchedule, LossConfig, LossKind, NoiseConfig, Prediction
from engine.diffusion.discrete import DiscreteSchedule
from engine.diffusion.flow import FlowSchedule
from engine.diffusion.schedule import NoiseSchedule
from engine.diffusion.timesteps import uniform_timesteps
from engine.models.family import Conditioning, ModelFamily
from engine.training.step import Batch, Draws, Objective, make_draws, training_losses

KEPT = torch.linspace(0.99, 0.01, 1000)  # alphas_cumprod
SHAPE = (2, 3, 4)
TO_TIMESTEPS = partial(uniform_timesteps, num_timesteps=1000)


class Answers:
    """A model that answers with one number everywhere, and notes what it was asked."""

    device = torch.device("cpu")
    schedule: NoiseSchedule = DiscreteSchedule(KEPT)

    def __init__(self, answer: float = 0.0) -> None:
        self.answer = answer
        self.asked: list[Tensor] = []

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, told: Conditioning) -> Tensor:
        self.asked = [noisy_latents, timesteps, told.text["hidden"], told.sizes]
        return torch.full_like(noisy_latents, self.answer)


def test_the_loss_of_a_picture_is_the_mean_squared_distance_to_its_noise() -> None:
    batch, draws = _batch(2), _draws(2)
    losses = training_losses(_family(Answers(0.5)), batch, draws, _objective())
    assert torch.allclose(losses, ((0.5 - draws.noise) ** 2).mean(dim=(1, 2, 3)))


def test_the_model_sees_latents_drawn_from_the_distribution_and_noised_to_their_timestep() -> None:
    batch, draws, model = _batch(2), _draws(2), Answers()
    training_losses(_family(model), batch, draws, _objective())
    latents = batch.mean + batch.std * draws.posterior
    kept = KEPT[draws.timesteps][:, None, None, None]
    assert torch.allclose(model.asked[0], kept.sqrt() * latents + (1 - kept).sqrt() * draws.noise)
    assert torch.equal(model.asked[1], draws.timesteps) and torch.equal(model.asked[2], batch.text["hidden"])
    assert torch.equal(model.asked[3], batch.sizes)


def test_noise_offset_shifts_the_noise_that_is_seen_and_the_target_alike() -> None:
    batch, draws = _batch(2), _draws(2)
    losses = training_losses(_family(Answers()), batch, draws, _objective(noise=NoiseConfig(offset=0.3)))
    shifted = draws.noise + 0.3 * draws.offset[..., None, None]
    assert torch.allclose(losses, (shifted**2).mean(dim=(1, 2, 3)))


def test_min_snr_caps_the_weight_of_pictures_with_little_noise() -> None:
    batch, draws = _batch(2), _draws(2, timesteps=(0, 999))
    plain = training_losses(_family(Answers()), batch, draws, _objective())
    capped = training_losses(_family(Answers()), batch, draws, _objective(loss=LossConfig(min_snr_gamma=5.0)))
    assert torch.allclose(capped[0] / plain[0], torch.tensor(5.0 / (0.99 / 0.01)), rtol=1e-4)
    assert torch.allclose(capped[1], plain[1])


@pytest.mark.parametrize(
    ("weighting", "factors"),
    [
        (FlowWeighting.none, (1.0, 1.0)),
        (FlowWeighting.sigma_sqrt, (16.0, 4.0)),
        (FlowWeighting.cosmap, (2 / (math.pi * 0.625), 4 / math.pi)),
        (FlowWeighting.clean, (1 / 16, 1 / 4)),
    ],
)
def test_a_weight_by_sigma_goes_on_each_picture(
    weighting: FlowWeighting, factors: tuple[float, float]
) -> None:
    model = Answers(0.5)
    model.schedule = FlowSchedule()
    batch, draws = _batch(2), replace(_draws(2), timesteps=torch.tensor([250.0, 500.0]))
    objective = replace(_objective(loss=LossConfig(flow_weighting=weighting)), prediction=Prediction.flow)
    latents = batch.mean + batch.std * draws.posterior
    plain = (0.5 - (draws.noise - latents)).square().mean(dim=(1, 2, 3))
    losses = training_losses(_family(model), batch, draws, objective)
    assert torch.allclose(losses / plain, torch.tensor(factors))


@pytest.mark.parametrize(("kind", "factor"), [(LossKind.huber, 0.4), (LossKind.smooth_l1, 2.0)])
def test_huber_losses_are_taken_of_the_same_error_and_weighed_alike(kind: LossKind, factor: float) -> None:
    batch, draws = _batch(2), _draws(2, timesteps=(0, 999))
    loss = LossConfig(kind=kind, huber_c=0.2, huber_schedule=HuberSchedule.constant)
    losses = training_losses(_family(Answers()), batch, draws, _objective(loss=loss))
    rounded = factor * ((draws.noise**2 + 0.04).sqrt() - 0.2)
    assert torch.allclose(losses, rounded.mean(dim=(1, 2, 3)))
    loss = replace(loss, min_snr_gamma=5.0)
    capped = training_losses(_family(Answers()), batch, draws, _objective(loss=loss))
    assert torch.allclose(capped / losses, torch.tensor([5.0 / (0.99 / 0.01), 1.0]), rtol=1e-4)


def test_the_strength_of_huber_follows_the_timestep_of_each_picture() -> None:
    batch, draws = _batch(2), _draws(2, timesteps=(0, 999))
    found = {}
    for schedule in HuberSchedule:
        loss = LossConfig(kind=LossKind.huber, huber_c=0.2, huber_schedule=schedule)
        found[schedule] = training_losses(_family(Answers()), batch, draws, _objective(loss=loss))
    ratios = found[HuberSchedule.exponential] / found[HuberSchedule.constant]
    assert ratios[0] > 2 and ratios[1] == pytest.approx(1, abs=0.01)
    assert found[HuberSchedule.snr][0] < found[HuberSchedule.exponential][0]


def test_a_regularisation_picture_weighs_what_it_is_told_to() -> None:
    batch, draws = _batch(2), _draws(2)
    plain = training_losses(_family(Answers()), batch, draws, _objective())
    weighed = replace(batch, weights=torch.tensor([1.0, 0.25]))
    assert torch.equal(
        training_losses(_family(Answers()), weighed, draws, _objective()), plain * weighed.weights
    )


def test_what_a_mask_hides_does_not_count() -> None:
    batch, draws = _batch(2), _draws(2)
    mask = torch.ones(2, 1, *SHAPE[1:])
    plain = training_losses(_family(Answers()), batch, draws, _objective())
    whole = training_losses(_family(Answers()), replace(batch, mask=mask), draws, _objective())
    assert torch.equal(plain, whole)
    mask[0, :, :, :2] = 0  # the left half of the first picture
    mask[1] = 0.5
    losses = training_losses(_family(Answers()), replace(batch, mask=mask), draws, _objective())
    error = draws.noise[0] ** 2
    assert torch.allclose(losses, torch.stack([error[:, :, 2:].sum() / error.numel(), plain[1] / 2]))


def test_the_draws_of_a_picture_depend_on_its_place_in_the_step_not_on_its_batch() -> None:
    whole = make_draws(3, 10, range(4), shape=SHAPE, to_timesteps=TO_TIMESTEPS)
    second_half = make_draws(3, 10, range(2, 4), shape=SHAPE, to_timesteps=TO_TIMESTEPS)
    for name in ("posterior", "noise", "offset", "timesteps"):
        assert torch.equal(getattr(whole, name)[2:], getattr(second_half, name)), name


@pytest.mark.parametrize(("seed", "step"), [(4, 10), (3, 11)])
def test_another_seed_or_step_draws_anew(seed: int, step: int) -> None:
    one = make_draws(3, 10, range(2), shape=SHAPE, to_timesteps=TO_TIMESTEPS)
    other = make_draws(seed, step, range(2), shape=SHAPE, to_timesteps=TO_TIMESTEPS)
    assert not torch.isclose(one.noise, other.noise).any()
    assert not torch.isclose(one.posterior, one.noise).any()


def _family(model: Answers) -> ModelFamily:
    return model  # type: ignore[return-value]


def _objective(noise: NoiseConfig | None = None, loss: LossConfig | None = None) -> Objective:
    return Objective(noise=noise or NoiseConfig(), loss=loss or LossConfig(), prediction=Prediction.epsilon)


def _batch(count: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(count, *SHAPE, generator=generator)
    text = torch.randn(count, 5, 6, generator=generator)
    return Batch(
        mean=mean,
        std=mean.abs(),
        text={"hidden": text},
        sizes=torch.randn(count, 6, generator=generator),
        weights=torch.ones(count),
    )


def _draws(count: int, timesteps: tuple[int, ...] = (100, 700)) -> Draws:
    draws = make_draws(0, 0, range(count), shape=SHAPE, to_timesteps=TO_TIMESTEPS)
    return Draws(
        posterior=draws.posterior, noise=draws.noise, offset=draws.offset, timesteps=torch.tensor(timesteps)
    )
