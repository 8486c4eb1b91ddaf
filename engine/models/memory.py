"""Levers on the memory of a loaded model: parts that wait on the processor, and how the VAE works."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from engine.models.fingerprint import Fingerprints

if TYPE_CHECKING:
    from diffusers import ModelMixin

_WAITING_PLACE = torch.device("cpu")
_TILED = "+tiles"

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")
PipelineT = TypeVar("PipelineT")


class _HasParts(Protocol):
    device: torch.device

    def text_parts(self) -> Iterable[nn.Module]: ...

    def image_parts(self) -> Iterable[nn.Module]: ...


FamilyT = TypeVar("FamilyT", bound=_HasParts)


class RestingParts(ABC):
    """A family whose text encoders and VAE may wait where memory is plentiful while only steps are made.

    Where a part rests is kept by the part itself, so that families that share parts know of it.
    """

    device: torch.device
    fingerprints: Fingerprints

    @abstractmethod
    def denoiser(self) -> nn.Module:
        """The part that is trained on, of diffusers' kind."""

    @abstractmethod
    def text_parts(self) -> Iterable[nn.Module]:
        """Every part with weights that a prompt goes through."""

    @abstractmethod
    def image_parts(self) -> Iterable[nn.Module]:
        """The VAE."""

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Recompute activations of the denoiser and the text encoders in the backward pass, or not."""
        denoiser = cast("ModelMixin", self.denoiser())
        if on:
            denoiser.enable_gradient_checkpointing()
        else:
            denoiser.disable_gradient_checkpointing()
        for text_encoder in self.text_parts():
            _set_text_checkpointing(text_encoder, on)

    def rest(self, *, text: bool, vae: bool) -> None:
        """Send parts to wait on the processor, the others to the device; a call has its part with it."""
        for parts, rests in ((self.text_parts(), text), (self.image_parts(), vae)):
            for part in parts:
                place = _WAITING_PLACE if rests else self.device
                if not is_on(part, place):
                    part.to(place)

    def tune_vae(self, *, slicing: bool, tiling: bool) -> None:
        """Whether the VAE takes pictures one by one, and large ones in tiles that overlap.

        What is kept of pictures is kept under another fingerprint with tiles, for it differs a little.
        """
        for vae in self.image_parts():
            for on, lever in ((slicing, "slicing"), (tiling, "tiling")):
                getattr(vae, f"{'enable' if on else 'disable'}_{lever}")()
        plain = self.fingerprints.base.removesuffix(_TILED), self.fingerprints.vae.removesuffix(_TILED)
        base, own = (name + _TILED if tiling else name for name in plain)
        self.fingerprints = replace(self.fingerprints, base=base, vae=own)


@contextmanager
def awake(device: torch.device, parts: Iterable[nn.Module]) -> Iterator[None]:
    """Parts on the device; those that rested go back afterwards."""
    rested = [part for part in parts if not is_on(part, device)]
    try:
        for part in rested:
            part.to(device)
        yield
    finally:
        for part in rested:
            part.to(_WAITING_PLACE)


def with_text_awake(
    method: Callable[Concatenate[FamilyT, ParametersT], ResultT],
) -> Callable[Concatenate[FamilyT, ParametersT], ResultT]:
    """A method that text goes through."""

    def awakened(self: FamilyT, /, *args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
        with awake(self.device, self.text_parts()):
            return method(self, *args, **kwargs)

    update_wrapper(awakened, method)
    return awakened


def with_vae_awake(
    method: Callable[Concatenate[FamilyT, ParametersT], ResultT],
) -> Callable[Concatenate[FamilyT, ParametersT], ResultT]:
    """A method that pictures go through."""

    def awakened(self: FamilyT, /, *args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
        with awake(self.device, self.image_parts()):
            return method(self, *args, **kwargs)

    update_wrapper(awakened, method)
    return awakened


def _set_text_checkpointing(text_encoder: nn.Module, on: bool) -> None:
    """Whether a text encoder recomputes its layers' activations in the backward pass.

    transformers asks for train mode; each layer alone is put in it, so that nothing inside drops out.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    for layer in text_encoder.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.gradient_checkpointing = on
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
            layer.training = on


def is_on(part: nn.Module, device: torch.device) -> bool:
    """Whether the part's weights are on the device; a device without a number is any of its kind."""
    found = next(part.parameters()).device
    return found.type == device.type and (found.index == device.index or None in (found.index, device.index))


def drawing_on(pipeline: PipelineT, device: torch.device) -> PipelineT:
    """The same diffusers pipeline, which draws on this device wherever its parts are.

    Its own would be that of the first of its parts, which may be resting.
    """
    kind = type(pipeline)
    own: dict[str, Any] = {"_execution_device": property(lambda _: device), "__module__": kind.__module__}
    pipeline.__class__ = cast("type[PipelineT]", type(kind.__name__, (kind,), own))
    return pipeline
