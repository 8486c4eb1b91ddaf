"""Blocks of a transformer that wait on the processor and are on the device only while they are computed.

Needs gradient checkpointing: a block that is recomputed keeps its weights alive for its own backward pass.
diffusers' group offloading was tried instead: its blocks stay on the device after the backward pass has
recomputed them, for checkpointing ends a recomputation before the hook that would send them away.
"""

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from engine.config import ConfigError

WAITING_PLACE = torch.device("cpu")

Place = Callable[[nn.Module, torch.device], None]


def place_module(module: nn.Module, device: torch.device) -> None:
    """Move a module."""
    module.to(device)


class BlockSwap:
    """The last blocks of a transformer, of which at most one is on the device."""

    def __init__(
        self, blocks: Sequence[nn.Module], *, device: torch.device, place: Place = place_module
    ) -> None:
        self._blocks, self._device, self._place = list(blocks), device, place
        self._present: nn.Module | None = None
        self._handles: list[RemovableHandle] = []
        for block in self._blocks:
            place(block, WAITING_PLACE)
            self._handles.append(block.register_forward_pre_hook(self._fetch))

    def _fetch(self, block: nn.Module, _: object) -> None:
        """Before a block runs, also when it is recomputed: the one before it has done its work by then."""
        if self._present is block:
            return
        if self._present is not None:
            self._place(self._present, WAITING_PLACE)
        self._place(block, self._device)
        self._present = block

    def end(self) -> None:
        """All blocks back on the device."""
        for handle in self._handles:
            handle.remove()
        for block in self._blocks:
            self._place(block, self._device)


_swaps: WeakKeyDictionary[nn.Module, BlockSwap] = WeakKeyDictionary()


def swap_blocks(denoiser: nn.Module, count: int, *, device: torch.device) -> None:
    """Let the last blocks of a denoiser wait on the processor; the swap of an earlier run ends.

    raises  ConfigError where the denoiser has not so many
    """
    if (earlier := _swaps.pop(denoiser, None)) is not None:
        earlier.end()
    if count == 0:
        return
    blocks = transformer_blocks(denoiser)
    if count > len(blocks):
        raise ConfigError(
            f"memory.blocks_to_swap={count}: the checkpoint's transformer has {len(blocks)} blocks. "
            f"Give at most {len(blocks)}."
        )
    _swaps[denoiser] = BlockSwap(blocks[-count:], device=device)


def transformer_blocks(denoiser: nn.Module) -> list[nn.Module]:
    """The blocks that make up a transformer, in the order in which they run."""
    return [
        block
        for name, child in denoiser.named_children()
        if isinstance(child, nn.ModuleList) and name.endswith("transformer_blocks")
        for block in child
    ]
