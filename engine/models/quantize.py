"""Linear layers of a frozen part in 4 or 8 bits, by bitsandbytes or torchao; made as the part is loaded."""

from __future__ import annotations

from typing import TypeVar, cast

import torch
from torch import nn

from engine.config import Quantize
from engine.models.parts import PartsSource, PartT, TokenizerT

SchedulerT = TypeVar("SchedulerT")


class QuantizingSource:
    """A checkpoint one of whose parts is quantised; implements PartsSource."""

    def __init__(self, source: PartsSource, part: str, how: Quantize, *, device: torch.device) -> None:
        self._source, self._part, self._how, self._device = source, part, how, device

    def has(self, name: str) -> bool:
        """Whether the part is there."""
        return self._source.has(name)

    def model(self, kind: type[PartT], name: str, *, dtype: torch.dtype) -> PartT:
        """A part; the one to quantise goes to the device at once, layer by layer, where it is quantised."""
        part = self._source.model(kind, name, dtype=dtype)
        if name != self._part:
            return part
        quantize_linears(part, self._how, device=self._device)
        return part.requires_grad_(False).to(device=self._device)

    def tokenizer(self, kind: type[TokenizerT], name: str) -> TokenizerT:
        """A tokenizer."""
        return self._source.tokenizer(kind, name)

    def scheduler(self, kind: type[SchedulerT]) -> SchedulerT:
        """The scheduler."""
        return self._source.scheduler(kind)


def quantize_linears(part: nn.Module, how: Quantize, *, device: torch.device) -> None:
    """Replace the weights of its Linear layers; convolutions, norms and biases stay as they are.

    nf4      4 bits in steps of a normal distribution (Dettmers et al. 2023, QLoRA), bitsandbytes
    int8     8 bits with a scale a row, outliers apart (Dettmers et al. 2022, LLM.int8()), bitsandbytes
    fp8      8-bit floats with a scale a row, torchao
    int8_ao  8 bits with a scale a row, torchao
    """
    if how in (Quantize.nf4, Quantize.int8):
        for name, linear in _linears(part):
            owner, _, last = name.rpartition(".")
            setattr(part.get_submodule(owner), last, _with_bitsandbytes(linear, how, device=device))
    elif how is not Quantize.none:
        _with_torchao(part, how)


def _linears(part: nn.Module) -> list[tuple[str, nn.Linear]]:
    return [(name, module) for name, module in part.named_modules() if isinstance(module, nn.Linear)]


def _with_bitsandbytes(linear: nn.Linear, how: Quantize, *, device: torch.device) -> nn.Module:
    """The same layer in bitsandbytes' own class, which quantises where it is moved to."""
    from bitsandbytes import nn as their_nn

    weight, with_bias = linear.weight.data, linear.bias is not None
    sizes = (linear.in_features, linear.out_features)
    made: nn.Module
    if how is Quantize.nf4:
        made = their_nn.Linear4bit(
            *sizes, bias=with_bias, compute_dtype=weight.dtype, quant_type="nf4", device="meta"
        )
        made.weight = their_nn.Params4bit(weight, requires_grad=False, quant_type="nf4")
    else:
        made = their_nn.Linear8bitLt(*sizes, bias=with_bias, has_fp16_weights=False, device="meta")
        made.weight = their_nn.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    made.bias = linear.bias
    return made.requires_grad_(False).to(device).train(linear.training)


def _with_torchao(part: nn.Module, how: Quantize) -> None:
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    chosen = Float8WeightOnlyConfig() if how is Quantize.fp8 else Int8WeightOnlyConfig()
    quantize_(part, cast("Int8WeightOnlyConfig", chosen))
