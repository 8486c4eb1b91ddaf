"""What of a model is on the device, and what waits on the processor until it is needed.

Blocks that are swapped need gradient checkpointing: a block that is recomputed keeps its weights alive for
its own backward pass. diffusers' group offloading was tried instead: its blocks stay on the device after the
backward pass has recomputed them, for checkpointing ends a recomputation before the hook that would send
them away.
"""

from collections.abc import Callable, Collection, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from engine.config import ConfigError, Quantize, RunConfig, text_rests, vae_rests
from engine.models.family import ModelFamily

WAITING_PLACE = torch.device("cpu")

Place = Callable[[nn.Module, torch.device], None]


def place_for_steps(family: ModelFamily, run: RunConfig) -> None:
    """Bring what steps and pictures of the run need to the device, and send away what they do not.

    raises  ConfigError where more blocks are to be swapped than there are
    """
    family.rest(text=text_rests(run), vae=vae_rests(run))
    place_denoiser(family.denoiser(), family.device, swapped=run.memory.blocks_to_swap)


def place_for_encoding(family: ModelFamily, run: RunConfig) -> None:
    """Bring text encoders and VAE to the device; the denoiser waits if they do, while steps are made.

    A quantised denoiser stays: it is small, and made for the device where it was quantised.
    """
    if run.memory.unload_encoders and run.memory.quantize is Quantize.none:
        send_away(family.denoiser())
    family.rest(text=False, vae=False)


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
        """Blocks are fetched no more, and stay where they are."""
        for handle in self._handles:
            handle.remove()


_swaps: WeakKeyDictionary[nn.Module, BlockSwap] = WeakKeyDictionary()


def place_denoiser(
    denoiser: nn.Module, device: torch.device, *, swapped: int = 0, place: Place = place_module
) -> None:
    """Bring a denoiser to the device, but for its last blocks, which wait on the processor.

    swapped  how many of them; those of an earlier run are not kept waiting
    raises   ConfigError where the denoiser has not so many
    """
    blocks = transformer_blocks(denoiser) if swapped else []
    if swapped > len(blocks):
        raise ConfigError(
            f"memory.blocks_to_swap={swapped}: the checkpoint's transformer has {len(blocks)} blocks. "
            f"Give at most {len(blocks)}."
        )
    if (earlier := _swaps.pop(denoiser, None)) is not None:
        earlier.end()
    waiting = blocks[len(blocks) - swapped :]
    if waiting:  # first, to make room
        _swaps[denoiser] = BlockSwap(waiting, device=device, place=place)
    _place_around(denoiser, set(waiting), device, place)


def send_away(denoiser: nn.Module, *, place: Place = place_module) -> None:
    """Let the whole denoiser wait on the processor, until place_denoiser brings it back."""
    place_denoiser(denoiser, WAITING_PLACE, place=place)


def transformer_blocks(denoiser: nn.Module) -> list[nn.Module]:
    """The blocks that make up a transformer, in the order in which they run."""
    return [
        block
        for name, child in denoiser.named_children()
        if isinstance(child, nn.ModuleList) and name.endswith("transformer_blocks")
        for block in child
    ]


def _place_around(module: nn.Module, left: Collection[nn.Module], device: torch.device, place: Place) -> None:
    """Move a module with all that is in it, but for the modules that are left where they are."""
    if not any(inner in left for inner in module.modules()):
        place(module, device)
        return
    if module in left:
        return
    for child in module.children():
        _place_around(child, left, device, place)
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        tensor.data = tensor.data.to(device)
