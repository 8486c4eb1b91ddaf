"""A whole LoRA on a small UNet: attach, start, state, switch off, take off."""

import re

import pytest
import torch
from network_toys import (
    Layer,
    fill_up,
    lora,
    tiny_unet,
    unet_inputs,
    unet_targets,
)
from torch import nn

from engine.config import ConfigError, Family, LayerGroup, LoRAConfig
from engine.models.layer_words import choose_layers
from engine.networks.lora import attach_lora


def attach(unet: nn.Module, *, seed: int = 7, config: LoRAConfig | None = None):
    return attach_lora(config or lora(), unet_targets(unet), family=Family.sd1, seed=seed, device="cpu")


def chosen_of(targets: list[Layer], groups: list[LayerGroup]) -> list[Layer]:
    return [choice.layer for choice in choose_layers(LoRAConfig(layers=groups), Family.sd1, targets)]


def test_choosing_groups_keeps_the_order_of_the_model() -> None:
    targets = unet_targets(tiny_unet())
    chosen = chosen_of(targets, [LayerGroup.time_embedding, LayerGroup.attention])
    assert {layer.group for layer in chosen} == {LayerGroup.time_embedding, LayerGroup.attention}
    assert [layer for layer in targets if layer in chosen] == chosen


def test_groups_that_the_model_lacks_are_named() -> None:
    targets = [Layer("unet", "a", nn.Linear(1, 1), LayerGroup.attention)]
    with pytest.raises(
        ConfigError, match=r"no layers of the group convolutions, time_embedding\. Choose from: attention"
    ):
        chosen_of(targets, [LayerGroup.convolutions, LayerGroup.attention, LayerGroup.time_embedding])


def test_no_group_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing would be trained"):
        chosen_of(unet_targets(tiny_unet()), [])


def test_attach_and_detach_twice_leaves_the_base_bit_identical() -> None:
    unet = tiny_unet()
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    modules = dict(unet.named_modules())
    with torch.no_grad():
        output = unet(*unet_inputs(2)).sample
    for seed in (1, 2):
        network = attach(unet, seed=seed)
        fill_up(network)
        with torch.no_grad():
            changed = unet(*unet_inputs(2)).sample
        network.detach()
        network.detach()
        assert not torch.equal(changed, output)
        now = dict(unet.named_modules())
        assert now.keys() == modules.keys()
        assert all(now[name] is modules[name] for name in modules)
        after = unet.state_dict()
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        with torch.no_grad():
            assert torch.equal(unet(*unet_inputs(2)).sample, output)


def test_a_plain_lora_after_one_with_convolutions_has_its_own_layers() -> None:
    # in kohya's scripts the second of one process inherits the convolutions of the first
    unet = tiny_unet()
    plain = LoRAConfig(layers=[LayerGroup.attention], rank=2)
    first = attach(unet, config=plain)
    keys = list(first.state())
    first.detach()
    attach(unet, config=lora()).detach()
    second = attach(unet, config=plain)
    assert list(second.state()) == keys


def test_disabled_gives_the_base_back_and_restores_itself() -> None:
    unet = tiny_unet()
    inputs = unet_inputs(2)
    with torch.no_grad():
        base = unet(*inputs).sample
        network = attach(unet)
        fill_up(network)
        with network.disabled():
            assert torch.equal(unet(*inputs).sample, base)
        assert not torch.allclose(unet(*inputs).sample, base)
        network.set_strength(0.0)
        torch.testing.assert_close(unet(*inputs).sample, base, rtol=0, atol=1e-6)


def test_the_start_of_a_layer_depends_on_seed_and_name_alone() -> None:
    everything = attach(tiny_unet()).state()
    some = attach(tiny_unet(), config=LoRAConfig(layers=[LayerGroup.projections], rank=4)).state()
    downs = [key for key in some if key.endswith("lora_down.weight")]
    assert downs
    assert all(torch.equal(some[key], everything[key]) for key in downs)
    other = attach(tiny_unet(), seed=8).state()
    assert not any(torch.equal(other[key], everything[key]) for key in downs)
    assert len({tuple(some[key].flatten()[:3].tolist()) for key in downs}) == len(downs)


def test_down_starts_uniform_within_one_over_root_fan_in_and_up_zero() -> None:
    for key, tensor in attach(tiny_unet(), config=lora(rank=16)).state().items():
        if key.endswith("lora_up.weight"):
            assert not tensor.any()
        if key.endswith("lora_down.weight"):
            bound = tensor[0].numel() ** -0.5
            assert 0.9 * bound < float(tensor.abs().max()) <= bound
            assert float(tensor.std()) == pytest.approx(bound / 3**0.5, rel=0.15)


def test_the_state_survives_a_round_trip_and_reaches_the_model() -> None:
    unet, other = tiny_unet(), tiny_unet()
    first, second = attach(unet), attach(other, seed=9)
    fill_up(first)
    second.load_state(first.state())
    assert torch.equal(first.bank.weights, second.bank.weights)
    with torch.no_grad():
        assert torch.equal(unet(*unet_inputs(2)).sample, other(*unet_inputs(2)).sample)


def test_a_state_with_int64_alpha_is_accepted() -> None:
    network = attach(tiny_unet())
    state = {k: v.long() if k.endswith(".alpha") else v for k, v in network.state().items()}
    network.load_state(state)
    assert float(network.state()["lora_unet_mid_block_resnets_0_conv1.alpha"]) == 3.0


def test_every_difference_of_a_wrong_state_is_named_and_nothing_is_loaded() -> None:
    network = attach(tiny_unet())
    before = network.bank.weights.clone()
    state = network.state()
    conv = "lora_unet_mid_block_resnets_0_conv1"
    state["lora_te_extra.alpha"] = torch.tensor(1.0)
    del state[f"{conv}.alpha"]
    state[f"{conv}.lora_up.weight"] = torch.zeros(32, 5, 1, 1)
    state["lora_unet_mid_block_resnets_0_conv2.alpha"] = torch.tensor(4.0)
    with pytest.raises(ValueError, match="not for this network") as caught:
        network.load_state(state)
    message = str(caught.value)
    assert f"missing: {conv}.alpha" in message
    assert "unexpected: lora_te_extra.alpha" in message
    assert f"{conv}.lora_up.weight: shape (32, 5, 1, 1), expected (32, 4, 1, 1)" in message
    assert "lora_unet_mid_block_resnets_0_conv2.alpha: 4, expected 3" in message
    assert len(re.findall(r"\n", message)) == 4
    assert torch.equal(network.bank.weights, before)


def test_a_layer_that_is_not_frozen_or_adapted_already_is_refused_before_anything_changes() -> None:
    unet = tiny_unet()
    attach(unet)
    with pytest.raises(ValueError, match="carries a LoRA already"):
        attach(unet)
    thawed = tiny_unet().requires_grad_(True)
    with pytest.raises(ValueError, match="is not frozen"):
        attach(thawed)


def test_num_parameters_counts_what_is_trained_and_only_that_gets_gradients() -> None:
    unet = tiny_unet()
    network = attach(unet)
    state = network.state()
    counted = sum(tensor.numel() for key, tensor in state.items() if not key.endswith(".alpha"))
    assert network.num_parameters == counted == network.bank.weights.numel()
    fill_up(network)
    network.zero_grad()
    unet(*unet_inputs(2)).sample.square().mean().backward()
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert all(layer.layer.matrices.down.grad.abs().max() > 0 for layer in network.layers)


def test_train_mode_of_the_network_leaves_the_base_in_eval_mode() -> None:
    unet = tiny_unet()
    network = attach(unet, config=lora(dropout=0.5))
    network.train()
    assert all(layer.layer.training for layer in network.layers)
    assert not any(layer.layer.base.training for layer in network.layers)
    network.train(False)
    assert not any(layer.layer.training for layer in network.layers)


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    gradients = []
    for on in (False, True):
        unet = tiny_unet()
        network = attach(unet)
        fill_up(network)
        if on:
            unet.enable_gradient_checkpointing()
            unet.train()  # diffusers checkpoints in train mode only; this model has no dropout
        unet(*unet_inputs(2)).sample.square().mean().backward()
        gradients.append(network.bank.gradients)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-9)
    assert gradients[0].abs().max() > 0
