"""Small models that the network tests put LoRAs on."""

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from engine.config import Family, LayerGroup, LoRAConfig
from engine.models.facts import FAMILIES, layer_group
from engine.networks.lora import LoRANetwork

ALL_GROUPS = [group for group, _ in FAMILIES[Family.sd1].layer_groups]


@dataclass(frozen=True)
class Layer:
    """A target as the model families hand it over."""

    component: str
    name: str
    root: nn.Module
    group: LayerGroup
    joined: tuple[str, ...] = ()


def unet_targets(unet: nn.Module) -> list[Layer]:
    """Every layer of a Stable Diffusion 1 UNet that a network may go on."""
    groups = [(name, layer_group(Family.sd1, name)) for name, _ in unet.named_modules()]
    return [Layer("unet", name, unet, group) for name, group in groups if group is not None]


def text_targets(text_encoder: nn.Module) -> list[Layer]:
    """The linear layers of a CLIP text tower, as kohya adapts them."""
    return [
        Layer("text_encoder", name, text_encoder, LayerGroup.attention)
        for name, module in text_encoder.named_modules()
        if isinstance(module, nn.Linear)
    ]


def tiny_unet(dtype: torch.dtype = torch.float32) -> UNet2DConditionModel:
    """A frozen UNet with every kind of layer that Stable Diffusion 1 has."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    return unet.to(dtype).eval().requires_grad_(False)


def unet_inputs(batch: int, *, seed: int = 1, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Latents [B, 4, 8, 8], timesteps [B], text [B, 5, 16]."""
    draw = torch.Generator().manual_seed(seed)
    latents = torch.randn(batch, 4, 8, 8, generator=draw, dtype=dtype)
    timesteps = torch.randint(0, 1000, (batch,), generator=draw)
    return latents, timesteps, torch.randn(batch, 5, 16, generator=draw, dtype=dtype)


def lora(rank: int = 4, *, alpha: float = 3.0, dropout: float = 0.0) -> LoRAConfig:
    """A LoRA on every group, alpha unequal to rank."""
    return LoRAConfig(layers=ALL_GROUPS, rank=rank, alpha=alpha, dropout=dropout)


def fill_up(network: LoRANetwork, *, std: float = 0.1, seed: int = 5) -> None:
    """Give the up matrices numbers too, so that the network changes what the model says."""
    draw = torch.Generator().manual_seed(seed)
    for slot in range(network.bank.num_slots):
        state = network.state(slot)
        for key, tensor in state.items():
            if key.endswith("lora_up.weight"):
                tensor.normal_(0.0, std, generator=draw)
        network.load_state(state, slot)
