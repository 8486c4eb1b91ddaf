"""Pseudo-Huber losses against hand-computed numbers and the reference's own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.config import HuberSchedule
from engine.diffusion.losses import huber_strengths, mean_squared_error, pseudo_huber, smooth_l1

Distance = Callable[..., torch.Tensor]
GOLDEN = Path(__file__).parents[1] / "golden"
REFERENCE = json.loads((GOLDEN / "d_huber.json").read_text())
CASES = [(schedule, c, scale) for schedule in HuberSchedule for c in (0.1, 0.01) for scale in (1.0, 2.0)]
TIMESTEPS = torch.tensor(REFERENCE["timesteps"])


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    kept = load_file(GOLDEN / "d_loss_weights.safetensors")["alphas_cumprod.default"]
    return {**load_file(GOLDEN / "d_huber.safetensors"), "alphas_cumprod": kept}


def test_huber_losses_by_hand() -> None:
    prediction = torch.tensor([3.0, 0.0, 5.0, 0.0]).view(2, 1, 1, 2)  # sqrt(9+16)-4 = 1, sqrt(25+144)-12 = 1
    strengths = torch.tensor([4.0, 12.0])
    target = torch.zeros(2, 1, 1, 2)
    assert pseudo_huber(prediction, target, strengths=strengths).tolist() == [4.0, 12.0]
    assert smooth_l1(prediction, target, strengths=strengths).tolist() == [1.0, 1.0]


def test_strengths_by_hand() -> None:
    kept, timesteps = torch.tensor([1.0, 0.8, 0.5, 0.0]), torch.tensor([0, 2])
    found = {
        schedule: huber_strengths(timesteps, kept, schedule=schedule, c=0.25) for schedule in HuberSchedule
    }
    assert found[HuberSchedule.constant].tolist() == [0.25, 0.25]
    assert found[HuberSchedule.exponential].tolist() == [1.0, 0.5]  # 0.25 to the power of a half
    assert found[HuberSchedule.snr].tolist() == [1.0, 0.4375]  # 0.75 / 4 + 0.25, as much noise as signal


@pytest.mark.parametrize(("schedule", "c", "scale"), CASES)
def test_huber_losses_equal_the_reference(
    schedule: HuberSchedule, c: float, scale: float, tensors: dict[str, torch.Tensor]
) -> None:
    case = REFERENCE["huber"][f"{schedule.value} c={c} scale={scale}"]
    strengths = huber_strengths(TIMESTEPS, tensors["alphas_cumprod"], schedule=schedule, c=c, scale=scale)
    assert strengths.tolist() == pytest.approx(case["threshold"], rel=1e-5)
    for name, distance in (("huber", pseudo_huber), ("smooth_l1", smooth_l1)):
        found = distance(tensors["huber.pred"], tensors["huber.target"], strengths=strengths)
        assert found.tolist() == pytest.approx(case[f"{name}_mean_per_sample"], rel=1e-5)


def test_far_above_every_error_huber_is_the_square_and_far_below_smooth_l1_is_twice_the_distance(
    tensors: dict[str, torch.Tensor],
) -> None:
    pair = tensors["huber.pred"], tensors["huber.target"]
    square, distance = (REFERENCE["huber"][f"{name}_mean_per_sample"] for name in ("l2", "l1"))
    assert mean_squared_error(*pair).tolist() == pytest.approx(square, rel=1e-5)
    assert pseudo_huber(*pair, strengths=torch.full((20,), 100.0)).tolist() == pytest.approx(square, rel=0.01)
    doubled = [2 * value for value in distance]
    assert smooth_l1(*pair, strengths=torch.full((20,), 1e-5)).tolist() == pytest.approx(doubled, rel=1e-4)


@pytest.mark.parametrize("distance", [pseudo_huber, smooth_l1])
def test_what_a_mask_hides_does_not_count_and_the_mean_is_over_all_pixels(
    distance: Distance, tensors: dict[str, torch.Tensor]
) -> None:
    prediction, target = tensors["huber.pred"], tensors["huber.target"]
    mask = torch.ones(20, 1, 3, 3)
    mask[:, :, 1:] = 0
    strengths = torch.linspace(0.1, 1, 20)
    found = distance(prediction, target, mask, strengths=strengths)
    seen = distance(prediction[:, :, :1], target[:, :, :1], strengths=strengths)
    assert torch.allclose(found, seen / 3)


@pytest.mark.parametrize("distance", [pseudo_huber, smooth_l1])
def test_no_error_has_no_loss_and_no_gradient(distance: Distance) -> None:
    prediction = torch.zeros(1, 1, 2, 2, requires_grad=True)
    loss = distance(prediction, torch.zeros(1, 1, 2, 2), strengths=torch.tensor([0.1]))
    loss.sum().backward()
    assert loss.item() == 0.0 and prediction.grad is not None and not prediction.grad.any()
