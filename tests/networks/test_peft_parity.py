"""Fifty steps of ours against fifty of peft's, from the same start, on every kind of layer."""

import torch
from network_toys import lora, tiny_unet, unet_inputs, unet_targets
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config import Family
from engine.networks.kohya_names import kohya_key
from engine.networks.lora import attach_loras

RANK, ALPHA, STEPS = 4, 3.0, 50


def train(unet: nn.Module, parameters: list[nn.Parameter], clear: object) -> None:
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=1e-2)
    for step in range(STEPS):
        latents, timesteps, text = unet_inputs(2, seed=step, dtype=torch.float64)
        clear()
        F.mse_loss(unet(latents, timesteps, text).sample, latents).backward()
        optimizer.step()


def peft_unet() -> nn.Module:
    unet = tiny_unet(torch.float64)
    names = [target.name for target in unet_targets(unet)]
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=names)
    return inject_adapter_in_model(config, unet).double()


def peft_matrices(unet: nn.Module) -> dict[str, Tensor]:
    matrices = {}
    for name, module in unet.named_modules():
        if hasattr(module, "lora_A"):
            key = kohya_key(Family.sd1, "unet", name)
            matrices[f"{key}.lora_down.weight"] = module.lora_A["default"].weight
            matrices[f"{key}.lora_up.weight"] = module.lora_B["default"].weight
    return matrices


def test_fifty_steps_equal_peft_within_a_billionth_of_the_trained_displacement() -> None:
    unet = tiny_unet(torch.float64)
    targets = unet_targets(unet)
    ours = attach_loras(
        [lora(RANK, alpha=ALPHA)], targets, family=Family.sd1, seeds=[1], device="cpu", dtype=torch.float64
    )
    reference = peft_unet()
    theirs = peft_matrices(reference)
    start = {key: tensor for key, tensor in ours.state().items() if not key.endswith(".alpha")}
    assert start.keys() == theirs.keys()
    with torch.no_grad():
        for key, tensor in theirs.items():
            tensor.copy_(start[key])
    train(unet, ours.parameters(), ours.zero_grad)
    trainable = [parameter for parameter in reference.parameters() if parameter.requires_grad]
    train(reference, trainable, reference.zero_grad)
    trained = ours.state()
    difference = max(float((trained[key] - theirs[key]).abs().max().detach()) for key in theirs)
    displacement = max(float((trained[key] - start[key]).abs().max()) for key in theirs)
    assert displacement > 0.01
    assert difference / displacement < 1e-9
