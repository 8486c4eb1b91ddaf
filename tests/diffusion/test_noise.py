"""Noise, schedule, targets and weights against hand-computed numbers and the reference's own."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.config import Prediction
from engine.diffusion.loss_weights import min_snr_weights
from engine.diffusion.losses import mean_squared_error
from engine.diffusion.noise import offset_noise
from engine.diffusion.noise_schedule import add_noise, signal_to_noise
from engine.diffusion.targets import prediction_target
from engine.diffusion.timesteps import spaced_timesteps, uniform_timesteps

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "d_loss_weights.safetensors")


@pytest.fixture(scope="module")
def weight_cases() -> dict[str, object]:
    cases: dict[str, object] = json.loads((GOLDEN / "d_loss_weights.json").read_text())
    return cases


def test_offset_noise_zero_strength_returns_input() -> None:
    noise = torch.randn(2, 4, 3, 3)
    assert torch.equal(offset_noise(noise, torch.zeros(2), torch.randn(2, 4)), noise)


def test_offset_noise_shifts_each_channel_of_each_picture_by_its_own_constant() -> None:
    noise = torch.zeros(2, 2, 2, 2)
    shifted = offset_noise(noise, torch.tensor([0.1, 1.0]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert torch.allclose(shifted[0, 1], torch.tensor(0.2))
    assert shifted[1, 0].unique().tolist() == [3.0]


def test_offset_noise_equals_the_reference() -> None:
    tensors = load_file(GOLDEN / "c_noise_offset.safetensors")
    for case in json.loads((GOLDEN / "c_noise_offset.json").read_text())["cases"]:
        name = case["id"]
        strength = torch.full((2,), float(case["noise_offset"]))
        draw = tensors[f"{name}.draw"][..., 0, 0]
        if case["adaptive_noise_scale"] is not None:  # the reference adds a share of each channel's mean
            mean = tensors["latents"].mean(dim=(2, 3)).abs()
            draw = draw * (strength[:, None] + case["adaptive_noise_scale"] * mean).clamp(min=0)
            strength = torch.ones(2)
        ours = offset_noise(tensors["noise"], strength, draw)
        assert (ours - tensors[f"{name}.out"]).abs().max() < 1e-6, name


def test_add_noise_by_hand() -> None:
    kept = torch.tensor([1.0, 0.64, 0.0])
    latents, noise = torch.full((3, 1, 1, 1), 2.0), torch.full((3, 1, 1, 1), 10.0)
    mixed = add_noise(latents, noise, torch.tensor([0, 1, 2]), kept)
    assert mixed.flatten().tolist() == pytest.approx([2.0, 0.8 * 2 + 0.6 * 10, 10.0])


def test_signal_to_noise_equals_the_reference(weights: dict[str, torch.Tensor]) -> None:
    ours = signal_to_noise(torch.arange(1000), weights["alphas_cumprod.default"])
    assert torch.allclose(ours, weights["all_snr.default"], rtol=1e-4)


@pytest.mark.parametrize("gamma", [1, 5, 20])
@pytest.mark.parametrize("prediction", [Prediction.epsilon, Prediction.v])
def test_min_snr_weights_equal_the_reference(
    gamma: int,
    prediction: Prediction,
    weights: dict[str, torch.Tensor],
    weight_cases: dict[str, dict[str, list[float]]],
) -> None:
    snr = signal_to_noise(torch.tensor(weight_cases["timesteps"]), weights["alphas_cumprod.default"])
    ours = min_snr_weights(snr, gamma, prediction=prediction)
    name = f"apply_snr_weight gamma={gamma} v_prediction={prediction is Prediction.v}"
    assert ours.tolist() == pytest.approx(weight_cases["default"][name], rel=1e-4)


def test_the_target_of_epsilon_is_the_noise() -> None:
    noise = torch.randn(2, 4, 3, 3)
    target = prediction_target(
        torch.randn(2, 4, 3, 3),
        noise,
        torch.tensor([1, 2]),
        torch.linspace(0.9, 0.1, 10),
        prediction=Prediction.epsilon,
    )
    assert torch.equal(target, noise)


def test_the_target_of_v_equals_the_reference(weights: dict[str, torch.Tensor]) -> None:
    ours = prediction_target(
        weights["vel.latents"], weights["vel.noise"], weights["vel.timesteps"].long(),
        weights["alphas_cumprod.default"], prediction=Prediction.v,
    )  # fmt: skip
    assert (ours - weights["vel.out"]).abs().max() < 1e-6


def test_the_loss_is_one_number_per_picture() -> None:
    prediction, target = torch.zeros(2, 1, 1, 2), torch.tensor([[[[1.0, 3.0]]], [[[0.0, 2.0]]]])
    assert mean_squared_error(prediction, target).tolist() == [5.0, 2.0]


def test_uniform_timesteps_cover_the_schedule_and_no_more() -> None:
    draws = torch.tensor([0.0, 0.0009999, 0.001, 0.5, 0.99999999], dtype=torch.float64)
    assert uniform_timesteps(draws, num_timesteps=1000).tolist() == [0, 0, 1, 500, 999]


def test_spaced_timesteps_are_the_middles_of_equal_parts() -> None:
    assert spaced_timesteps(4, num_timesteps=1000).tolist() == [125, 375, 625, 875]


@pytest.mark.parametrize("kind", ["alpha", "cond"])
def test_a_masked_error_equals_the_reference(kind: str) -> None:
    case = load_file(GOLDEN / "d_masks.safetensors")
    masks = case["mask.alpha_masks"][:, None]
    if kind == "cond":
        masks = case["mask.cond_images"][:, :1] / 2 + 0.5  # the first channel of a picture in [-1, 1]
    of_latents = torch.nn.functional.avg_pool2d(masks, 8)
    found = mean_squared_error(case["mask.loss"].sqrt(), torch.zeros(2, 4, 8, 8), of_latents)
    expected = case[f"mask.out_{kind}"].mean(dim=(1, 2, 3))
    assert torch.allclose(found, expected, rtol=1e-6)
