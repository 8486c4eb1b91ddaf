"""Linear and Conv2d layers with a low-rank addition: base(x) + alpha / rank * up(down(x)).

With K slots the rows of a batch are slot-major: the first 1/K of them belong to slot 0, and so on.
Modules that are one layer in files (query, key, value) share down and have columns of up of their own; each
of them draws its own dropout.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.networks.slot_bank import LayerShape, LayerWeights


class LoRALayer(nn.Module):
    """A frozen layer, and beside it the pair of matrices that is trained.

    The matrices are no Parameters of the module: .to() or a state_dict must not take them off the bank.
    """

    def __init__(
        self, base: nn.Linear | nn.Conv2d, weights: LayerWeights, *, scales: Sequence[float], dropout: float
    ) -> None:
        """scales: alpha / rank of each slot; dropout: share of the inputs set to zero in train mode."""
        super().__init__()
        self.base = base
        self.matrices = weights
        self.scales = list(scales)
        self.dropout = dropout
        self.enabled = True
        self.strength = 1.0
        self.training = base.training

    @property
    def strength(self) -> float:
        """Multiplier on top of alpha / rank; 1 in training."""
        return self._strength

    @strength.setter
    def strength(self, value: float) -> None:
        self._strength = value
        factors = [scale * value for scale in self.scales]
        self._factor = factors[0]
        self._factors = torch.tensor(factors, dtype=torch.float64, device=self.matrices.up.device)

    @property
    def weight(self) -> Tensor:
        """The frozen weight: what code that asks a layer for its dtype or device reads."""
        return self.base.weight

    @property
    def bias(self) -> Tensor | None:
        """The frozen bias."""
        return self.base.bias

    def weight_change(self, slot: int = 0) -> Tensor:
        """What a slot adds to the base's weight, in that weight's shape."""
        down, up = self.matrices.down.detach(), self.matrices.up.detach()
        if len(self.scales) > 1:
            down, up = down[slot], up[slot]
        change = (up.t() @ down.flatten(1)).view(up.shape[1], *down.shape[1:])
        return change * (self.scales[slot] * self._strength)

    def _cast_matrices(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # to the dtype of the computation; their gradients arrive in the bank's own
        return self.matrices.down.to(dtype), self.matrices.up.to(dtype)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout) if self.training and self.dropout > 0.0 else x

    def _slot_factors(self, like: Tensor) -> Tensor:
        return self._factors.to(like.dtype)[:, None, None]  # [K, 1, 1]


class LoRALinear(LoRALayer):
    """A frozen Linear with the addition of each slot on its own rows."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, ..., in] -> [B, ..., out], in the dtype that the base gives."""
        if not self.enabled:
            return self.base(x)
        rows = x.reshape(-1, x.shape[-1])
        y = self.base(rows)
        down, up = self._cast_matrices(y.dtype)
        inputs = self._drop(rows)
        slots = len(self.scales)
        if slots == 1:
            # in place: nobody keeps the base's output, and a copy of it would be the dearest part
            y = y.addmm_(F.linear(inputs, down), up, alpha=self._factor)
        else:
            hidden = torch.bmm(inputs.view(slots, -1, rows.shape[-1]), down.transpose(1, 2))
            y = torch.baddbmm(y.view(slots, -1, y.shape[-1]), hidden * self._slot_factors(y), up)
        return y.view(*x.shape[:-1], up.shape[-1])


class LoRAConv2d(LoRALayer):
    """A frozen Conv2d with the addition of each slot on its own rows: kxk down, 1x1 up."""

    base: nn.Conv2d

    def forward(self, x: Tensor) -> Tensor:
        """x [B, in, H, W] -> [B, out, H', W'], in the dtype that the base gives."""
        if not self.enabled:
            return self.base(x)
        y = self.base(x)
        down, up = self._cast_matrices(y.dtype)
        inputs = self._drop(x)
        slots = len(self.scales)
        if slots == 1:
            hidden = self._convolve(inputs, down, groups=1).flatten(2)
            matrices = up.t().expand(len(x), -1, -1)
            return torch.baddbmm(y.flatten(2), matrices, hidden, alpha=self._factor).view(y.shape)
        hidden = self._convolve(_slots_to_channels(inputs, slots), down.flatten(0, 1), groups=slots)
        hidden = _channels_to_slots(hidden, slots).flatten(3) * self._slot_factors(y)[:, None]
        return y + torch.matmul(up.transpose(1, 2)[:, None], hidden).view(y.shape)

    def _convolve(self, x: Tensor, weight: Tensor, *, groups: int) -> Tensor:
        base = self.base
        return F.conv2d(x, weight, None, base.stride, base.padding, base.dilation, groups)


def layer_shape(base: nn.Module, *joined: nn.Module, component: str, rank: int) -> LayerShape:
    """What a layer needs in the bank. Raises ValueError if LoRA is not defined on such a layer.

    joined  Linear modules with the same input that are one layer with it
    """
    if isinstance(base, nn.Linear):
        return LayerShape(
            component=component,
            down=(rank, base.in_features),
            num_outputs=base.out_features,
            joined=tuple(_joined_outputs(base, other) for other in joined),
        )
    if not joined and isinstance(base, nn.Conv2d) and base.groups == 1 and base.padding_mode == "zeros":
        down = (rank, base.in_channels, base.kernel_size[0], base.kernel_size[1])
        return LayerShape(component=component, down=down, num_outputs=base.out_channels)
    raise ValueError(f"LoRA goes on Linear and on ungrouped, zero-padded Conv2d layers, not on {base}")


def wrap_layer(
    base: nn.Module, weights: LayerWeights, *, scales: Sequence[float], dropout: float
) -> LoRALayer:
    """The LoRA layer around a Linear or Conv2d."""
    if isinstance(base, nn.Linear):
        return LoRALinear(base, weights, scales=scales, dropout=dropout)
    assert isinstance(base, nn.Conv2d)  # layer_shape refused everything else
    return LoRAConv2d(base, weights, scales=scales, dropout=dropout)


def _joined_outputs(base: nn.Linear, other: nn.Module) -> int:
    if isinstance(other, nn.Linear) and other.in_features == base.in_features:
        return other.out_features
    raise ValueError(f"one LoRA for several modules needs Linear ones of the same input: {base}, {other}")


def _slots_to_channels(x: Tensor, slots: int) -> Tensor:
    """[K b, C, H, W] -> [b, K C, H, W]."""
    return x.view(slots, -1, *x.shape[1:]).transpose(0, 1).flatten(1, 2)


def _channels_to_slots(x: Tensor, slots: int) -> Tensor:
    """[b, K R, H, W] -> [K, b, R, H, W]."""
    return x.view(len(x), slots, -1, *x.shape[2:]).transpose(0, 1)
