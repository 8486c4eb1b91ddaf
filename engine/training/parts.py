"""What a run works on: the base model, the network on top, the encoded pictures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from engine.compose.plan import Plan
from engine.compose.start_file import start_file
from engine.config import CacheIn, ConfigError, LoRAConfig, RunConfig, trained_text
from engine.data.batches import BatchOrder, batch_groups
from engine.data.encode import encode_dataset
from engine.data.encoded import EncodedDataset, Encoders, Storage
from engine.data.scan import Scan
from engine.data.sizes import size_of
from engine.models.checkpoint import load_family
from engine.models.family import LatentDistribution, ModelFamily, TextEmbeddings
from engine.models.placing import place_for_encoding
from engine.models.precision import model_dtype
from engine.networks.lora import LoRANetwork, attach_lora
from engine.training.clock import Clock
from engine.training.feed import Feed
from engine.training.reader import BatchReader
from engine.training.start_weights import start_from
from engine.validation import ValidationPicture, ValidationSet

_MOST_WORKERS = 8


@dataclass(kw_only=True, slots=True, frozen=True)
class Model:
    """The base and the network that is attached to it."""

    family: ModelFamily
    network: LoRANetwork


@dataclass(kw_only=True, slots=True, frozen=True)
class Pictures:
    """What the steps are fed with, what had to be left out, and what the validation loss looks at."""

    feed: Feed
    skipped: list[str]
    validation: ValidationSet


def load_model(run: RunConfig, plan: Plan, *, clock: Clock, console: Console) -> Model:
    """Load the base, or take it from memory, and attach the network with its first weights.

    The base is where it was: on the processor, if it is new.
    """
    device = torch.device(plan.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with clock.phase("loading"), console.status("loading the base model"):
        family = load_family(
            run.model,
            device=device,
            dtype=model_dtype(run.training),
            quantize=run.memory.quantize,
        )
        family.set_gradient_checkpointing(run.training.gradient_checkpointing)
        family.tune_vae(slicing=run.memory.vae_slicing, tiling=run.memory.vae_tiling)
        assert isinstance(run.network, LoRAConfig), "the only kind of network so far"
        network = attach_lora(
            run.network, family.adaptable_layers(), family=run.model.family, seed=run.seed, device=device
        )
        if (path := start_file(run)) is not None:
            try:
                start_from(network, path)
            except ConfigError:
                network.detach()  # the base is kept for other runs of this process
                raise
    return Model(family=family, network=network)


def load_pictures(
    run: RunConfig, plan: Plan, family: ModelFamily, *, clock: Clock, console: Console
) -> Pictures:
    """Latents and text embeddings, from the cache where it has them.

    raises  ConfigError when no picture can be decoded
    """
    woken = _Woken(family, run)
    encoders = Encoders(
        encode_images=woken.encode_images if run.dataset.cache_latents else None,
        encode_prompts=woken.encode_prompts if run.dataset.cache_text_embeddings else None,
        vae_fingerprint=family.fingerprints.vae,
        text_fingerprint=_text_fingerprint(family),
        vae_dtype=torch.float32,
        text_dtype=family.dtype,
        latent_factor=family.latent_factor,
        clip_skip=run.model.clip_skip,
        token_length=run.model.token_length + 2,  # with its start and end
    )
    on_disk = run.dataset.cache_in is CacheIn.disk
    with clock.phase("encoding"), console.status("encoding") as status:
        data = encode_dataset(
            plan.scan,
            plan.choices,
            encoders=encoders,
            storage=Storage(cache_dir=Path(run.cache_dir) if on_disk else None),
            on_progress=lambda done, total: status.update(
                f"encoding pictures and captions: {done} of {total}"
            ),
        )
    plan.scan.indexes.save()
    reader = BatchReader(
        data=data,
        order=BatchOrder(
            groups=batch_groups(data.pictures, data.bucket_of), repeats=data.repeats, seed=run.seed
        ),
        seed=run.seed,
        total_steps=plan.total_steps,
        gradient_accumulation=run.training.gradient_accumulation,
        prior_loss_weight=run.loss.prior_loss_weight,
        latent_factor=family.latent_factor,
    )
    feed = Feed(
        family=family,
        reader=reader,
        workers=num_workers(run, plan, data),
        trains_text=bool(trained_text(run.network)),
    )
    validation = choose_validation(feed, plan.scan, run.training.validation_images)
    return Pictures(feed=feed, skipped=data.skipped, validation=validation)


class _Woken:
    """A family whose encoders come to the device with the first picture or caption that is not kept yet."""

    def __init__(self, family: ModelFamily, run: RunConfig) -> None:
        self._family, self._run = family, run
        self._is_awake = False

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        self._wake()
        return self._family.encode_images(pixels)

    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        self._wake()
        return self._family.encode_prompts(prompts)

    def _wake(self) -> None:
        if not self._is_awake:
            place_for_encoding(self._family, self._run)
            self._is_awake = True


def num_workers(run: RunConfig, plan: Plan, data: EncodedDataset) -> int:
    """Processes that read ahead: training.workers, else as many as a GPU may need; none if all is in memory.

    A run on the processor has no core to spare for them.
    """
    if run.training.workers is not None:
        return run.training.workers
    from_memory = not (data.latents.num_on_disk or data.text.num_on_disk) and all(data.sides)
    if plan.device == "cpu" or from_memory:
        return 0
    return min(_MOST_WORKERS, max(1, (os.cpu_count() or 1) - 1))


def choose_validation(feed: Feed, scan: Scan, count: int) -> ValidationSet:
    """Pictures spread evenly over those held out, else over those that are learnt: always the same."""
    pictures = feed.reader.data.pictures
    held_out = [index for index, picture in enumerate(pictures) if picture.held_out]
    looked_at = held_out or [index for index, picture in enumerate(pictures) if not picture.is_reg]
    number = min(count, len(looked_at))
    chosen = [looked_at[place * len(looked_at) // number] for place in range(number)]
    return ValidationSet(
        held_out=bool(held_out),
        names=[scan.name(pictures[index]) for index in chosen],
        pictures=[
            ValidationPicture(
                latents=feed.settled_latents(index),
                text=feed.settled_text(index),
                caption=feed.settled_caption(index),
                sizes=torch.tensor(size_of(pictures[index], feed.reader.data.choices[index])),
            )
            for index in chosen
        ],
    )


def _text_fingerprint(family: ModelFamily) -> str:
    """Of the text encoders, and of how they read: the options that the cache's key does not name."""
    config = family.config
    weights = "+weights" if config.weighted_captions else ""
    mask = "+mask" if config.t5_attention_mask else ""
    return f"{family.fingerprints.text}{weights}+t5:{config.t5_token_length}{mask}"
