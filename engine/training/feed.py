"""What the loop is given at each step: latents and text of some pictures, as this step sees them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import DatasetConfig
from engine.data.batches import BatchOrder
from engine.data.caption_changes import Moment, change_caption, settled_caption
from engine.data.encode import EncodedDataset
from engine.diffusion.seeding import seed_of
from engine.models.family import ModelFamily
from engine.training.step import Batch


@dataclass(kw_only=True, slots=True, frozen=True)
class Feed:
    """The pictures of a run in the order in which they are seen."""

    dataset: DatasetConfig
    family: ModelFamily
    data: EncodedDataset
    order: BatchOrder
    seed: int
    total_steps: int

    def pictures_at(self, micro_step: int) -> list[int]:
        """The pictures of a batch, all of one bucket; gradient accumulation takes several batches a step."""
        return self.order.batch_at(micro_step)

    def load(self, pictures: Sequence[int], *, micro_step: int, step: int, samples: Sequence[int]) -> Batch:
        """Their latents and text.

        samples  the positions of the pictures within the optimizer step: what is drawn depends on them
        """
        return Batch(
            mean=torch.stack([self.data.mean[index] for index in pictures]),
            std=torch.stack([self.data.std[index] for index in pictures]),
            text=self._text(pictures, micro_step=micro_step, step=step, samples=samples),
        )

    def settled_text(self, picture: int) -> Tensor:
        """[L, D] of a caption that does not vary: what the fixed validation loss is taken with."""
        if self.data.text:
            return self.data.text[picture]
        caption = settled_caption(self.data.pictures[picture].caption, self.dataset)
        return self.family.encode_prompts([caption])[0].cpu()

    def _text(self, pictures: Sequence[int], *, micro_step: int, step: int, samples: Sequence[int]) -> Tensor:
        if self.data.text:
            return torch.stack([self.data.text[index] for index in pictures])
        epoch = micro_step // self.order.num_batches + 1
        moment = Moment(epoch=epoch, step=step, total_steps=self.total_steps)
        captions = [
            change_caption(
                self.data.pictures[index].caption,
                self.dataset,
                draws=random.Random(seed_of(self.seed, "caption", step, sample)),
                moment=moment,
            )
            for index, sample in zip(pictures, samples, strict=True)
        ]
        return self.family.encode_prompts(captions)
