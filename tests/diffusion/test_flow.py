"""Rectified flow by hand, and against the timesteps and noisy latents that kohya's scripts draw.

Where they draw unit normals, our uniform draws are those normals' quantiles.
"""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.config import Prediction, TimestepDistribution
from engine.diffusion.flow import FlowSchedule, Spread, flow_timesteps, resolution_shift, shifted

GOLDEN = Path(__file__).parents[1] / "golden"
RECORD = json.loads((GOLDEN / "d_flow.json").read_text())
CASES = RECORD["cases"]
UNIFORM, LOGIT_NORMAL = TimestepDistribution.uniform, TimestepDistribution.logit_normal
QUANTILES = torch.tensor([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], dtype=torch.float64)
SPREADS = {  # kohya's options -> ours
    '{"timestep_sampling": "uniform"}': (UNIFORM, 1.0),
    '{"timestep_sampling": "sigmoid"}': (LOGIT_NORMAL, 1.0),
    '{"timestep_sampling": "shift"}': (LOGIT_NORMAL, 3.0),  # its default
    '{"timestep_sampling": "flux_shift"}': (LOGIT_NORMAL, resolution_shift(1)),
}


def _flux(sampling: str) -> list[dict[str, object]]:
    return [case for case in CASES if case["args"].get("timestep_sampling") == sampling]


def _drawn(seed: int, count: int, distribution: TimestepDistribution) -> Tensor:
    """What the reference drew after torch.manual_seed, as quantiles."""
    torch.manual_seed(seed)
    if distribution is UNIFORM:
        return torch.rand(count)
    return torch.special.ndtr(torch.randn(count).double())


def _timesteps(
    case: dict[str, object], distribution: TimestepDistribution, *, scale: float = 1.0, shift: float = 1.0
) -> tuple[Tensor, Tensor]:
    expected = torch.tensor(case["timesteps"])
    uniform = _drawn(int(str(case["torch_seed"])), len(expected), distribution)
    return flow_timesteps(uniform, Spread(distribution=distribution, scale=scale, shift=shift)), expected


def test_noisy_latents_by_hand() -> None:
    latents, noise = torch.full((3, 1, 1, 1), 2.0), torch.full((3, 1, 1, 1), 10.0)
    mixed = FlowSchedule().add_noise(latents, noise, torch.tensor([250.0, 500.0, 1000.0]))
    assert mixed.flatten().tolist() == [4.0, 6.0, 10.0]


def test_the_target_is_the_way_from_picture_to_noise_at_every_timestep() -> None:
    latents, noise = torch.full((2, 1, 1, 1), 2.0), torch.full((2, 1, 1, 1), 10.0)
    found = FlowSchedule().target(
        latents, noise, torch.tensor([1.0, 1000.0]), prediction=Prediction.flow
    )  # a step back from pure noise along it is the picture
    assert found.flatten().tolist() == [8.0, 8.0]


def test_the_fixed_loss_is_taken_in_the_middles_of_equal_parts() -> None:
    middles = FlowSchedule().middle_timesteps(4)
    assert middles.tolist() == [125.0, 375.0, 625.0, 875.0] and middles.dtype == torch.float32


def test_a_shift_keeps_the_ends_and_undoes_its_inverse() -> None:
    sigmas = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)
    assert shifted(sigmas, 3.0).tolist() == [0.0, 0.5, 0.75, 1.0]
    assert torch.allclose(shifted(shifted(sigmas, 3.0), 1 / 3), sigmas)
    assert torch.equal(shifted(sigmas, 1.0), sigmas)


@pytest.mark.parametrize("distribution", list(TimestepDistribution))
def test_the_ends_of_the_draws_are_timesteps_too(distribution: TimestepDistribution) -> None:
    ends = torch.tensor([0.0, 1 - 2**-24])  # of torch.rand
    low, high = flow_timesteps(ends, Spread(distribution=distribution, shift=1.15)).tolist()
    assert 0 < low < 7 and 994 < high <= 1000  # by hand: 1000 shifted(sigmoid(-5.2)) = 6.3


def test_uniform_timesteps_are_the_references() -> None:
    (case,) = _flux("uniform")
    ours, theirs = _timesteps(case, UNIFORM)
    assert torch.equal(ours, theirs)


def test_a_logit_normal_with_a_scale_is_the_references_sigmoid() -> None:
    (case,) = _flux("sigmoid")
    ours, theirs = _timesteps(case, LOGIT_NORMAL, scale=2.0)
    assert torch.allclose(ours, theirs, rtol=1e-6)


def test_a_shifted_logit_normal_is_the_references_shift() -> None:
    (case,) = _flux("shift")
    ours, theirs = _timesteps(case, LOGIT_NORMAL, shift=1.15)
    assert torch.allclose(ours, theirs, rtol=1e-6)


def test_the_shift_by_the_size_of_a_picture_is_the_references() -> None:
    cases = _flux("flux_shift")
    assert len(cases) == 4
    for case in cases:
        height, width = case.get("latent_hw", (8, 12))  # type: ignore[misc]
        shift = resolution_shift((height // 2) * (width // 2))
        assert "mu" not in case or math.log(shift) == pytest.approx(case["mu"], abs=1e-12)
        ours, theirs = _timesteps(case, LOGIT_NORMAL, shift=shift)
        assert torch.allclose(ours, theirs, rtol=1e-6)


def test_the_references_sigmas_of_a_table_are_ours_to_a_step_of_it() -> None:
    """It looks sigmas up in a falling table of 1,000, whose steps a shift of 3 makes up to 3 wide."""
    (case,) = _flux("sigma")
    theirs = torch.tensor(case["timesteps"])
    uniform = 1 - _drawn(508, len(theirs), LOGIT_NORMAL)
    ours = flow_timesteps(uniform, Spread(distribution=LOGIT_NORMAL, shift=3.0))
    assert bool(((theirs - ours) >= 0).all() and ((theirs - ours) < 3).all())


@pytest.mark.parametrize(("index", "distribution", "shift"), [(0, UNIFORM, 3.0), (1, LOGIT_NORMAL, 1.0)])
def test_the_references_timesteps_of_sd3_are_ours_in_whole_numbers(
    index: int, distribution: TimestepDistribution, shift: float
) -> None:
    case = [case for case in CASES if case["model"] == "sd3"][index]
    assert case["args"].get("training_shift", 1.0) == shift
    ours, theirs = _timesteps(case, distribution, shift=shift)
    assert torch.equal(ours.floor(), theirs)


def test_noisy_latents_are_the_references() -> None:
    tensors = load_file(GOLDEN / "d_flow.safetensors")
    cases = [case for case in CASES if "noisy_key" in case]
    assert len(cases) == 7
    for case in cases:
        mixed = FlowSchedule().add_noise(
            tensors["flow.latents"], tensors["flow.noise"], torch.tensor(case["timesteps"])
        )
        assert torch.allclose(mixed, tensors[case["noisy_key"]], atol=2e-6), case["args"]


@pytest.mark.parametrize("options", list(SPREADS))
def test_twenty_thousand_draws_are_spread_as_the_references(options: str) -> None:
    distribution, shift = SPREADS[options]
    ours = flow_timesteps(_drawn(0, 20_000, distribution), Spread(distribution=distribution, shift=shift))
    theirs = RECORD["distribution_20000_seed0_latent2x2"][options]["quantiles_0_5_25_50_75_95_100"]
    found = torch.quantile(ours.double(), QUANTILES)
    assert torch.allclose(found, torch.tensor(theirs, dtype=torch.float64), atol=2e-4)


@pytest.mark.parametrize("distribution", [UNIFORM, LOGIT_NORMAL])
def test_densities_are_the_references(distribution: TimestepDistribution) -> None:
    theirs = torch.tensor(RECORD["density_seed77_batch8"][distribution.name])
    ours = flow_timesteps(_drawn(77, len(theirs), distribution), Spread(distribution=distribution))
    assert torch.allclose(ours / 1000, theirs, atol=1e-6)


def test_a_shifted_schedule_of_sampling_is_the_references() -> None:
    for case in RECORD["get_schedule"]:
        straight = torch.linspace(1, 0, case["steps"] + 1, dtype=torch.float64)
        found = shifted(straight, resolution_shift(case["seq"]))
        assert found.tolist() == pytest.approx(case["out"], abs=2e-7), case
