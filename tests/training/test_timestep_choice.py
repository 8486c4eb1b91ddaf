"""Timesteps of training: by hand for flow models, and which option moves them."""

import math

import pytest
import torch

from engine.config import ModelConfig, NoiseConfig, TimestepDistribution
from engine.diffusion.discrete import DiscreteSchedule
from engine.diffusion.flow import FlowSchedule
from engine.training.timestep_choice import choose_timesteps

QUANTILES = torch.tensor([0.25, 0.5, 0.75])
SHAPE = (16, 32, 32)  # 256 tokens: FLUX's mu is 0.5 there
UNSHIFTED = ModelConfig(default_timesteps=TimestepDistribution.uniform, default_timestep_shift=1.0)


def _timesteps(noise: NoiseConfig, model: ModelConfig, shape: tuple[int, ...] = SHAPE) -> list[float]:
    return choose_timesteps(FlowSchedule(), noise, model, shape=shape)(QUANTILES).tolist()


def test_a_discrete_schedule_is_drawn_from_evenly_and_in_whole_numbers() -> None:
    schedule = DiscreteSchedule(torch.linspace(0.9, 0.1, 8))
    chosen = choose_timesteps(schedule, NoiseConfig(), ModelConfig(), shape=SHAPE)(QUANTILES)
    assert chosen.tolist() == [2, 4, 6] and chosen.dtype == torch.int64


def test_uniform_and_unshifted_they_are_the_quantiles() -> None:
    assert _timesteps(NoiseConfig(), UNSHIFTED) == pytest.approx([250, 500, 750])


def test_the_logit_normal_has_its_quartiles_at_the_sigmoid_of_the_normals() -> None:
    quartile = 0.6744897501960817  # of the unit normal
    expected = [1000 / (1 + math.exp(quartile)), 500, 1000 / (1 + math.exp(-quartile))]
    given = NoiseConfig(timesteps=TimestepDistribution.logit_normal)
    assert _timesteps(given, UNSHIFTED) == pytest.approx(expected, rel=1e-6)


def test_the_scale_stretches_the_logits() -> None:
    given = NoiseConfig(timesteps=TimestepDistribution.logit_normal, timestep_scale=2.0)
    first = 1000 / (1 + math.exp(2 * 0.6744897501960817))
    assert _timesteps(given, UNSHIFTED) == pytest.approx([first, 500, 1000 - first], rel=1e-6)


def test_a_mean_moves_the_middle_towards_noise() -> None:
    given = NoiseConfig(timesteps=TimestepDistribution.logit_normal, timestep_mean=math.log(3))
    assert _timesteps(given, UNSHIFTED)[1] == pytest.approx(750)  # whose odds are 3 to 1


def test_the_mode_gathers_at_the_middle() -> None:
    # cos^2(pi / 8) = (2 + sqrt 2) / 4, so that a quarter becomes .25 + s (.1036); the middle stays
    for scale, moved in ((1.0, 103.5534), (0.0, 0.0), (-0.5, -51.7767)):
        given = NoiseConfig(timesteps=TimestepDistribution.mode, mode_scale=scale)
        assert _timesteps(given, UNSHIFTED) == pytest.approx([250 + moved, 500, 750 - moved])


def test_a_shift_of_three_makes_the_middle_three_quarters_noise() -> None:
    # 3 * .5 / (1 + 2 * .5) = .75;  3 * .25 / 1.5 = .5;  3 * .75 / 2.5 = .9
    assert _timesteps(NoiseConfig(timestep_shift=3.0), UNSHIFTED) == pytest.approx([500, 750, 900])


def test_the_models_own_habit_counts_where_nothing_is_asked() -> None:
    model = ModelConfig(default_timesteps=TimestepDistribution.uniform, default_timestep_shift=3.0)
    assert _timesteps(NoiseConfig(), model) == pytest.approx([500, 750, 900])
    assert _timesteps(NoiseConfig(timestep_shift=1.0), model) == pytest.approx([250, 500, 750])


def test_without_a_shift_it_follows_the_size_of_the_picture() -> None:
    model = ModelConfig(default_timesteps=TimestepDistribution.uniform)
    small, large = math.exp(0.5), math.exp(1.15)  # at 256 and 4096 tokens
    assert _timesteps(NoiseConfig(), model)[1] == pytest.approx(1000 * small / (1 + small))
    assert _timesteps(NoiseConfig(), model, (16, 128, 128))[1] == pytest.approx(1000 * large / (1 + large))
