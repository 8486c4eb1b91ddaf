"""What the UNets of Stable Diffusion 1, 2 and XL keep for their backward pass, layer by layer.

Until the first layer with a LoRA nothing is kept: no gradient has to go further back.
"""

from collections.abc import Sequence

from engine.compose.activations import FLOAT, Kept, Ops, Settings, Step, listed, whole
from engine.config import LayerGroup

_WIDTHS = (320, 640, 1280, 1280)
_DOWN = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
_UP = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3

_CONVOLVED = LayerGroup.convolutions


def unet_kept(settings: Settings, step: Step) -> Kept:
    """What a step keeps of a UNet with these settings."""
    return _UNet(settings, step).kept()


class _UNet:
    """Walks through the layers in their order; what is kept is added up on the way."""

    def __init__(self, settings: Settings, step: Step) -> None:
        self._ops, self._step, self._settings = Ops(step), step, settings
        self._widths = listed(settings, "block_out_channels", _WIDTHS)
        self._layers = whole(settings, "layers_per_block", 2)
        self._depths = listed(settings, "transformer_layers_per_block", [1] * len(self._widths))
        if len(self._depths) < len(self._widths):
            self._depths = self._depths[:1] * len(self._widths)
        self._heads = listed(settings, "attention_head_dim", [8] * len(self._widths))
        self._norm_groups = whole(settings, "norm_num_groups", 32)
        self._learns = False  # whether a LoRA was passed already
        self._outside, self._inputs = 0.0, 0.0
        self._blocks: list[float] = []

    def kept(self) -> Kept:
        """Down, middle, up."""
        skips = self._down()
        level = len(self._widths) - 1
        self._resnet(self._widths[-1], self._widths[-1], level)
        self._inputs -= self._ops.tensor(self._pixels(level), self._widths[-1])
        self._outside += self._blocks.pop()  # the first of the middle is not recomputed, in diffusers
        self._attention(self._widths[-1], level)
        self._resnet(self._widths[-1], self._widths[-1], level)
        self._up(skips)
        pixels = self._pixels(0)
        end = 2 * self._ops.norm(pixels, self._widths[0]) + self._ops.tensor(pixels, self._widths[0])
        end += pixels * whole(self._settings, "out_channels", 4) * FLOAT  # what is compared with the target
        return Kept(outside=self._outside + end, inputs=self._inputs, blocks=self._blocks)

    def _down(self) -> list[int]:
        """The widths of what is handed on to the way up."""
        kinds = _kinds(self._settings, "down_block_types", _DOWN, len(self._widths))
        before, skips = self._widths[0], [self._widths[0]]
        for level, (width, kind) in enumerate(zip(self._widths, kinds, strict=True)):
            for _ in range(self._layers):
                self._resnet(before, width, level)
                if "CrossAttn" in kind:
                    self._attention(width, level)
                before = width
                skips.append(width)
            if level < len(self._widths) - 1:
                self._convolution(width, width, self._pixels(level), self._pixels(level + 1))
                skips.append(width)
        return skips

    def _up(self, skips: list[int]) -> None:
        kinds = _kinds(self._settings, "up_block_types", _UP, len(self._widths))
        before = self._widths[-1]
        for place, kind in enumerate(kinds):
            level = len(self._widths) - 1 - place
            width = self._widths[level]
            for _ in range(self._layers + 1):
                self._resnet(before + skips.pop(), width, level)
                if "CrossAttn" in kind:
                    self._attention(width, level)
                before = width
            if level > 0:
                self._convolution(width, width, self._pixels(level - 1), self._pixels(level - 1))

    def _pixels(self, level: int) -> int:
        """Latents of the whole batch after so many halvings."""
        height, width = self._step.latents
        return self._step.batch * -(-height // 2**level) * -(-width // 2**level)

    def _resnet(self, inputs: int, outputs: int, level: int) -> None:
        """Norm, SiLU and convolution, twice; a third convolution where the width changes."""
        ops, pixels, learnt = self._ops, self._pixels(level), self._learns
        for group in (_CONVOLVED, LayerGroup.time_embedding):
            self._learns = self._learns or ops.has(group)
        total = 2 * ops.norm(pixels, inputs) + ops.tensor(pixels, inputs) if learnt else 0.0
        if ops.has(_CONVOLVED) and not learnt:
            total += ops.tensor(pixels, inputs)
        if self._learns:
            total += 2 * ops.norm(pixels, outputs) + ops.tensor(pixels, outputs)
            total += 9 * (ops.lora(_CONVOLVED, 0, inputs, [outputs]) + ops.lora(_CONVOLVED, 0, outputs, [0]))
            total += 2 * ops.lora(_CONVOLVED, pixels, 0, [0])
        self._inputs += ops.tensor(pixels, inputs)
        self._blocks.append(total)

    def _attention(self, width: int, level: int) -> None:
        """A norm, a projection, blocks of self-attention, cross-attention and feed-forward, a projection."""
        ops, pixels = self._ops, self._pixels(level)
        projected = LayerGroup.projections
        ends = ops.norm(pixels, width) + ops.tensor(pixels, width) if self._learns else 0.0
        if ops.has(projected) and not self._learns:
            ends += ops.tensor(pixels, width)
        self._learns = self._learns or bool(set(self._step.groups) & _IN_BLOCKS) or ops.has(projected)
        if not self._learns:
            return
        ends += ops.tensor(pixels, width) + 2 * ops.lora(projected, pixels, width, [width])
        self._outside += ends
        for _ in range(self._depths[level]):
            self._blocks.append(self._transformer_block(pixels, width, self._heads[level]))
            self._inputs += ops.tensor(pixels, width)

    def _transformer_block(self, pixels: int, width: int, heads: int) -> float:
        ops, words, wide = self._ops, self._step.batch * self._step.words, 4 * width
        attention, feed_forward = LayerGroup.attention, LayerGroup.feed_forward
        text = whole(self._settings, "cross_attention_dim", 768)
        return (
            3 * ops.norm(pixels, width)
            + ops.adapted(attention, pixels, width, [width] * 3)
            + ops.attention(pixels, pixels, width, heads)
            + ops.lora(attention, pixels, width, [width])
            + ops.adapted(attention, pixels, width, [width])
            + ops.lora(attention, words, text, [width] * 2)
            + ops.attention(pixels, words, width, heads)
            + ops.lora(attention, pixels, width, [width])
            + ops.adapted(feed_forward, pixels, width, [2 * wide])
            + ops.tensor(pixels, 3 * wide)  # both halves before they are multiplied, and GELU of one
            + ops.adapted(feed_forward, pixels, wide, [width])
        )

    def _convolution(self, inputs: int, outputs: int, pixels: int, pixels_after: int) -> None:
        """Between two levels."""
        ops = self._ops
        self._learns = self._learns or ops.has(_CONVOLVED)
        if self._learns:
            hidden = ops.lora(_CONVOLVED, pixels_after, 0, [0]) + 9 * ops.lora(_CONVOLVED, 0, inputs, [0])
            self._outside += ops.tensor(pixels, inputs) + hidden + ops.lora(_CONVOLVED, 0, outputs, [0])


_IN_BLOCKS = {LayerGroup.attention, LayerGroup.feed_forward}


def _kinds(settings: Settings, key: str, default: Sequence[str], count: int) -> list[str]:
    value = settings.get(key)
    kinds = [str(one) for one in value] if isinstance(value, list) else list(default)
    return kinds[:count] if len(kinds) >= count else kinds + kinds[-1:] * (count - len(kinds))
