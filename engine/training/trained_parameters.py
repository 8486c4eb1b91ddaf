"""What an optimizer is given: the network's long vectors, or, where shapes count, each matrix for itself."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.networks.lora import LoRANetwork
from engine.optimizers.table import sees_layers

_WANTS_CONTIGUOUS = "bitsandbytes."  # copies what is not contiguous, and steps on the copy


@dataclass(kw_only=True, slots=True, frozen=True)
class Trainable:
    """Parameters, and the factor of each on the learning rate."""

    parameters: list[nn.Parameter]
    factors: list[float]
    on_text: list[bool]  # whether each is of a text encoder


def trained_parameters(network: LoRANetwork, class_path: str) -> Trainable:
    """All that is trained, as this optimizer is to see it."""
    if not sees_layers(class_path):
        return Trainable(
            parameters=network.parameters(), factors=list(network.learning_rates), on_text=network.on_text
        )
    return each_matrix(network, transposed=not class_path.startswith(_WANTS_CONTIGUOUS))


def each_matrix(network: LoRANetwork, *, transposed: bool = True) -> Trainable:
    """The matrices in the shapes of a LoRA file, (rank, in) and (out, rank), as views of the same memory.

    transposed  false: (rank, out), as the memory has it
    Their gradients are views, too, and stay so: zero_grad() of the network clears them in place.
    """
    parameters, factors, on_text = [], [], []
    for view, offset in _views(network, transposed=transposed):
        parameter = nn.Parameter(view)
        parameter.grad = _gradient(network, view)
        parameters.append(parameter)
        section = _section(network, offset)
        factors.append(network.learning_rates[section])
        on_text.append(network.on_text[section])
    return Trainable(parameters=parameters, factors=factors, on_text=on_text)


def _views(network: LoRANetwork, *, transposed: bool) -> Iterator[tuple[Tensor, int]]:
    """Each matrix and where it begins in the bank's row."""
    for _, down, ups in network.matrices():
        for matrix in (down, *ups):
            view = matrix if matrix is down or not transposed else _as_in_files(matrix.t(), down.dim())
            yield view, int(matrix.storage_offset() - network.bank.weights.storage_offset())


def _as_in_files(columns: Tensor, num_dimensions: int) -> Tensor:
    """(out, rank), of a convolution (out, rank, 1, 1); a view."""
    for _ in range(num_dimensions - 2):
        columns = columns.unsqueeze(-1)
    return columns


def _gradient(network: LoRANetwork, view: Tensor) -> Tensor:
    """The same place of the gradients' buffer, which is laid out as the weights'."""
    bank = network.bank
    offset = view.storage_offset() - bank.weights.storage_offset() + bank.gradients.storage_offset()
    return torch.as_strided(bank.gradients, view.shape, view.stride(), offset)


def _section(network: LoRANetwork, offset: int) -> int:
    """The index of the bank's section that an offset lies in."""
    sections = enumerate(network.bank.sections)
    return next(index for index, (_, start, stop) in sections if start <= offset < stop)
