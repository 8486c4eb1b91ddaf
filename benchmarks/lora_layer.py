"""Forward and backward of a small UNet with our LoRA layers, against peft's: python benchmarks/lora_layer.py.

Same base, targets, rank and batch, one step of each in turn; prints the ratio peft / ours (above 1: ours is
faster) and each side's median. Arguments as key=value: threads, width, latents, batch, rank, rounds.

2026-11-21, AMD EPYC, 4 cores, torch 2.13.0+cpu, fp32, 2 threads, OMP_NUM_THREADS=2:
    width=64 (the default)    linear groups 1.33-1.36   all groups 1.29-1.30
    width=128 rounds=20       linear groups 1.18        all groups 1.20
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from engine.config import Family, LayerGroup, LoRAConfig
from engine.models.facts import FAMILIES, layer_group
from engine.networks.lora import attach_lora


@dataclass(kw_only=True, slots=True)
class Settings:
    """What is measured."""

    threads: int = 2
    width: int = 64  # channels of the first level; the second has twice as many
    latents: int = 16  # side of the latents
    batch: int = 8
    rank: int = 8
    rounds: int = 40  # steps of each side


@dataclass(kw_only=True, slots=True, frozen=True)
class Target:
    """A layer of the UNet that both sides adapt."""

    name: str
    root: nn.Module
    group: LayerGroup
    joined: tuple[str, ...] = ()
    component: str = "unet"


def main(arguments: list[str]) -> None:
    """Measure, and print one line for each choice of layers."""
    settings = Settings(**{key: int(value) for key, value in (word.split("=") for word in arguments)})
    torch.set_num_threads(settings.threads)
    print(f"torch {torch.__version__}, {settings}")
    linear = [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.projections]
    for title, groups in (
        ("linear groups", linear),
        ("all groups", [group for group, _ in FAMILIES[Family.sd1].layer_groups]),
    ):
        ours, theirs = _measure(settings, groups)
        pairs = [b / a for a, b in zip(ours, theirs, strict=True)]
        print(
            f"{title:14} peft / ours = {statistics.median(pairs):.3f}   "
            f"ours {statistics.median(ours) * 1e3:.1f} ms, peft {statistics.median(theirs) * 1e3:.1f} ms"
        )


def _measure(settings: Settings, groups: list[LayerGroup]) -> tuple[list[float], list[float]]:
    steps = [_ours(settings, groups), _peft(settings, groups)]
    for step in steps * 3:
        step()
    seconds: list[list[float]] = [[], []]
    for round_ in range(settings.rounds):
        for side in (0, 1) if round_ % 2 == 0 else (1, 0):
            start = time.perf_counter()
            steps[side]()
            seconds[side].append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def _ours(settings: Settings, groups: list[LayerGroup]) -> Callable[[], None]:
    unet = _unet(settings)
    config = LoRAConfig(layers=groups, rank=settings.rank)
    network = attach_lora(config, _targets(unet, groups), family=Family.sd1, seed=0, device="cpu")
    return _step(unet, _inputs(settings), network.zero_grad)


def _peft(settings: Settings, groups: list[LayerGroup]) -> Callable[[], None]:
    unet = _unet(settings)
    names = [target.name for target in _targets(unet, groups)]
    config = LoraConfig(r=settings.rank, lora_alpha=settings.rank / 2, target_modules=names)
    inject_adapter_in_model(config, unet)
    return _step(unet, _inputs(settings), unet.zero_grad)


def _step(unet: nn.Module, inputs: tuple[Tensor, ...], clear: Callable[[], None]) -> Callable[[], None]:
    def step() -> None:
        clear()
        unet(*inputs).sample.square().mean().backward()

    return step


def _unet(settings: Settings) -> UNet2DConditionModel:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=settings.latents,
        block_out_channels=(settings.width, 2 * settings.width),
        layers_per_block=1,
        cross_attention_dim=settings.width,
        attention_head_dim=4,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )
    return unet.eval().requires_grad_(False)


def _targets(unet: nn.Module, groups: list[LayerGroup]) -> list[Target]:
    found = [(name, layer_group(Family.sd1, name)) for name, _ in unet.named_modules()]
    return [Target(name=name, root=unet, group=group) for name, group in found if group in groups]


def _inputs(settings: Settings) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(settings.batch, 4, settings.latents, settings.latents, generator=draw)
    timesteps = torch.randint(0, 1000, (settings.batch,), generator=draw)
    return latents, timesteps, torch.randn(settings.batch, 16, settings.width, generator=draw)


if __name__ == "__main__":
    main(sys.argv[1:])
