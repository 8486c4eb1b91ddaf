"""The weights of all adapted layers in one buffer, their gradients in another: a row for each trial.

Optimizers see one to four long vectors a row instead of two tensors a layer. The layers see views of the
same memory, whose .grad are views of the gradient buffer, so that autograd adds straight into it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn


@dataclass(kw_only=True, slots=True, frozen=True)
class LayerShape:
    """What one adapted layer keeps in a row of the bank."""

    component: str  # "unet", "text_encoder"; a component's layers lie together
    down: tuple[int, ...]  # (R, in) or (R, in, kh, kw)
    num_outputs: int  # the up matrix is kept transposed: (R, num_outputs)
    joined: tuple[int, ...] = ()  # outputs of the further modules that are one layer with it
    rate: float = 1.0  # factor on the learning rate; layers of one rate lie together


@dataclass(slots=True, frozen=True)
class LayerWeights:
    """Views of one layer's weights in the bank: leaves of autograd, .grad preset.

    With one slot the leading dimension K is left out.
    """

    down: Tensor  # [K, R, in] or [K, R, in, kh, kw]
    up: Tensor  # [K, R, out]


class SlotBank:
    """K rows of P weights and K rows of P gradients, each row [UNet A | UNet B | TE A | TE B].

    weights, gradients  [K, P]
    layers              the layers' views, in the order of the shapes given
    joined              the views of each layer's further modules: the same down, columns of their own of up
    sections            (name, start, stop) of the parts of a row, for learning rates of their own
    rates               the factor on the learning rate of each section
    """

    def __init__(
        self,
        shapes: Sequence[LayerShape],
        *,
        num_slots: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        width = sum(prod(part) for _, members in _row_order(shapes) for _, _, part in members)
        self.weights = torch.zeros(num_slots, width, dtype=dtype, device=device)
        self.gradients = torch.zeros_like(self.weights)
        self.sections: list[tuple[str, int, int]] = []
        self.rates: list[float] = []
        views: dict[tuple[int, int], Tensor] = {}
        end = 0
        for name, members in _row_order(shapes):
            start = end
            self.rates.append(shapes[members[0][0]].rate)
            for index, matrix, shape in members:
                views[index, matrix] = self._leaf(end, shape)
                end += prod(shape)
            self.sections.append((name, start, end))
        self.layers = [LayerWeights(views[i, _DOWN], views[i, 0]) for i in range(len(shapes))]
        self.joined = [
            tuple(LayerWeights(views[i, _DOWN], views[i, part]) for part in range(1, len(shape.joined) + 1))
            for i, shape in enumerate(shapes)
        ]
        self._parameters = [
            [nn.Parameter(self.weights[slot, start:stop]) for _, start, stop in self.sections]
            for slot in range(num_slots)
        ]
        self._point_gradients()

    @property
    def num_slots(self) -> int:
        """How many trials share the bank."""
        return self.weights.shape[0]

    def parameters(self, slot: int = 0) -> list[nn.Parameter]:
        """The sections of one row as contiguous vectors: what its optimizer is given."""
        return self._parameters[slot]

    def zero_grad(self) -> None:
        """Set all gradients to zero with one write.

        Raises RuntimeError if an optimizer gave a Parameter other memory: the layers would no longer move.
        """
        self._point_gradients()
        self.gradients.zero_()

    def clip_gradients(self, max_norm: float) -> Tensor:
        """Scale each row's gradient down to a norm of at most max_norm; the norms before, [K].

        Source: torch.nn.utils.clip_grad_norm_, whose 1e-6 is kept.
        """
        norms = torch.linalg.vector_norm(self.gradients, dim=1)
        factors = torch.clamp(max_norm / (norms + 1e-6), max=1.0)
        self.gradients.mul_(factors[:, None])
        return norms

    def _leaf(self, start: int, shape: tuple[int, ...]) -> Tensor:
        leaf = self._view(self.weights, start, shape).requires_grad_()
        leaf.grad = self._view(self.gradients, start, shape)
        return leaf

    def _view(self, buffer: Tensor, start: int, shape: tuple[int, ...]) -> Tensor:
        part = buffer[:, start : start + prod(shape)]
        return part[0].view(shape) if self.num_slots == 1 else part.view(self.num_slots, *shape)

    def _point_gradients(self) -> None:
        for slot, row in enumerate(self._parameters):
            for parameter, (name, start, stop) in zip(row, self.sections, strict=True):
                if parameter.data_ptr() != self.weights[slot, start:stop].data_ptr():
                    raise RuntimeError(f"the optimizer replaced the memory of {name}, slot {slot}")
                parameter.grad = self.gradients[slot, start:stop]


_Member = tuple[int, int, tuple[int, ...]]  # index of the layer, which matrix, its shape
_DOWN = -1  # the matrix down; from 0 on: up of the layer's own module and of those joined to it


def _row_order(shapes: Sequence[LayerShape]) -> Iterator[tuple[str, list[_Member]]]:
    """The sections of a row: per component and rate (in order of first appearance) all A, then all B."""
    kinds = dict.fromkeys((shape.component, shape.rate) for shape in shapes)
    for component, rate in kinds:
        members = [(i, one) for i, one in enumerate(shapes) if (one.component, one.rate) == (component, rate)]
        several = len({other for other in kinds if other[0] == component}) > 1
        name = f"{component} x {rate:g}" if several else component
        yield f"{name}.down", [(i, _DOWN, shape.down) for i, shape in members]
        yield (
            f"{name}.up",
            [
                (i, part, (shape.down[0], outputs))
                for i, shape in members
                for part, outputs in enumerate((shape.num_outputs, *shape.joined))
            ],
        )
