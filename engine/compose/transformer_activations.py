"""What the transformers of SD3, FLUX and Anima keep for their backward pass, block by block.

An input of the first block is no result of a LoRA: where nothing before it learns, its norm keeps nothing.
"""

from engine.compose.activations import FLOAT, Kept, Ops, Settings, Step, listed, whole
from engine.config import Family, LayerGroup

_CHANNELS = 16  # of latents
_FEED_FORWARD = 4  # times as wide as the rows

_attention, _modulation = LayerGroup.attention, LayerGroup.modulation


def transformer_kept(family: Family, settings: Settings, step: Step) -> Kept:
    """What a step keeps of the family's transformer with these settings."""
    return {Family.sd3: _sd3, Family.flux: _flux, Family.anima: _anima}[family](settings, step)


class _Sizes:
    """Rows and widths that every block of a transformer has."""

    def __init__(self, settings: Settings, step: Step) -> None:
        self.ops = Ops(step)
        self.batch = step.batch
        self.heads = whole(settings, "num_attention_heads", 24)
        self.width = self.heads * whole(settings, "attention_head_dim", 64)
        height, breadth = step.latents
        self.picture = step.batch * (height // 2) * (breadth // 2)  # a token is 2 x 2 latents
        self.words = step.batch * step.words

    def rows(self) -> int:
        """Of picture and text together."""
        return self.picture + self.words

    def modulation(self, parts: int) -> float:
        """The LoRA on the layer that makes scales, shifts and gates."""
        ops, width = self.ops, self.width
        return ops.adapted(_modulation, self.batch, width, [parts * width])

    def queries(self, rows: int, *, normed: bool, keeps_both: bool) -> float:
        """The inputs of queries, keys and values of some rows, and the norms of the first two."""
        ops, width = self.ops, self.width
        norms = 2 * ops.head_norm(rows, width, self.heads, keeps_both=keeps_both) if normed else 0
        return ops.adapted(_attention, rows, width, [width] * 3) + norms

    def feed_forward(self, rows: int) -> float:
        """A norm, a layer that widens, GELU, a layer that narrows."""
        ops, width, wide = self.ops, self.width, _FEED_FORWARD * self.width
        group = LayerGroup.feed_forward
        return (
            ops.norm(rows, width)
            + ops.modulated(rows, width)
            + ops.adapted(group, rows, width, [wide])
            + ops.tensor(rows, wide)
            + ops.adapted(group, rows, wide, [width])
            + ops.modulated(rows, width)
        )

    def end(self) -> float:
        """The last norm, and the velocity in float32."""
        return self.ops.norm(self.picture, self.width) + 4 * self.picture * _CHANNELS * FLOAT

    def places(self, rows: int) -> float:
        """Cosines and sines of where rows stand, which all blocks share."""
        return 2 * rows // self.batch * (self.width // self.heads) * FLOAT


def _sd3(settings: Settings, step: Step) -> Kept:
    """Blocks of two streams; some attend to the picture a second time, the last has no text after it."""
    sizes = _Sizes(settings, step)
    dual = listed(settings, "dual_attention_layers", [])
    count = whole(settings, "num_layers", 18)
    normed = settings.get("qk_norm") is not None
    blocks = [
        _sd3_block(sizes, is_dual=number in dual, is_last=number == count - 1, normed=normed)
        for number in range(count)
    ]
    blocks[0] -= sizes.ops.norm(sizes.rows(), sizes.width)
    return Kept(
        outside=sizes.end(), inputs=count * sizes.ops.tensor(sizes.rows(), sizes.width), blocks=blocks
    )


def _sd3_block(sizes: _Sizes, *, is_dual: bool, is_last: bool, normed: bool) -> float:
    ops, width, heads = sizes.ops, sizes.width, sizes.heads
    picture, words, rows = sizes.picture, sizes.words, sizes.rows()
    total = sizes.modulation(9 if is_dual else 6) + sizes.modulation(2 if is_last else 6)
    total += ops.norm(rows, width) + ops.modulated(rows, width)
    total += sizes.queries(picture, normed=normed, keeps_both=True)
    total += sizes.queries(words, normed=normed, keeps_both=True)
    total += ops.attention(rows, rows, width, heads)
    if ops.has(_attention):
        total += ops.tensor(rows, width)  # the output, cut into picture and text
    total += ops.lora(_attention, picture, width, [width])
    total += ops.modulated(picture, width) + sizes.feed_forward(picture)
    if is_dual:
        total += sizes.queries(picture, normed=normed, keeps_both=True)
        total += ops.attention(picture, picture, width, heads) + ops.lora(_attention, picture, width, [width])
        total += ops.modulated(picture, width)
    if not is_last:
        total += ops.lora(_attention, words, width, [width])
        total += ops.modulated(words, width) + sizes.feed_forward(words)
    return total


def _flux(settings: Settings, step: Step) -> Kept:
    """Blocks of two streams, then blocks of one over text and picture."""
    sizes = _Sizes(settings, step)
    doubles = [_flux_double(sizes)] * whole(settings, "num_layers", 19)
    singles = [_flux_single(sizes)] * whole(settings, "num_single_layers", 38)
    doubles[0] -= sizes.ops.norm(sizes.rows(), sizes.width)
    inputs = sizes.ops.tensor(sizes.rows(), sizes.width)
    return Kept(
        outside=sizes.end() + sizes.places(sizes.rows()),
        inputs=(len(doubles) + len(singles)) * inputs,
        blocks=[*doubles, *singles],
    )


def _flux_double(sizes: _Sizes) -> float:
    ops, width = sizes.ops, sizes.width
    total = 2 * sizes.modulation(6) + ops.attention(sizes.rows(), sizes.rows(), width, sizes.heads)
    for rows in (sizes.picture, sizes.words):
        total += ops.norm(rows, width) + ops.modulated(rows, width)
        total += sizes.queries(rows, normed=True, keeps_both=False)
        total += ops.lora(_attention, rows, width, [width])
        total += ops.modulated(rows, width) + sizes.feed_forward(rows)
    return total


def _flux_single(sizes: _Sizes) -> float:
    """Attention and feed-forward side by side; all its layers are of the group attention."""
    ops, width, wide, rows = sizes.ops, sizes.width, _FEED_FORWARD * sizes.width, sizes.rows()
    return (
        sizes.modulation(3)
        + ops.norm(rows, width)
        + ops.modulated(rows, width)
        + ops.adapted(_attention, rows, width, [width, width, width, wide])
        + 2 * ops.head_norm(rows, width, sizes.heads, keeps_both=False)
        + ops.tensor(rows, wide)
        + ops.attention(rows, rows, width, sizes.heads)
        + ops.adapted(_attention, rows, width + wide, [width])
        + ops.modulated(rows, width)
    )


def _anima(settings: Settings, step: Step) -> Kept:
    """Blocks of attention, attention to the text, and feed-forward, each after a modulated norm."""
    sizes = _Sizes(settings, step)
    count = whole(settings, "num_layers", 28)
    text_width = whole(settings, "text_embed_dim", 1024)
    blocks = [_anima_block(sizes, text_width, whole(settings, "adaln_lora_dim", 256))] * count
    blocks[0] -= sizes.ops.norm(sizes.picture, sizes.width)
    text = sizes.ops.tensor(sizes.words, text_width)  # seen by every block
    inputs = count * sizes.ops.tensor(sizes.picture, sizes.width) + text
    return Kept(outside=sizes.end() + sizes.places(sizes.picture), inputs=inputs, blocks=blocks)


def _anima_block(sizes: _Sizes, text_width: int, narrow: int) -> float:
    ops, width, heads, picture = sizes.ops, sizes.width, sizes.heads, sizes.picture
    own = (
        ops.norm(picture, width)
        + ops.modulated(picture, width)
        + sizes.queries(picture, normed=True, keeps_both=True)
        + ops.attention(picture, picture, width, heads)
        + ops.lora(_attention, picture, width, [width])
        + ops.modulated(picture, width)
    )
    to_text = (
        ops.norm(picture, width)
        + ops.modulated(picture, width)
        + ops.adapted(_attention, picture, width, [width])
        + ops.lora(_attention, sizes.words, text_width, [width] * 2)
        + ops.head_norm(picture, width, heads, keeps_both=True)
        + ops.head_norm(sizes.words, width, heads, keeps_both=True)
        + ops.attention(picture, sizes.words, width, heads)
        + ops.lora(_attention, picture, width, [width])
        + ops.modulated(picture, width)
    )
    told = 3 * ops.adapted(_modulation, sizes.batch, width, [narrow])
    told += 3 * ops.adapted(_modulation, sizes.batch, narrow, [3 * width]) + 3 * sizes.batch * FLOAT * width
    return own + to_text + sizes.feed_forward(picture) + told
