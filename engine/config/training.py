"""How long and on what a run trains, and when it looks at itself."""

from dataclasses import dataclass
from enum import Enum


class MixedPrecision(Enum):
    """The dtype of the base model and of the forward pass; the trained weights stay float32."""

    no = "no"
    fp16 = "fp16"
    bf16 = "bf16"


@dataclass(kw_only=True, slots=True)
class TrainingConfig:
    """Length, hardware, clipping, and the rhythm of validation and checkpoints."""

    steps: int | None = None  # optimizer steps; null = model.default_steps; not together with epochs
    epochs: int | None = None  # passes over the pictures, in place of steps
    gradient_accumulation: int = 1  # batches whose gradients are averaged into one optimizer step; >= 1
    gradient_checkpointing: bool = False  # true: less memory, about a third slower
    max_grad_norm: float = 1.0  # gradients longer than this are scaled down to it; 0 = off
    mixed_precision: MixedPrecision = MixedPrecision.no  # fp16 needs a GPU
    device: str = "auto"  # auto = the GPU if there is one; cpu, cuda, cuda:1, mps
    threads: int | None = None  # CPU threads; null = one a core; equal bits need equal threads
    workers: int | None = None  # processes that read pictures ahead; null = by the cores; 0 = none
    validate_every: int = 50  # steps between fixed validation losses; 0 = only before and after
    validation_images: int = 8  # pictures that the fixed validation loss looks at; >= 1
    validation_timesteps: int = 4  # timesteps at which it looks at each; >= 1
    checkpoint_every: int = 100  # steps between checkpoints; 0 = only when interrupted
    save_every: int = 0  # steps between weights files on the way: <name>-step000100.safetensors; 0 = none
    save_every_epochs: int = 0  # the same in epochs: <name>-epoch0001.safetensors; 0 = none; not both
    keep_saves: int | None = None  # so many of them, the last ones, stay in the run folder; null = all
