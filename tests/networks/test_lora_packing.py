"""Several LoRAs in one forward pass: each must be what it would be alone."""

import pytest
import torch
from network_toys import fill_up, lora, tiny_unet, unet_inputs, unet_targets
from torch import nn
from torch.nn import functional as F

from engine.config import Family
from engine.networks.lora import LoRANetwork, attach_lora, attach_loras

RANKS, ALPHAS, RATES = (2, 4, 3), (1.0, 4.0, 5.0), (1e-2, 3e-3, 1e-2)
ROWS = 2  # rows of a batch that each slot has


def pack(unet: nn.Module) -> LoRANetwork:
    configs = [lora(rank, alpha=alpha) for rank, alpha in zip(RANKS, ALPHAS, strict=True)]
    targets = unet_targets(unet)
    return attach_loras(
        configs, targets, family=Family.sd1, seeds=[10, 11, 12], device="cpu", dtype=torch.float64
    )


def alone(unet: nn.Module, slot: int) -> LoRANetwork:
    config = lora(RANKS[slot], alpha=ALPHAS[slot])
    return attach_loras(
        [config], unet_targets(unet), family=Family.sd1, seeds=[10 + slot], device="cpu", dtype=torch.float64
    )


def batch(slot: int, step: int) -> tuple[torch.Tensor, ...]:
    return unet_inputs(ROWS, seed=100 * slot + step, dtype=torch.float64)


def per_slot_loss(prediction: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(prediction, noise, reduction="none").flatten(1).mean(1).view(-1, ROWS).mean(1)


def train(unet: nn.Module, network: LoRANetwork, slots: list[int], steps: int) -> None:
    optimizers = [
        torch.optim.AdamW(network.parameters(row), lr=RATES[slot]) for row, slot in enumerate(slots)
    ]
    for step in range(steps):
        parts = [batch(slot, step) for slot in slots]
        latents, timesteps, text = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        network.zero_grad()
        per_slot_loss(unet(latents, timesteps, text).sample, latents).sum().backward()
        for optimizer in optimizers:
            optimizer.step()


def test_three_packed_trials_equal_three_runs_of_their_own() -> None:
    unet = tiny_unet(torch.float64)
    network = pack(unet)
    starts = [network.state(slot) for slot in range(3)]
    train(unet, network, [0, 1, 2], steps=10)
    for slot in range(3):
        own_unet = tiny_unet(torch.float64)
        own = alone(own_unet, slot)
        assert all(torch.equal(tensor, starts[slot][key]) for key, tensor in own.state().items())
        train(own_unet, own, [slot], steps=10)
        assert relative_difference(network.state(slot), own.state(), starts[slot]) < 1e-9


def relative_difference(ours: dict, theirs: dict, start: dict) -> float:
    difference = max(float((ours[key] - theirs[key]).abs().max()) for key in ours)
    displacement = max(float((theirs[key] - start[key]).abs().max()) for key in ours)
    assert displacement > 1e-3
    return difference / displacement


def test_rows_beyond_the_rank_stay_exactly_zero() -> None:
    unet = tiny_unet(torch.float64)
    network = pack(unet)
    train(unet, network, [0, 1, 2], steps=4)
    for attached in network.layers:
        matrices = attached.layer.matrices
        for slot, rank in enumerate(RANKS):
            assert not matrices.down[slot, rank:].any()
            assert not matrices.up[slot, rank:].any()
            assert matrices.up[slot, :rank].all(dim=-1).any()


def test_not_a_number_in_one_slot_never_reaches_another() -> None:
    unet = tiny_unet(torch.float64)
    network = pack(unet)
    fill_up(network)
    inputs = [torch.cat(tensors) for tensors in zip(*(batch(slot, 0) for slot in range(3)), strict=True)]
    with torch.no_grad():
        healthy = unet(*inputs).sample
    network.bank.weights[1] = float("nan")
    network.zero_grad()
    outputs = unet(*inputs).sample
    per_slot_loss(outputs, inputs[0]).sum().backward()
    assert outputs[2:4].isnan().all()
    assert torch.equal(outputs[:2], healthy[:2])
    assert torch.equal(outputs[4:], healthy[4:])
    assert network.bank.gradients[1].isnan().any()
    assert network.bank.gradients[[0, 2]].isfinite().all()
    network.clip_gradients(1.0)
    assert network.bank.gradients[[0, 2]].isfinite().all()


def test_a_refilled_slot_starts_like_a_run_of_its_own() -> None:
    network = pack(tiny_unet(torch.float64))
    fill_up(network)
    neighbour = network.state(0)
    network.initialise(1, seed=11)
    fresh = alone(tiny_unet(torch.float64), 1).state()
    assert all(torch.equal(tensor, fresh[key]) for key, tensor in network.state(1).items())
    assert all(torch.equal(tensor, neighbour[key]) for key, tensor in network.state(0).items())


def test_packed_slots_are_weighed_by_their_own_alpha_and_strength() -> None:
    unet = tiny_unet(torch.float64)
    network = pack(unet)
    fill_up(network)
    network.set_strength(0.5)
    inputs = [torch.cat([tensor] * 3) for tensor in batch(0, 0)]
    with torch.no_grad():
        packed = unet(*inputs).sample
    for slot in range(3):
        own_unet = tiny_unet(torch.float64)
        own = alone(own_unet, slot)
        own.load_state(network.state(slot))
        own.set_strength(0.5)
        with torch.no_grad():
            expected = own_unet(*batch(0, 0)).sample
        torch.testing.assert_close(packed[2 * slot : 2 * slot + 2], expected, rtol=0, atol=1e-12)


def test_a_rank_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        attach_lora(lora(0), unet_targets(tiny_unet()), family=Family.sd1, seed=0, device="cpu")
