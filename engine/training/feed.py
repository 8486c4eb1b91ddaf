"""What the loop is given at each step: latents and text of some pictures, as this step sees them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.caption_changes import settled_caption
from engine.data.images import from_levels
from engine.diffusion.seeding import seed_torch
from engine.models.family import ModelFamily
from engine.training.reader import BatchReader, ReadBatch, read_ahead
from engine.training.step import Batch
from engine.training.text_dropout import drop_encoders


@dataclass(kw_only=True, slots=True, frozen=True)
class Fed:
    """A batch, and what it was made of."""

    batch: Batch
    read: ReadBatch


@dataclass(kw_only=True, slots=True, frozen=True)
class Feed:
    """The pictures of a run in the order in which they are seen."""

    family: ModelFamily
    reader: BatchReader
    workers: int  # processes that read ahead
    trains_text: bool = False  # captions are encoded with a graph, and never kept

    def batches(self, first: int, end: int) -> Iterator[Fed]:
        """The batches of the micro-steps from first to before end; what is not kept is encoded here.

        raises  PictureGoneError for a picture that was damaged or removed since the run started
        """
        for read in read_ahead(self.reader, range(first, end), workers=self.workers):
            yield Fed(batch=self._batch(read), read=read)

    def settled_latents(self, picture: int) -> Tensor:
        """[C, h, w] of a picture as it is, the VAE's mean: what the fixed validation loss is taken with."""
        kept = self.reader.data.latents_of(picture)
        if kept is not None:
            return kept.mean
        return self.family.encode_images(from_levels(self.reader.settled_levels(picture))[None]).mean[0].cpu()

    def settled_caption(self, picture: int) -> str:
        """A caption that does not vary: what the fixed validation loss is taken with."""
        one = self.reader.data.pictures[picture]
        return settled_caption(one.caption, one.subset.config)

    def settled_text(self, picture: int) -> Mapping[str, Tensor] | None:
        """Its embeddings; None where text encoders are trained, for they change."""
        if self.trains_text:
            return None
        kept = self.reader.data.text_of(picture)
        if kept is not None:
            return kept
        with torch.no_grad():
            encoded = self.family.encode_prompts([self.settled_caption(picture)])
        return {name: tensor[0].cpu() for name, tensor in encoded.items()}

    def _batch(self, read: ReadBatch) -> Batch:
        mean, std = read.mean, read.std
        if mean is None or std is None:
            assert read.levels is not None, "pixels or latents"
            mean, std = self._encode(read, from_levels(read.levels))
        text = read.text or self._encode_captions(read)
        text = drop_encoders(self.family, text, seed=self.reader.seed, step=read.step, samples=read.samples)
        return Batch(mean=mean, std=std, text=text, sizes=read.sizes, weights=read.weights, mask=read.mask)

    def _encode_captions(self, read: ReadBatch) -> Mapping[str, Tensor]:
        if self.trains_text:  # the dropout of their layers, as that of the denoiser's in the loop
            seed_torch(self.reader.seed, "text_dropout", read.micro_step)
        with torch.set_grad_enabled(self.trains_text):
            return self.family.encode_prompts(read.captions)

    def _encode(self, read: ReadBatch, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Together where they are new each time; one by one, as in the cache, where it has lost them."""
        is_lost = any(self.reader.data.sides[index] for index in read.pictures)
        parts = [pixels[place : place + 1] for place in range(len(pixels))] if is_lost else [pixels]
        encoded = [self.family.encode_images(part) for part in parts]
        mean, std = [one.mean.cpu() for one in encoded], [one.std.cpu() for one in encoded]
        return torch.cat(mean), torch.cat(std)
