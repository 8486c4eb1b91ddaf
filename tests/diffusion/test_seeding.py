"""Draws depend on (seed, stream, step, sample) and on nothing else."""

import torch

from engine.diffusion.seeding import normal_draws, picture_noise, seed_torch, uniform_draws


def test_a_sample_is_the_same_in_any_batch() -> None:
    together = normal_draws(7, "noise", step=3, samples=[0, 1, 2, 3], shape=(4, 5))
    apart = [normal_draws(7, "noise", step=3, samples=[sample], shape=(4, 5))[0] for sample in range(4)]
    assert torch.equal(together, torch.stack(apart))


def test_seed_stream_step_and_sample_each_change_the_draw() -> None:
    first = normal_draws(0, "noise", step=0, samples=[0], shape=(8,))
    others = [
        normal_draws(1, "noise", step=0, samples=[0], shape=(8,)),
        normal_draws(0, "offset", step=0, samples=[0], shape=(8,)),
        normal_draws(0, "noise", step=1, samples=[0], shape=(8,)),
        normal_draws(0, "noise", step=0, samples=[1], shape=(8,)),
    ]
    assert not any(torch.equal(first, other) for other in others)


def test_draws_leave_torchs_own_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    normal_draws(0, "noise", step=0, samples=[0], shape=(8,))
    uniform_draws(0, "timesteps", step=0, samples=[0])
    assert torch.equal(before, torch.get_rng_state())


def test_normal_draws_are_unit_gaussian() -> None:
    draws = normal_draws(0, "noise", step=0, samples=range(100), shape=(1000,))
    assert abs(draws.mean().item()) < 0.01
    assert abs(draws.std().item() - 1) < 0.01


def test_uniform_draws_spread_evenly_over_steps() -> None:
    draws = torch.cat([uniform_draws(0, "timesteps", step=step, samples=range(10)) for step in range(500)])
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = torch.histc(draws.float(), bins=10, min=0, max=1)
    assert (counts - 500).abs().max() < 100  # 5 standard deviations of a binomial count


def test_a_pictures_noise_depends_on_its_prompt_and_its_seed() -> None:
    assert torch.equal(picture_noise("a dog", 1, (4, 2, 2)), picture_noise("a dog", 1, (4, 2, 2)))
    assert not torch.equal(picture_noise("a dog", 1, (4, 2, 2)), picture_noise("a cat", 1, (4, 2, 2)))
    assert not torch.equal(picture_noise("a dog", 1, (4, 2, 2)), picture_noise("a dog", 2, (4, 2, 2)))


def test_dropout_is_the_same_for_a_step_whenever_it_is_run() -> None:
    seed_torch(3, "dropout", 10)
    first = torch.rand(5)
    torch.rand(100)
    seed_torch(3, "dropout", 10)
    assert torch.equal(torch.rand(5), first)
