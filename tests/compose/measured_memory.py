"""Counts what a real training step keeps for its backward pass, by the hook that autograd has for it.

A model of real size is counted without its memory: on torch's fake tensors, which have shapes, types and
storages, and no numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._pytree import tree_leaves

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # last: it has an evaluation.py
from families_random import RandomParts, random_batch, tiny_side

from engine.compose.recipe import model_recipe
from engine.config import LayerGroup, LoRAConfig, LossConfig, NoiseConfig
from engine.models.checkpoint import LOADERS
from engine.models.facts import FAMILIES
from engine.models.fingerprint import Fingerprints
from engine.networks.lora import attach_lora
from engine.training.step import Batch, Draws, Objective, training_losses

CPU = torch.device("cpu")
RANK = 16


@dataclass(kw_only=True, slots=True)
class Measured:
    """Bytes of tensors that were kept, each storage once, without the weights."""

    outside: int
    inputs: int  # of blocks that are recomputed, beyond what is kept outside
    blocks: list[int] = field(default_factory=list)  # what each of them keeps while it is recomputed

    @property
    def peak(self) -> int:
        """All that is kept, with the largest block."""
        return self.outside + self.inputs + max(self.blocks, default=0)


def measure(
    recipe: str,
    *,
    size: str,
    groups: list[LayerGroup],
    half: bool = False,
    checkpointing: bool = False,
    batch_size: int = 1,
) -> Measured:
    """What one training step of a random model keeps.

    size  full (of fake tensors), tiny
    half  the frozen weights are bfloat16; else float32
    """
    with FakeTensorMode(allow_non_fake_inputs=True) if size == "full" else nullcontext():
        return _measured(recipe, size, groups, half, checkpointing, batch_size)


def _measured(
    recipe: str, size: str, groups: list[LayerGroup], half: bool, checkpointing: bool, batch_size: int
) -> Measured:
    model = model_recipe(recipe)
    source = _Parts(recipe=recipe, denoiser=FAMILIES[model.family].denoiser, size=size, device=CPU)
    family = LOADERS[model.family](
        model,
        source,
        fingerprints=Fingerprints(base=recipe, vae="", text=""),
        device=CPU,
        dtype=torch.bfloat16 if half else torch.float32,
    )
    denoiser = family.adaptable_layers()[0].root
    layers = [layer for layer in family.adaptable_layers() if layer.root is denoiser]
    lora = LoRAConfig(rank=RANK, layers=groups)
    network = attach_lora(lora, layers, family=model.family, seed=0, device=CPU)
    weights = {_key(tensor) for tensor in (*denoiser.parameters(), *network.parameters())}
    side = model.resolution if size == "full" else tiny_side(recipe)
    batch = _repeated(random_batch(family, model, denoiser=denoiser, side=side), batch_size)
    shape = batch.mean.shape
    draws = Draws(
        posterior=torch.randn(shape),
        noise=torch.randn(shape),
        offset=torch.randn(shape[:2]),
        timesteps=torch.full((batch_size,), 500.0 if FAMILIES[model.family].is_flow else 500),
    )
    objective = Objective(noise=NoiseConfig(), loss=LossConfig(), prediction=model.prediction)
    outer = _Counted(weights)
    blocks = _Blocks(weights)
    if checkpointing:
        family.set_gradient_checkpointing(True)
        blocks.take_over(denoiser)
    with outer.counting():
        training_losses(family, batch, draws, objective)
    beyond = {key: count for key, count in blocks.inputs.kept.items() if key not in outer.kept}
    return Measured(outside=outer.total(), inputs=sum(beyond.values()), blocks=blocks.totals)


class _Parts(RandomParts):
    """Random parts whose scheduler is computed, also amid fake tensors."""

    def scheduler(self, kind: type) -> object:
        with unset_fake_temporarily():
            return RandomParts.scheduler(self, kind)


class _Counted:
    """Storages that were kept, each once."""

    def __init__(self, ignored: set[int]) -> None:
        self._ignored = ignored
        self._alive: list[object] = []  # or a freed one's address would come again
        self.kept: dict[int, int] = {}

    def add(self, tensor: Tensor) -> Tensor:
        key = _key(tensor)
        if key not in self._ignored and key not in self.kept:
            self.kept[key] = tensor.untyped_storage().nbytes()
            self._alive.append(tensor.untyped_storage())
        return tensor

    def total(self) -> int:
        return sum(self.kept.values())

    @contextmanager
    def counting(self) -> Iterator[None]:
        with torch.autograd.graph.saved_tensors_hooks(self.add, lambda tensor: tensor):
            yield


class _Blocks:
    """Stands where diffusers calls torch's checkpoint: runs each block, counts what it takes and keeps."""

    def __init__(self, weights: set[int]) -> None:
        self._weights = weights
        self.inputs = _Counted(weights)
        self.totals: list[int] = []

    def take_over(self, denoiser: nn.Module) -> None:
        """Be called for each block that would be recomputed."""
        for module in denoiser.modules():
            if hasattr(module, "_gradient_checkpointing_func"):
                module._gradient_checkpointing_func = self

    def __call__(self, block: nn.Module, *args: object, **kwargs: object) -> object:
        for one in tree_leaves((args, kwargs)):
            if isinstance(one, Tensor):
                self.inputs.add(one)
        inside = _Counted(self._weights | set(self.inputs.kept))
        with inside.counting():
            output = block(*args, **kwargs)
        self.totals.append(inside.total())
        return output


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _repeated(batch: Batch, count: int) -> Batch:
    def times(tensor: Tensor) -> Tensor:
        return tensor.repeat(count, *[1] * (tensor.dim() - 1))

    return replace(
        batch,
        mean=times(batch.mean),
        std=times(batch.std),
        text={name: times(tensor) for name, tensor in batch.text.items()},
        sizes=times(batch.sizes),
        weights=times(batch.weights),
    )
