"""The spreads of Esser et al. 2024 and the weights by sigma: by hand, by diffusers, by kohya's numbers.

The references spread 1 - sigma where sigma comes from their falling table; their draws are quantiles here.
"""

import json
import math
from pathlib import Path

import pytest
import torch
from diffusers.training_utils import compute_density_for_timestep_sampling
from torch import Tensor

from engine.config import FlowWeighting, TimestepDistribution
from engine.diffusion.flow import Spread, flow_timesteps, shifted
from engine.diffusion.loss_weights import flow_weights
from engine.diffusion.losses import mean_squared_error

RECORD = json.loads((Path(__file__).parents[1] / "golden" / "d_flow_weights.json").read_text())
UNIFORM, LOGIT_NORMAL = TimestepDistribution.uniform, TimestepDistribution.logit_normal
MODE = TimestepDistribution.mode
SCHEMES = {
    "logit_normal": LOGIT_NORMAL,
    "mode": MODE,
    "sigma_sqrt": UNIFORM,
    "uniform": UNIFORM,
    "none": UNIFORM,
}
COUNT = 20_000


def _quantiles(seed: int, count: int, distribution: TimestepDistribution) -> Tensor:
    """Of sigma, as the reference draws after torch.manual_seed; its mode falls in the draw, ours rises."""
    torch.manual_seed(seed)
    if distribution is LOGIT_NORMAL:
        return torch.special.ndtr(torch.randn(count).double())
    draws = torch.rand(count)
    return 1 - draws.double() if distribution is MODE else draws


def _from_table(sigmas: Tensor, shift: float) -> Tensor:
    """The timesteps that the reference's falling table of 1,000 has at floor(1000 (1 - sigma))."""
    return 1000 * shifted(1 - ((1 - sigmas.double()) * 1000).floor() / 1000, shift)


def test_the_mode_by_hand() -> None:
    # u + s (cos^2(pi u / 2) - 1 + u): at 1/3 the cosine's square is 3/4, at 2/3 it is 1/4
    draws = torch.tensor([1 / 3, 1 / 2, 2 / 3], dtype=torch.float64)
    found = flow_timesteps(draws, Spread(distribution=MODE, mode_scale=1.2))
    assert found.tolist() == pytest.approx([1000 * (1 / 3 + 0.1), 500, 1000 * (2 / 3 - 0.1)])


@pytest.mark.parametrize("scale", [-1.0, -0.5, 0.5, 1.29, 1.75])
def test_the_mode_keeps_the_order_of_the_draws_within_its_range(scale: float) -> None:
    found = flow_timesteps(
        torch.linspace(0, 1, 1001, dtype=torch.float64), Spread(distribution=MODE, mode_scale=scale)
    )
    assert bool((found.diff() > 0).all()) and 0 < found[0] < 1 and 999 < found[-1] <= 1000


def test_a_mode_of_nothing_is_uniform() -> None:
    draws = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert torch.equal(
        flow_timesteps(draws, Spread(distribution=MODE, mode_scale=0.0)),
        flow_timesteps(draws, Spread(distribution=UNIFORM)),
    )


@pytest.mark.parametrize(("mean", "scale"), [(0.5, 1.0), (-1.0, 0.6), (0.0, 2.0)])
def test_a_logit_normal_with_mean_and_deviation_is_diffusers(mean: float, scale: float) -> None:
    torch.manual_seed(3)
    theirs = compute_density_for_timestep_sampling("logit_normal", COUNT, logit_mean=mean, logit_std=scale)
    spread = Spread(distribution=LOGIT_NORMAL, mean=mean, scale=scale)
    ours = flow_timesteps(_quantiles(3, COUNT, LOGIT_NORMAL), spread) / 1000
    assert float((ours - theirs).abs().max()) < 5e-7


@pytest.mark.parametrize("scale", [-1.0, 0.81, 1.29, 1.75])
def test_a_mode_is_diffusers(scale: float) -> None:
    torch.manual_seed(3)
    theirs = compute_density_for_timestep_sampling("mode", COUNT, mode_scale=scale)
    ours = flow_timesteps(_quantiles(3, COUNT, MODE), Spread(distribution=MODE, mode_scale=scale)) / 1000
    assert float((ours - theirs).abs().max()) < 5e-7


@pytest.mark.parametrize("scheme", ["logit_normal", "mode", "none", "uniform"])
def test_densities_are_kohyas(scheme: str) -> None:
    theirs = torch.tensor(RECORD["density_seed77_batch8"][scheme])
    distribution = SCHEMES[scheme]
    ours = flow_timesteps(_quantiles(77, len(theirs), distribution), Spread(distribution=distribution)) / 1000
    assert float((ours - theirs).abs().max()) < 2e-7


@pytest.mark.parametrize("scheme", ["logit_normal", "mode", "sigma_sqrt"])
def test_timesteps_of_a_table_are_kohyas_once_looked_up_in_it(scheme: str) -> None:
    (case,) = [case for case in RECORD["cases"] if case["args"].get("weighting_scheme") == scheme
               and case["model"] == "flux"]  # fmt: skip
    theirs = torch.tensor(case["timesteps"], dtype=torch.float64)
    distribution = SCHEMES[scheme]
    quantiles = 1 - _quantiles(case["torch_seed"], len(theirs), distribution).double()
    ours = _from_table(flow_timesteps(quantiles, Spread(distribution=distribution)) / 1000, 3.0)
    assert float((ours - theirs).abs().max()) < 2e-4  # of 1,000, in float32


@pytest.mark.parametrize("scheme", ["logit_normal", "mode"])
def test_twenty_thousand_draws_from_a_table_are_spread_as_kohyas(scheme: str) -> None:
    (words,) = [words for words in RECORD["distribution_20000_seed0_latent2x2"] if scheme in words]
    theirs = RECORD["distribution_20000_seed0_latent2x2"][words]["quantiles_0_5_25_50_75_95_100"]
    quantiles = 1 - _quantiles(0, COUNT, SCHEMES[scheme])
    ours = _from_table(flow_timesteps(quantiles, Spread(distribution=SCHEMES[scheme])) / 1000, 3.0)
    found = torch.quantile(ours, torch.tensor([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], dtype=torch.float64))
    assert float((found - torch.tensor(theirs, dtype=torch.float64)).abs().max()) < 1e-3


def test_weights_by_hand() -> None:
    sigmas = torch.tensor([0.25, 0.5, 1.0])
    assert flow_weights(sigmas, FlowWeighting.none).tolist() == [1, 1, 1]
    assert flow_weights(sigmas, FlowWeighting.sigma_sqrt).tolist() == [16, 4, 1]
    assert flow_weights(sigmas, FlowWeighting.clean).tolist() == [0.0625, 0.25, 1]
    expected = [2 / (math.pi * 0.625), 4 / math.pi, 2 / math.pi]
    assert flow_weights(sigmas, FlowWeighting.cosmap).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("trainer", ["sd3", "anima"])
@pytest.mark.parametrize("scheme", ["none", "sigma_sqrt", "cosmap"])
def test_weights_are_kohyas(trainer: str, scheme: str) -> None:
    sigmas = torch.tensor(RECORD["loss_weighting_on_sigmas"]["sigmas"])
    theirs = torch.tensor(RECORD["loss_weighting_on_sigmas"]["w"][scheme][trainer])
    assert torch.allclose(flow_weights(sigmas, FlowWeighting[scheme]), theirs, rtol=1e-6)


def test_weights_of_the_timesteps_that_kohya_drew_are_kohyas() -> None:
    compared = 0
    for case in RECORD["cases"]:
        sigmas = torch.tensor(case["sigmas"]).flatten()
        args = case["args"].get("weighting_scheme", "none")
        weights = case.get("loss_weighting") or {args: case["loss_weighting(compute_loss_weighting_for_sd3)"]}
        for scheme, theirs in weights.items():
            kind = FlowWeighting[scheme] if scheme in FlowWeighting.__members__ else FlowWeighting.none
            assert torch.allclose(flow_weights(sigmas, kind), torch.tensor(theirs), rtol=1e-5), scheme
            compared += 1
    assert compared == 13


def test_the_error_of_the_clean_picture_is_the_weight_clean() -> None:
    """What the reference scales by sigma is the clean picture: x_t - sigma v."""
    record = {name: torch.tensor(values) for name, values in RECORD["apply_model_prediction_type"].items()}
    sigmas, noisy, predicted = record["sigmas"], record["noisy"], record["pred"]
    torch.manual_seed(1)
    velocity = torch.randn_like(noisy)
    latents = noisy - sigmas * velocity
    theirs = mean_squared_error(record["sigma_scaled"], latents)
    ours = mean_squared_error(predicted, velocity) * flow_weights(sigmas.flatten(), FlowWeighting.clean)
    assert torch.allclose(ours, theirs, rtol=1e-5)
