"""Files whose trainer put kohya's prefix before diffusers' names."""

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.config import ConfigError, Family
from engine.models.parts import every_layer
from engine.networks.files import LoRAFile
from engine.networks.lora_from_file import FileLoRA, attach_lora_file
from engine.networks.lora_layers import LoRALayer

PATH = "down_blocks.0.resnets.0.conv1"
OURS, PLAIN = "lora_unet_input_blocks_1_0_in_layers_2", "lora_unet_down_blocks_0_resnets_0_conv1"


def toy_unet() -> nn.Module:
    torch.manual_seed(0)
    block = nn.ModuleDict({"resnets": nn.ModuleList([nn.ModuleDict({"conv1": nn.Conv2d(5, 3, 3)})])})
    return nn.ModuleDict({"down_blocks": nn.ModuleList([block])})


def put_on(root: nn.Module, *keys: str) -> FileLoRA:
    draws = torch.Generator().manual_seed(1)
    down, up = torch.randn(4, 5, 3, 3, generator=draws), torch.randn(3, 4, 1, 1, generator=draws)
    state = {f"{key}.lora_down.weight": down for key in keys} | {f"{key}.lora_up.weight": up for key in keys}
    layers = every_layer({"unet": root})
    return attach_lora_file(
        LoRAFile(state=state, metadata={}),
        layers,
        family=Family.sdxl,
        path=Path("f"),
        device=torch.device("cpu"),
    )


def test_they_are_read_as_kohyas_own() -> None:
    outputs = []
    for key in (OURS, PLAIN):
        root = toy_unet()
        bare = root.get_submodule(PATH)(torch.ones(1, 5, 4, 4))
        put_on(root, key)
        outputs.append(root.get_submodule(PATH)(torch.ones(1, 5, 4, 4)))
        assert not torch.equal(outputs[-1], bare)
    assert torch.equal(*outputs)


def test_a_layer_under_both_names_is_refused_and_nothing_is_attached() -> None:
    root = toy_unet()
    with pytest.raises(ConfigError, match=r"conv1 is adapted under two names\. Give another file"):
        put_on(root, OURS, PLAIN)
    assert not any(isinstance(module, LoRALayer) for module in root.modules())
