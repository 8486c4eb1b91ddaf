"""What a step needs of its pictures, read and drawn without any model, so that workers can do it ahead."""

import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.data.augment import is_flipped
from engine.data.batches import BatchOrder
from engine.data.caption_changes import Moment, change_caption
from engine.data.encoded import EncodedDataset, Latents
from engine.data.images import DecodeError
from engine.data.sizes import Sizes, size_of
from engine.data.views import see_picture, settled_view
from engine.diffusion.seeding import seed_of


class PictureGoneError(Exception):
    """A picture that was there when the run started and is not any more; the message names it."""


@dataclass(kw_only=True, slots=True, frozen=True)
class ReadBatch:
    """Pictures of one bucket at one micro-step, on the CPU."""

    micro_step: int
    step: int  # optimizer steps that are done
    pictures: list[int]  # places in the data set
    samples: range  # their places within the optimizer step: what is drawn depends on them
    captions: list[str]  # the words that the text encoder is given
    weights: Tensor  # [B] of their losses
    sizes: Tensor  # [B, 6] of data.sizes
    mask: Tensor | None  # [B, 1, h, w] in [0, 1]; None: all of each picture counts
    mean: Tensor | None = None  # [B, C, h, w], where latents are kept
    std: Tensor | None = None
    levels: Tensor | None = None  # uint8 [B, 3, H, W] pixels, where they are not
    text: Mapping[str, Tensor] | None = None  # each [B, ...], where embeddings are kept


@dataclass(kw_only=True, slots=True, frozen=True)
class _Seen:
    """The pictures of a batch: latents, or pixels for the VAE."""

    mask: Tensor | None
    mean: Tensor | None = None
    std: Tensor | None = None
    levels: Tensor | None = None


@dataclass(kw_only=True, slots=True)
class BatchReader(Dataset[ReadBatch | str]):
    """The batches of a run by their micro-step: a function of seed and place, whoever reads them when."""

    data: EncodedDataset
    order: BatchOrder
    seed: int
    total_steps: int
    gradient_accumulation: int
    prior_loss_weight: float
    latent_factor: int

    def __len__(self) -> int:
        return self.total_steps * self.gradient_accumulation

    def __getitem__(self, micro_step: int) -> ReadBatch | str:
        """The batch; what is wrong with a picture that was damaged or removed since the run started.

        Said and not raised: an error that crosses from a process to another loses its type and its words.
        """
        try:
            return self._batch(micro_step)
        except PictureGoneError as error:
            return str(error)

    def _batch(self, micro_step: int) -> ReadBatch:
        step, place = divmod(micro_step, self.gradient_accumulation)
        before = range(micro_step - place, micro_step)
        first = sum(len(self.order.batch_at(earlier)) for earlier in before)
        pictures = self.order.batch_at(micro_step)
        samples = range(first, first + len(pictures))
        moment = Moment(
            epoch=micro_step // self.order.num_batches + 1, step=step, total_steps=self.total_steps
        )
        captions = [self._caption(one, place, moment) for one, place in zip(pictures, samples, strict=True)]
        weights = [self.prior_loss_weight if self.data.pictures[one].is_reg else 1.0 for one in pictures]
        text = [self.data.text_of(index) for index in pictures]
        kept = [one for one in text if one is not None]
        seen = self._seen(pictures, samples, step)
        return ReadBatch(
            micro_step=micro_step,
            step=step,
            pictures=pictures,
            samples=samples,
            captions=captions,
            weights=torch.tensor(weights),
            sizes=torch.tensor(self._sizes(pictures, samples, step)),
            mask=seen.mask,
            mean=seen.mean,
            std=seen.std,
            levels=seen.levels,
            text=_stacked(kept) if len(kept) == len(text) else None,
        )

    def settled_levels(self, index: int) -> Tensor:
        """uint8 [3, H, W] of a picture as it is.

        raises  PictureGoneError
        """
        with self._naming(index):
            return settled_view(self.data.pictures[index], self.data.choices[index])

    @contextmanager
    def _naming(self, index: int) -> Iterator[None]:
        """Turns what decoding raises into a sentence with the picture's path."""
        try:
            yield
        except DecodeError as error:
            raise PictureGoneError(f"{self.data.pictures[index].path}: {error}") from error

    def _caption(self, index: int, sample: int, moment: Moment) -> str:
        picture = self.data.pictures[index]
        if self.data.captions:
            return picture.caption
        draws = random.Random(seed_of(self.seed, "caption", moment.step, sample))
        return change_caption(picture.caption, picture.subset.config, draws=draws, moment=moment)

    def _sizes(self, pictures: Sequence[int], samples: Sequence[int], step: int) -> list[Sizes]:
        data, sizes = self.data, []
        for index, sample in zip(pictures, samples, strict=True):
            picture, draws = data.pictures[index], self._augmenting(step, sample)
            is_mirrored = is_flipped(picture.subset.config, draws)
            sizes.append(size_of(picture, data.choices[index], is_mirrored=is_mirrored))
        return sizes

    def _augmenting(self, step: int, sample: int) -> random.Random:
        """The draws of what is done to a picture at one step; whether it is mirrored is the first."""
        return random.Random(seed_of(self.seed, "augment", step, sample))

    def _seen(self, pictures: Sequence[int], samples: Sequence[int], step: int) -> _Seen:
        draws = [self._augmenting(step, sample) for sample in samples]
        if any(self.data.sides[index] for index in pictures):
            return self._kept(pictures, draws)
        views = []
        for index, one in zip(pictures, draws, strict=True):
            picture, choice = self.data.pictures[index], self.data.choices[index]
            with self._naming(index):
                views.append(see_picture(picture, choice, one, factor=self.latent_factor))
        return _Seen(
            levels=torch.stack([view.levels for view in views]),
            mask=self._masks(pictures, [view.mask for view in views]),
        )

    def _kept(self, pictures: Sequence[int], draws: Sequence[random.Random]) -> _Seen:
        """Latents from the cache; pixels, to be encoded again, where it has lost any."""
        flips = [
            is_flipped(self.data.pictures[index].subset.config, one)
            for index, one in zip(pictures, draws, strict=True)
        ]
        masks = [
            one.flip(-1) if one is not None and flip else one
            for one, flip in zip((self.data.masks[index] for index in pictures), flips, strict=True)
        ]
        found: list[Latents] = []
        for index, flip in zip(pictures, flips, strict=True):
            latents = self.data.latents_of(index, mirrored=flip)
            found += [] if latents is None else [latents]
        mask = self._masks(pictures, masks)
        if len(found) < len(pictures):
            whole = [self.settled_levels(index) for index in pictures]
            turned = [one.flip(-1) if flip else one for one, flip in zip(whole, flips, strict=True)]
            return _Seen(levels=torch.stack(turned), mask=mask)
        mean, std = torch.stack([one.mean for one in found]), torch.stack([one.std for one in found])
        return _Seen(mean=mean, std=std, mask=mask)

    def _masks(self, pictures: Sequence[int], masks: Sequence[Tensor | None]) -> Tensor | None:
        """[B, 1, h, w], ones for pictures without a mask; None where none has one."""
        if not any(mask is not None for mask in masks):
            return None
        width, height = self.data.choices[pictures[0]].bucket
        whole = torch.ones(height // self.latent_factor, width // self.latent_factor)
        return torch.stack([whole if mask is None else mask for mask in masks])[:, None]


def _stacked(entries: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The same tensors of several captions, one after the other."""
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}


def read_ahead(reader: BatchReader, micro_steps: range, *, workers: int) -> Iterator[ReadBatch]:
    """The batches in order; so many processes read them ahead, 0 = none.

    raises  PictureGoneError at the batch that cannot be read
    """
    loader = DataLoader(
        reader,
        batch_size=None,
        sampler=micro_steps,
        num_workers=workers,
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # without batch_size it gets one item, no list
        worker_init_fn=_leave_signals_to_the_run,
        generator=torch.Generator(),  # the loader draws a seed for its workers: not from the run's generator
    )
    for batch in loader:
        if isinstance(batch, str):
            raise PictureGoneError(batch)
        yield batch


def _as_it_is(batch: ReadBatch | str) -> ReadBatch | str:
    return batch


def _leave_signals_to_the_run(_: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the run ends its step, saves and stops them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
