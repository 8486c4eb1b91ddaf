"""What the loop is given at each step: latents and text of some pictures, as this step sees them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import SubsetConfig
from engine.data.augment import change_colours, crop_at_random, is_flipped
from engine.data.batches import BatchOrder
from engine.data.buckets import BucketChoice
from engine.data.caption_changes import Moment, change_caption, settled_caption
from engine.data.encode import EncodedDataset
from engine.data.images import load_pixels, load_whole, to_tensor
from engine.diffusion.seeding import seed_of
from engine.models.family import ModelFamily
from engine.training.step import Batch


@dataclass(kw_only=True, slots=True, frozen=True)
class Feed:
    """The pictures of a run in the order in which they are seen."""

    dataset: SubsetConfig  # what holds for pictures without a subset of their own
    family: ModelFamily
    data: EncodedDataset
    choices: Sequence[BucketChoice]  # the way of each of data.pictures into its bucket
    order: BatchOrder
    seed: int
    total_steps: int
    prior_loss_weight: float

    def pictures_at(self, micro_step: int) -> list[int]:
        """The pictures of a batch, all of one bucket; gradient accumulation takes several batches a step."""
        return self.order.batch_at(micro_step)

    def load(self, pictures: Sequence[int], *, micro_step: int, step: int, samples: Sequence[int]) -> Batch:
        """Their latents and text.

        samples  the positions of the pictures within the optimizer step: what is drawn depends on them
        raises   DecodeError for a picture that was damaged since the run started
        """
        mean, std = self._latents(pictures, step=step, samples=samples)
        text = self._text(pictures, micro_step=micro_step, step=step, samples=samples)
        reg = [self.data.pictures[index].is_reg for index in pictures]
        weights = torch.tensor([self.prior_loss_weight if one else 1.0 for one in reg])
        return Batch(mean=mean, std=std, text=text, weights=weights)

    def captions(
        self, pictures: Sequence[int], *, micro_step: int, step: int, samples: Sequence[int]
    ) -> list[str]:
        """The words that the text encoder is given for them at this step."""
        if self.data.text:
            return [self.data.pictures[index].caption for index in pictures]
        epoch = micro_step // self.order.num_batches + 1
        moment = Moment(epoch=epoch, step=step, total_steps=self.total_steps)
        return [
            change_caption(
                self.data.pictures[index].caption,
                self._treatment(index),
                draws=random.Random(seed_of(self.seed, "caption", step, sample)),
                moment=moment,
            )
            for index, sample in zip(pictures, samples, strict=True)
        ]

    def settled_latents(self, picture: int) -> Tensor:
        """[C, h, w] of a picture as it is, the VAE's mean: what the fixed validation loss is taken with."""
        if self.data.latents:
            return self.data.latents[picture].mean
        pixels = load_pixels(self.data.pictures[picture], self.choices[picture])
        return self.family.encode_images(to_tensor(pixels)[None]).mean[0].cpu()

    def settled_text(self, picture: int) -> Tensor:
        """[L, D] of a caption that does not vary: what the fixed validation loss is taken with."""
        if self.data.text:
            return self.data.text[picture]
        caption = settled_caption(self.data.pictures[picture].caption, self._treatment(picture))
        return self.family.encode_prompts([caption])[0].cpu()

    def _treatment(self, picture: int) -> SubsetConfig:
        """What its subset says is done to a picture and its caption."""
        return self.data.pictures[picture].treated or self.dataset

    def _latents(
        self, pictures: Sequence[int], *, step: int, samples: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        draws = [random.Random(seed_of(self.seed, "augment", step, sample)) for sample in samples]
        if not self.data.latents:
            views = [self._view(index, one) for index, one in zip(pictures, draws, strict=True)]
            encoded = self.family.encode_images(torch.stack(views))
            return encoded.mean.cpu(), encoded.std.cpu()
        kept = [
            (self.data.mirrored if is_flipped(self._treatment(index), one) else self.data.latents)[index]
            for index, one in zip(pictures, draws, strict=True)
        ]
        return torch.stack([one.mean for one in kept]), torch.stack([one.std for one in kept])

    def _view(self, index: int, draws: random.Random) -> Tensor:
        """[3, H, W]: a picture as it is seen this time."""
        picture, choice = self.data.pictures[index], self.choices[index]
        treatment = self._treatment(index)
        flipped = is_flipped(treatment, draws)
        if treatment.random_crop:
            left, top, right, bottom = crop_at_random(choice, draws)
            pixels = load_whole(picture, choice)[top:bottom, left:right]
        else:
            pixels = load_pixels(picture, choice)
        if treatment.color_aug:
            pixels = change_colours(pixels, draws)
        view = to_tensor(pixels)
        return view.flip(-1) if flipped else view

    def _text(self, pictures: Sequence[int], *, micro_step: int, step: int, samples: Sequence[int]) -> Tensor:
        if self.data.text:
            return torch.stack([self.data.text[index] for index in pictures])
        return self.family.encode_prompts(
            self.captions(pictures, micro_step=micro_step, step=step, samples=samples)
        )
