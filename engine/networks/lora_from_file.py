"""A LoRA file of any trainer that writes kohya's keys, put on a model: each layer with its own rank."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine.config import ConfigError, Family
from engine.models.facts import FAMILIES, joined_members
from engine.networks.files import LoRAFile, read_lora
from engine.networks.kohya_names import (
    ALPHA,
    DOWN,
    PREFIXES,
    UP,
    has_swapped_halves,
    kohya_key,
    plain_key,
)
from engine.networks.lora import swap_halves
from engine.networks.lora_layers import LoRALayer, layer_shape, wrap_layer
from engine.networks.slot_bank import LayerShape, LayerWeights

# What a part of a key says about the file it is in; the first that fits counts.
_OTHER_KINDS = (
    ("dora_scale", "a DoRA"),
    ("hada_", "a LoHa"),
    ("lokr_", "a LoKr"),
    ("lora_mid", "a LoCon with three matrices a layer"),
    ("oft_", "an OFT"),
    ("glora", "a GLoRA"),
    (".on_input", "an IA3"),
    ("base_model.model.", "a LoRA with peft's keys"),
    ("lora_A", "a LoRA with diffusers' or peft's keys"),
    ("lora_B", "a LoRA with diffusers' or peft's keys"),
    (".lora.down", "a LoRA with diffusers' keys"),
    (".lora.up", "a LoRA with diffusers' keys"),
    ("lora_linear_layer", "a LoRA with diffusers' keys"),
    ("_lora.down", "a LoRA with diffusers' keys"),
    ("_lora.up", "a LoRA with diffusers' keys"),
    ("string_to_param", "a textual inversion"),
    ("emb_params", "a textual inversion"),
)
_WANTED = "Give a LoRA with kohya's keys (lora_unet_..., lora_te_...)"
_MATRICES = (DOWN, UP, ALPHA)
_PREFIXES = tuple({f"{prefix}_" for components in PREFIXES.values() for prefix in components.values()})


class NamedLayer(Protocol):
    """A layer of a loaded model: root.get_submodule(name)."""

    @property
    def component(self) -> str:
        """The part of the model: "unet", "transformer", "text_encoder"."""
        ...

    @property
    def name(self) -> str:
        """Path of the module inside its component."""
        ...

    @property
    def root(self) -> nn.Module:
        """The component itself."""
        ...


@dataclass(kw_only=True, slots=True, frozen=True)
class _Pair:
    """One layer's part of a file, and where it goes."""

    layers: tuple[NamedLayer, ...]  # one, or those that are one layer in the files
    modules: tuple[nn.Module, ...]  # what is there now
    down: Tensor  # (rank, in) or (rank, in, kh, kw)
    ups: tuple[Tensor, ...]  # (rank, out) of each module
    scale: float  # alpha / rank


class FileLoRA:
    """A LoRA of a file on a model."""

    def __init__(self, pairs: Sequence[_Pair], *, device: torch.device) -> None:
        self._layers: list[tuple[NamedLayer, LoRALayer]] = []
        self.num_layers = len(pairs)  # of the file; some are several modules of the model
        for pair in pairs:
            down = pair.down.to(device, torch.float32).contiguous()
            for place, module, up in zip(pair.layers, pair.modules, pair.ups, strict=True):
                weights = LayerWeights(down=down, up=up.to(device, torch.float32).contiguous())
                layer = wrap_layer(module, weights, scales=[pair.scale], dropout=0.0)
                place.root.set_submodule(place.name, layer)
                self._layers.append((place, layer))

    def set_strength(self, strength: float) -> None:
        """Multiply the effect: 1 as the file has it, 0 none, -1 its opposite."""
        for _, layer in self._layers:
            layer.strength = strength

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """The base model alone, within a with statement."""
        before = [layer.enabled for _, layer in self._layers]
        for _, layer in self._layers:
            layer.enabled = False
        try:
            yield
        finally:
            for (_, layer), enabled in zip(self._layers, before, strict=True):
                layer.enabled = enabled

    def detach(self) -> None:
        """Put the very modules back that were there before; a second call does nothing."""
        for place, layer in self._layers:
            if place.root.get_submodule(place.name) is layer:
                place.root.set_submodule(place.name, layer.base)


def read_kohya_lora(path: Path) -> LoRAFile:
    """A LoRA file, whole and of the one kind that can be put on a model.

    raises  ConfigError naming the file, and the first key that shows that it is of another kind
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. {_WANTED}.")
    try:
        with safe_open(path, framework="pt") as opened:
            problem = _kind_problem(sorted(opened.keys()))  # of the header: a checkpoint is not read whole
        file = read_lora(path) if problem is None else None
    except (SafetensorError, OSError) as error:
        cause = " ".join(str(error).split())
        raise ConfigError(f"{path}: not a safetensors file ({cause}). {_WANTED}.") from error
    if file is None or (problem := _pair_problem(file.state)):
        raise ConfigError(f"{path}: {problem}.")
    return file


def attach_lora_file(
    file: LoRAFile, layers: Sequence[NamedLayer], *, family: Family, path: Path, device: torch.device
) -> FileLoRA:
    """Put the LoRA on the layers that its keys name; weights are float32 whatever the base's dtype.

    path    names the file in errors
    layers  every layer of the model that a file may name
    raises  ConfigError naming the file and the first key of a layer that the model lacks or that has another
            shape; then nothing is attached
    """
    by_key = _layers_of_keys(layers, family)
    names = _layer_names(file.state)
    unknown = [name for name in names if name not in by_key]
    if unknown:
        made_for = file.metadata.get("ss_base_model_version")
        whose = f", which was made for {made_for}," if made_for else ""
        raise ConfigError(
            f"{path}: {len(unknown)} of {len(names)} layers of this LoRA{whose} are not in the model, the "
            f"first: {unknown[0]}. Give the model that it was made for."
        )
    pairs = [_pair(file.state, name, by_key[name], path, family=family) for name in names]
    placed = [(layer.component, layer.name) for pair in pairs for layer in pair.layers]
    twice = [place for place, count in Counter(placed).items() if count > 1]
    if twice:
        raise ConfigError(f"{path}: {twice[0][1]} is adapted under two names. Give another file.")
    return FileLoRA(pairs, device=device)


def _layers_of_keys(layers: Sequence[NamedLayer], family: Family) -> dict[str, tuple[NamedLayer, ...]]:
    """What each name of a file stands for: one layer of the model, or several that are one in the files."""
    found: dict[str, tuple[NamedLayer, ...]] = {}
    for component in dict.fromkeys(layer.component for layer in layers):
        own = {layer.name: layer for layer in layers if layer.component == component}
        joins = component == FAMILIES[family].denoiser
        for names in joined_members(family, own) if joins else [(name,) for name in own]:
            found[kohya_key(family, component, names[0])] = tuple(own[name] for name in names)
        for name, layer in own.items():
            found.setdefault(plain_key(family, component, name), (layer,))
    return found


def _kind_problem(keys: Sequence[str]) -> str | None:
    """What the file is, if it is no LoRA with kohya's keys alone."""
    if not keys:
        return f"holds no tensor. {_WANTED}"
    for key in keys:
        kind = next((kind for part, kind in _OTHER_KINDS if part in key), None)
        if kind is not None:
            return f"{kind}, to judge by {key}, is not read. {_WANTED}"
    if not any("lora" in key for key in keys):
        return f"whole weights, to judge by {keys[0]}, and no LoRA. {_WANTED}"
    for key in keys:
        if not key.startswith(_PREFIXES):
            return f"{key} is of no part of a model that LoRAs are put on here. {_WANTED}"
        if key.partition(".")[2] not in _MATRICES:
            return f"{key} is none of {', '.join(_MATRICES)}. {_WANTED}"
    return None


def _pair_problem(state: Mapping[str, Tensor]) -> str | None:
    """What is missing or no number."""
    for name in _layer_names(state):
        missing = next((part for part in (DOWN, UP) if f"{name}.{part}" not in state), None)
        if missing is not None:
            return f"{name}.{missing} is missing. Get the file again"
    for key, tensor in state.items():
        if not bool(torch.isfinite(tensor.float()).all()):
            return f"{key} holds values that are no numbers: its training diverged. Give another file"
        if key.endswith(f".{ALPHA}") and tensor.numel() != 1:
            return f"{key} holds {tensor.numel()} values, not one. Get the file again"
    return None


def _layer_names(state: Mapping[str, Tensor]) -> list[str]:
    """Kohya's names of the layers, in the file's order."""
    return list(dict.fromkeys(key.partition(".")[0] for key in state))


def _pair(
    state: Mapping[str, Tensor], name: str, layers: tuple[NamedLayer, ...], path: Path, *, family: Family
) -> _Pair:
    """One layer's matrices in the shapes of its base; ConfigError where they do not fit it."""
    modules = tuple(layer.root.get_submodule(layer.name) for layer in layers)
    for layer, module in zip(layers, modules, strict=True):
        if isinstance(module, LoRALayer):
            raise ValueError(f"{layer.name} carries a LoRA already; detach it first")
    down, up = state[f"{name}.{DOWN}"], state[f"{name}.{UP}"]
    rank = down.shape[0] if down.dim() else 0
    try:
        wanted = layer_shape(*modules, component=layers[0].component, rank=rank)
    except ValueError as error:
        raise ConfigError(f"{path}: {name}: {error}. Give another file.") from error
    outputs = (wanted.num_outputs, *wanted.joined)
    if rank == 0 or not _fits(down, up, wanted):
        kernel = list(wanted.down[2:])
        raise ConfigError(
            f"{path}: {name}.{DOWN} is {list(down.shape)} and {UP} {list(up.shape)}; the model's layer takes "
            f"[rank, {', '.join(map(str, [wanted.down[1], *kernel]))}] and [{sum(outputs)}, rank]. "
            "Give the model that it was made for."
        )
    alpha = state.get(f"{name}.{ALPHA}")
    rows = up.reshape(up.shape[0], rank)
    if has_swapped_halves(family, layers[0].component, layers[0].name, (wanted.num_outputs, wanted.down[1])):
        rows = swap_halves(rows)
    return _Pair(
        layers=layers,
        modules=modules,
        down=down.reshape(wanted.down),
        ups=tuple(part.t() for part in rows.split(outputs)),
        scale=1.0 if alpha is None else float(alpha) / rank,  # kohya's: no alpha means rank
    )


def _fits(down: Tensor, up: Tensor, wanted: LayerShape) -> bool:
    """Whether the matrices are of this layer; 1x1 kernels may be written out or left out."""
    outer = (wanted.num_outputs + sum(wanted.joined), wanted.down[0])
    return _plain(down.shape) == _plain(wanted.down) and _plain(up.shape) == outer


def _plain(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without its 1x1 kernel."""
    return tuple(shape[:2]) if tuple(shape[2:]) == (1, 1) else tuple(shape)
