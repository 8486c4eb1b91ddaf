"""Bytes that a training step keeps for its backward pass: what layers, norms and attention save, counted.

Attention is torch's fused one: it keeps queries, keys, values, its output and a number a row and head, and
no matrix of rows x rows. In half precision the LoRA's matrices, which are float32, are cast at each use.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.config import LayerGroup

FLOAT = 4  # bytes

Settings = Mapping[str, object]  # of a denoiser: its config.json


@dataclass(kw_only=True, slots=True, frozen=True)
class Step:
    """What a training step is given."""

    batch: int
    latents: tuple[int, int]  # height and width
    words: int  # rows of text that the denoiser reads
    width: int  # bytes of a number in the forward pass
    rank: int  # of the LoRA
    groups: Collection[LayerGroup]  # the layers that it is on

    @property
    def is_half(self) -> bool:
        """Whether numbers have 16 bits."""
        return self.width < FLOAT


@dataclass(kw_only=True, slots=True, frozen=True)
class Kept:
    """Bytes that are kept from the forward pass to the backward pass."""

    outside: float  # outside of the blocks that checkpointing recomputes
    inputs: float  # what those blocks start from
    blocks: Sequence[float]  # of each block

    def at_peak(self, *, checkpointing: bool) -> float:
        """All that is kept; with checkpointing the blocks' inputs and, one at a time, the largest block."""
        inside = self.inputs + max(self.blocks) if checkpointing else sum(self.blocks)
        return self.outside + inside


@dataclass(slots=True, frozen=True)
class Ops:
    """What single operations keep, in bytes; rows are those of the whole batch."""

    step: Step

    def has(self, group: LayerGroup) -> bool:
        """Whether the LoRA is on the layers of the group."""
        return group in self.step.groups

    def tensor(self, rows: int, width: int) -> float:
        """A tensor of the forward pass."""
        return rows * width * self.step.width

    def norm(self, rows: int, width: int, *, groups: int = 1) -> float:
        """The input of a norm, with a mean and a deviation a row and group."""
        return self.tensor(rows, width) + rows * 2 * groups * FLOAT

    def head_norm(self, rows: int, width: int, heads: int, *, keeps_both: bool) -> float:
        """The norm of queries or keys head by head; some keep their input as it came, too."""
        as_it_came = self.tensor(rows, width) if keeps_both and self.step.is_half else 0
        return rows * (width + heads) * FLOAT + as_it_came

    def attention(self, rows: int, seen: int, width: int, heads: int) -> float:
        """Queries and output of rows, keys and values of what they see."""
        return self.tensor(2 * rows + 2 * seen, width) + rows * heads * FLOAT

    def lora(self, group: LayerGroup, rows: int, inputs: int, outputs: Sequence[int]) -> float:
        """A LoRA on layers that share an input, without it: what lies between the matrices, and casts."""
        if not self.has(group):
            return 0
        matrices = sum(inputs + output for output in outputs) if self.step.is_half else 0
        return (rows * len(outputs) + matrices) * self.step.rank * self.step.width

    def adapted(self, group: LayerGroup, rows: int, inputs: int, outputs: Sequence[int]) -> float:
        """The same with the input, one for all of them."""
        if not self.has(group):
            return 0
        return self.tensor(rows, inputs) + self.lora(group, rows, inputs, outputs)

    def modulated(self, rows: int, width: int) -> float:
        """What is multiplied by a scale or a gate that is learnt."""
        return self.tensor(rows, width) if self.has(LayerGroup.modulation) else 0


def whole(settings: Settings, key: str, default: int) -> int:
    """A whole number of the settings."""
    value = settings.get(key, default)
    return value if isinstance(value, int) else default


def listed(settings: Settings, key: str, default: Sequence[int]) -> list[int]:
    """A list of whole numbers of the settings; one number stands for equal ones."""
    value = settings.get(key)
    if isinstance(value, int):
        return [value] * len(default)
    return [int(one) for one in value] if isinstance(value, list) else list(default)
