"""A LoRA on chosen layers of a frozen model: attach, train, read out, take off again."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from engine.config import Family, LoRAConfig, effective_alpha
from engine.models.layer_words import choose_layers, rank_of
from engine.networks.kohya_names import ALPHA, DOWN, UP, has_swapped_halves, kohya_key
from engine.networks.layer_choice import Target
from engine.networks.lora_layers import LoRALayer, layer_shape, wrap_layer
from engine.networks.slot_bank import LayerWeights, SlotBank


@dataclass(kw_only=True, slots=True, frozen=True)
class AttachedLayer:
    """One adapted layer and where it sits."""

    key: str  # kohya's name of the layer
    path: str  # module path inside root
    root: nn.Module
    component: str  # the part of the model that root is
    layer: LoRALayer
    ranks: tuple[int, ...]  # of each slot
    alphas: tuple[float, ...]  # of each slot
    joined: tuple[tuple[str, LoRALayer], ...] = ()  # path and layer of the modules that share its down
    swapped: bool = False  # whether the halves of its outputs stand the other way round in files

    @property
    def modules(self) -> tuple[tuple[str, LoRALayer], ...]:
        """Path and layer of every module that the layer stands for."""
        return ((self.path, self.layer), *self.joined)


def attach_lora(
    config: LoRAConfig, targets: Sequence[Target], *, family: Family, seed: int, device: torch.device | str
) -> "LoRANetwork":
    """Put a LoRA on the layers that config chooses; its weights are float32 whatever the base's dtype.

    family  whose names the file's keys have
    Raises ConfigError if the model lacks a layer asked for, ValueError if LoRA is not defined on a layer or
    its base is not frozen.
    """
    return attach_loras([config], targets, family=family, seeds=[seed], device=device)


def attach_loras(
    configs: Sequence[LoRAConfig],
    targets: Sequence[Target],
    *,
    family: Family,
    seeds: Sequence[int],
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> "LoRANetwork":
    """Put K LoRAs side by side on the same layers, each for its own share of a batch's rows.

    Ranks and alpha may differ; layers, learning rates and dropout are those of the first. Errors: as
    attach_lora.
    """
    if any(config.rank < 1 for config in configs):
        raise ValueError(f"a rank must be at least 1: {[config.rank for config in configs]}")
    choices = choose_layers(configs[0], family, targets)
    chosen = [choice.layer for choice in choices]
    ranks = [max(rank_of(config, family, target) for config in configs) for target in chosen]
    bases = [[_free_module(target, name) for name in (target.name, *target.joined)] for target in chosen]
    shapes = [
        replace(layer_shape(*modules, component=choice.layer.component, rank=rank), rate=choice.rate)
        for modules, choice, rank in zip(bases, choices, ranks, strict=True)
    ]
    bank = SlotBank(shapes, num_slots=len(configs), dtype=dtype, device=device)
    attached = [
        _attach(target, modules, (own, *others), family=family, configs=configs)
        for target, modules, own, others in zip(chosen, bases, bank.layers, bank.joined, strict=True)
    ]
    network = LoRANetwork(bank, attached, configs)
    for slot, seed in enumerate(seeds):
        network.initialise(slot, seed)
    return network


class LoRANetwork:
    """What a run trains: the bank's weights, seen as the LoRA of each slot."""

    def __init__(
        self, bank: SlotBank, layers: Sequence[AttachedLayer], configs: Sequence[LoRAConfig]
    ) -> None:
        self.bank = bank
        self.layers = list(layers)
        self.ranks = [config.rank for config in configs]
        self.alphas = [effective_alpha(config) for config in configs]

    @property
    def rank(self) -> int:
        """Rank of the first slot, where no layer was given another."""
        return self.ranks[0]

    @property
    def alpha(self) -> float:
        """Alpha of the first slot, for layers of that rank."""
        return self.alphas[0]

    @property
    def num_parameters(self) -> int:
        """How many numbers the first slot trains (its padding left out)."""
        return sum(down.numel() + sum(up.numel() for up in ups) for _, down, ups in self.matrices())

    def parameters(self, slot: int = 0) -> list[nn.Parameter]:
        """What an optimizer gets: a few long vectors; their gradients are cleared by zero_grad() here."""
        return self.bank.parameters(slot)

    @property
    def learning_rates(self) -> list[float]:
        """The factor on the learning rate of each of the parameters."""
        return self.bank.rates

    @property
    def on_text(self) -> list[bool]:
        """Whether each of the parameters is of a text encoder."""
        return [name.startswith("text_encoder") for name, _, _ in self.bank.sections]

    def zero_grad(self) -> None:
        """Set all gradients to zero with one write; not optimizer.zero_grad(), which would drop them."""
        self.bank.zero_grad()

    def clip_gradients(self, max_norm: float) -> Tensor:
        """Clip each slot's gradient by its global norm; the norms before, [K]."""
        return self.bank.clip_gradients(max_norm)

    def train(self, mode: bool = True) -> None:
        """Switch the dropout of the LoRA; the base stays as it is."""
        for layer in self._modules():
            layer.training = mode

    def enable(self, on: bool = True) -> None:
        """Whether the layers add anything to their base."""
        for layer in self._modules():
            layer.enabled = on

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """The base model alone, within a with statement."""
        before = [layer.enabled for layer in self._modules()]
        self.enable(False)
        try:
            yield
        finally:
            for layer, enabled in zip(self._modules(), before, strict=True):
                layer.enabled = enabled

    def set_strength(self, strength: float) -> None:
        """Multiply the effect of the LoRA: 1 as trained, 0 none, -1 its opposite."""
        for layer in self._modules():
            layer.strength = strength

    def detach(self) -> None:
        """Put the very modules back that were there before; a second call does nothing."""
        for attached in self.layers:
            for path, layer in attached.modules:
                if attached.root.get_submodule(path) is layer:
                    attached.root.set_submodule(path, layer.base)

    def initialise(self, slot: int, seed: int) -> None:
        """Start a slot afresh: down uniform as kohya and peft do (Kaiming, a = sqrt(5)), up zero.

        A function of (seed, layer name), so that the choice of layers does not shift a layer's start.
        """
        self.bank.weights[slot].zero_()
        with torch.no_grad():
            for attached, down, _ in self.matrices(slot):
                down.copy_(_initial_down(tuple(down.shape), seed, attached.key))

    def state(self, slot: int = 0) -> dict[str, Tensor]:
        """Copies of a slot's weights on the CPU under kohya's names, in the shapes of its files."""
        state: dict[str, Tensor] = {}
        for attached, down, ups in self.matrices(slot):
            key = attached.key
            columns = torch.cat(ups, dim=1).t()  # (out, rank)
            if attached.swapped:
                columns = swap_halves(columns)
            shape = (*columns.shape, *[1] * (down.dim() - 2))
            state[f"{key}.{ALPHA}"] = torch.tensor(attached.alphas[slot], dtype=torch.float32)
            state[f"{key}.{DOWN}"] = down.detach().to("cpu", copy=True)
            state[f"{key}.{UP}"] = columns.reshape(shape).to("cpu", copy=True).contiguous()
        return state

    def load_state(self, state: Mapping[str, Tensor], slot: int = 0) -> None:
        """Take over the weights of a file or checkpoint; rank and alpha must be this network's.

        Raises ValueError naming every missing and unexpected key, wrong shape and other alpha.
        """
        problems = _differences(self.state(slot), state)
        if problems:
            raise ValueError("these weights are not for this network:\n  " + "\n  ".join(problems))
        with torch.no_grad():
            for attached, down, ups in self.matrices(slot):
                down.copy_(state[f"{attached.key}.{DOWN}"])
                rows = state[f"{attached.key}.{UP}"].flatten(1)
                if attached.swapped:
                    rows = swap_halves(rows)
                for up, part in zip(ups, rows.split([up.shape[1] for up in ups]), strict=True):
                    up.copy_(part.t())

    def _modules(self) -> Iterator[LoRALayer]:
        for attached in self.layers:
            yield from (layer for _, layer in attached.modules)

    def matrices(self, slot: int = 0) -> Iterator[tuple[AttachedLayer, Tensor, list[Tensor]]]:
        """Each layer with its down [rank, ...] and up [rank, out] of each of its modules.

        They are views of a slot's own part of the bank, without padding.
        """
        for attached in self.layers:
            matrices = [attached.layer.matrices.down, *(layer.matrices.up for _, layer in attached.modules)]
            rows = [
                matrix.detach()[slot] if self.bank.num_slots > 1 else matrix.detach() for matrix in matrices
            ]
            down, *ups = [matrix[: attached.ranks[slot]] for matrix in rows]
            yield attached, down, ups


def swap_halves(rows: Tensor) -> Tensor:
    """[2 n, ...] -> the second n rows, then the first."""
    return rows.roll(len(rows) // 2, dims=0)


def _attach(
    target: Target,
    bases: Sequence[nn.Module],
    weights: Sequence[LayerWeights],
    *,
    family: Family,
    configs: Sequence[LoRAConfig],
) -> AttachedLayer:
    """Put each slot's share of the bank beside the target's modules."""
    scales = [effective_alpha(config) / config.rank for config in configs]
    layers = [
        wrap_layer(base, own, scales=scales, dropout=configs[0].dropout)
        for base, own in zip(bases, weights, strict=True)
    ]
    for path, layer in zip((target.name, *target.joined), layers, strict=True):
        target.root.set_submodule(path, layer)
    ranks = tuple(rank_of(config, family, target) for config in configs)
    return AttachedLayer(
        key=kohya_key(family, target.component, target.name),
        path=target.name,
        root=target.root,
        component=target.component,
        layer=layers[0],
        ranks=ranks,
        alphas=tuple(map(_alpha, configs, ranks)),
        joined=tuple(zip(target.joined, layers[1:], strict=True)),
        swapped=has_swapped_halves(family, target.component, target.name, layers[0].weight.shape),
    )


def _alpha(config: LoRAConfig, rank: int) -> float:
    """The alpha of a layer: a rank of its own leaves alpha / rank as it is."""
    alpha = effective_alpha(config)
    return alpha if rank == config.rank else alpha / config.rank * rank


def _free_module(target: Target, name: str) -> nn.Module:
    module = target.root.get_submodule(name)
    if isinstance(module, LoRALayer):
        raise ValueError(f"{name} carries a LoRA already; detach it first")
    if any(parameter.requires_grad for parameter in module.parameters()):
        raise ValueError(f"{name} is not frozen; call requires_grad_(False) on the {target.component}")
    return module


def _initial_down(shape: tuple[int, ...], seed: int, key: str) -> Tensor:
    digest = hashlib.sha256(f"{seed}|lora|{key}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    return nn.init.kaiming_uniform_(torch.empty(shape), a=math.sqrt(5), generator=generator)


def _differences(ours: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    problems = [f"missing: {key}" for key in ours if key not in given]
    problems += [f"unexpected: {key}" for key in given if key not in ours]
    for key in ours.keys() & given.keys():
        if ours[key].shape != given[key].shape:
            problems.append(f"{key}: shape {tuple(given[key].shape)}, expected {tuple(ours[key].shape)}")
        elif key.endswith(f".{ALPHA}") and float(given[key]) != float(ours[key]):
            problems.append(f"{key}: {float(given[key]):g}, expected {float(ours[key]):g}")
    return sorted(problems)
