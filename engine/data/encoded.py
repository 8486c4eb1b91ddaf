"""A data set as latents, masks and embeddings: what encodes it, where it is kept, what of it can be had."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from engine.data.buckets import BucketChoice, Size
from engine.data.cache import ContentCache
from engine.data.kept import MEMORY_BYTES, KeptTensors
from engine.data.scan import Picture


class MeanAndStd(Protocol):
    """The VAE's Gaussian over latents, scaled to what the denoiser is trained on; each [B, C, h, w]."""

    @property
    def mean(self) -> Tensor: ...

    @property
    def std(self) -> Tensor: ...


@dataclass(kw_only=True, slots=True, frozen=True)
class Encoders:
    """What turns pictures and captions into tensors, and the fingerprints that results are kept under."""

    encode_images: Callable[[Tensor], MeanAndStd] | None  # pixels [B, 3, H, W] in [-1, 1]; None: not kept
    encode_prompts: Callable[[Sequence[str]], dict[str, Tensor]] | None  # B prompts -> each [B, ...]; or None
    vae_fingerprint: str
    text_fingerprint: str
    vae_dtype: torch.dtype  # in which they compute; what they give is kept in float32
    text_dtype: torch.dtype
    latent_factor: int = 8  # pixels that a latent stands for, along one side
    clip_skip: int = 1  # 1 = the last layer
    token_length: int = 77  # tokens of a prompt, with its start and end


@dataclass(kw_only=True, slots=True, frozen=True)
class Storage:
    """Where results are kept."""

    cache_dir: Path | None  # None: in memory alone
    memory_bytes: int = MEMORY_BYTES  # of latents and of embeddings, where the disk has them too

    def cache(self, kind: str) -> ContentCache | None:
        """The cache of one kind of result."""
        return None if self.cache_dir is None else ContentCache(self.cache_dir / kind)


@dataclass(kw_only=True, slots=True, frozen=True)
class Latents:
    """The VAE's Gaussian over the latents of one picture; each [C, h, w] float32."""

    mean: Tensor
    std: Tensor


@dataclass(kw_only=True, slots=True)
class EncodedDataset:
    """The pictures that could be read; every list has one place for each."""

    latents: KeptTensors
    text: KeptTensors
    pictures: list[Picture] = field(default_factory=list)
    choices: list[BucketChoice] = field(default_factory=list)
    sides: list[tuple[str, ...]] = field(default_factory=list)  # keys of a picture and its mirror image
    captions: list[str] = field(default_factory=list)  # keys; empty where captions are not kept
    masks: list[Tensor | None] = field(default_factory=list)  # [h, w] in [0, 1]; None: all of it counts
    skipped: list[str] = field(default_factory=list)  # "sub/a.png (why)" of those that could not
    num_encoded: int = 0  # pictures and captions that were not in the cache

    @property
    def bucket_of(self) -> list[Size]:
        """The bucket of each picture."""
        return [choice.bucket for choice in self.choices]

    @property
    def repeats(self) -> list[int]:
        """How often each picture is seen in an epoch."""
        return [picture.repeats for picture in self.pictures]

    def latents_of(self, index: int, *, mirrored: bool = False) -> Latents | None:
        """What is kept of a picture; None: nothing, or not any more."""
        if not self.sides[index]:
            return None
        entry = self.latents.get(self.sides[index][int(mirrored)])
        return None if entry is None else Latents(mean=entry["mean"], std=entry["std"])

    def text_of(self, index: int) -> Mapping[str, Tensor] | None:
        """The embeddings of a picture's caption, each without a batch; None: not kept, or not any more."""
        return self.text.get(self.captions[index]) if self.captions else None
