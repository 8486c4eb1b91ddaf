"""What a run works on: the base model, the network on top, the encoded pictures."""

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from engine.compose.plan import Plan
from engine.config import LoRAConfig, RunConfig
from engine.data.batches import BatchOrder
from engine.data.encode import Encoders, encode_dataset
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.networks.lora import LoRANetwork, attach_lora
from engine.training.clock import Clock
from engine.training.feed import Feed
from engine.training.setup import model_dtype
from engine.validation import ValidationPicture


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
    validation: list[ValidationPicture]


def load_model(run: RunConfig, plan: Plan, *, clock: Clock, console: Console) -> Model:
    """Load the base, or take it from memory, and attach the network with its first weights."""
    device = torch.device(plan.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with clock.phase("loading"), console.status("loading the base model"):
        family = load_family(run.model, device=device, dtype=model_dtype(run.training))
        family.set_gradient_checkpointing(run.training.gradient_checkpointing)
        assert isinstance(run.network, LoRAConfig), "the only kind of network so far"
        network = attach_lora(run.network, family.adaptable_layers(), seed=run.seed, device=device)
    return Model(family=family, network=network)


def load_pictures(
    run: RunConfig, plan: Plan, family: ModelFamily, *, clock: Clock, console: Console
) -> Pictures:
    """Latents and text embeddings, from the cache where it has them.

    raises  ConfigError when no picture can be decoded
    """
    encoders = Encoders(
        encode_images=family.encode_images if run.dataset.cache_latents else None,
        encode_prompts=family.encode_prompts if run.dataset.cache_text_embeddings else None,
        vae_fingerprint=family.fingerprints.vae,
        text_fingerprint=family.fingerprints.text,
        vae_dtype=torch.float32,
        text_dtype=family.dtype,
        mirrored_too=any((picture.treated or run.dataset).flip_aug for picture in plan.scan.pictures),
    )
    with clock.phase("encoding"), console.status("encoding") as status:
        data = encode_dataset(
            plan.scan,
            plan.choices,
            encoders=encoders,
            cache_dir=Path(run.cache_dir),
            on_progress=lambda done, total: status.update(
                f"encoding pictures and captions: {done} of {total}"
            ),
        )
    order = BatchOrder(
        bucket_of=data.bucket_of, repeats=data.repeats, batch_size=run.dataset.batch_size, seed=run.seed
    )
    choice_of = {
        picture.path: choice for picture, choice in zip(plan.scan.pictures, plan.choices, strict=True)
    }
    feed = Feed(
        dataset=run.dataset,
        family=family,
        data=data,
        choices=[choice_of[picture.path] for picture in data.pictures],
        order=order,
        seed=run.seed,
        total_steps=plan.total_steps,
        prior_loss_weight=run.loss.prior_loss_weight,
    )
    validation = choose_validation(feed, run.training.validation_images)
    return Pictures(feed=feed, skipped=data.skipped, validation=validation)


def choose_validation(feed: Feed, count: int) -> list[ValidationPicture]:
    """Pictures spread evenly over those that are learnt: always the same ones."""
    learnt = [index for index, picture in enumerate(feed.data.pictures) if not picture.is_reg]
    places = {place * len(learnt) // min(count, len(learnt)) for place in range(min(count, len(learnt)))}
    chosen = [learnt[place] for place in sorted(places)]
    return [
        ValidationPicture(latents=feed.settled_latents(index), text=feed.settled_text(index))
        for index in chosen
    ]
