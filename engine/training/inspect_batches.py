"""The first batches of a run as its steps would be fed them, in pictures and words; nothing is trained."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.sampling.draw import to_images
from engine.training.clock import Clock
from engine.training.feed import Feed
from engine.training.parts import load_pictures
from engine.training.result import write_json
from engine.training.setup import model_dtype

SCHEMA = 1


@dataclass(kw_only=True, slots=True, frozen=True)
class FedPicture:
    """One picture of a batch."""

    file: str  # the latents that are trained on, decoded: below inspect/
    source: str  # the file that it is read from
    caption: str  # the words that the text encoder is given
    is_reg: bool
    weight: float  # of its loss


@dataclass(kw_only=True, slots=True, frozen=True)
class FedBatch:
    """One batch, all of one bucket."""

    step: int  # optimizer step, from 1
    width: int  # pixels
    height: int
    pictures: list[FedPicture]


def inspect_batches(run: RunConfig, plan: Plan, *, console: Console) -> Path:
    """Write inspect/batches.json and its pictures into the run folder; the folder inspect/ is made anew.

    returns  the folder inspect/
    raises   ConfigError when no picture can be decoded
    """
    torch.set_num_threads(plan.threads)
    family = load_family(run.model, device=torch.device(plan.device), dtype=model_dtype(run.training))
    pictures = load_pictures(run, plan, family, clock=Clock(), console=console)
    folder = plan.folder / "inspect"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    accumulation = run.training.gradient_accumulation
    batches: list[FedBatch] = []
    first = 0
    for micro_step in range(run.inspect):
        step, place = divmod(micro_step, accumulation)
        first = first if place else 0
        batch = _fed_batch(family, pictures.feed, folder, micro_step=micro_step, step=step, first=first)
        first += len(batch.pictures)
        batches.append(batch)
    rows = [asdict(batch) for batch in batches]
    write_json(folder / "batches.json", {"schema": SCHEMA, "skipped": pictures.skipped, "batches": rows})
    return folder


def _fed_batch(
    family: ModelFamily, feed: Feed, folder: Path, *, micro_step: int, step: int, first: int
) -> FedBatch:
    """One batch; `first` is the position of its first picture within the optimizer step."""
    indices = feed.pictures_at(micro_step)
    samples = range(first, first + len(indices))
    batch = feed.load(indices, micro_step=micro_step, step=step, samples=samples)
    captions = feed.captions(indices, micro_step=micro_step, step=step, samples=samples)
    images = to_images(family.decode_latents(batch.mean))
    rows = []
    for place, (index, image, caption) in enumerate(zip(indices, images, captions, strict=True)):
        picture, file = feed.data.pictures[index], f"b{micro_step:03d}_p{place:02d}.png"
        image.save(folder / file)
        rows.append(
            FedPicture(
                file=file,
                source=str(picture.path),
                caption=caption,
                is_reg=picture.is_reg,
                weight=float(batch.weights[place]),
            )
        )
    width, height = feed.data.bucket_of[indices[0]]
    return FedBatch(step=step + 1, width=width, height=height, pictures=rows)
