"""The first batches of a run as its steps would be fed them, in pictures and words; nothing is trained."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console

from engine.compose.plan import Plan
from engine.config import RunConfig
from engine.data.json_file import write_json
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.models.precision import model_dtype
from engine.sampling.draw import to_images
from engine.training.clock import Clock
from engine.training.feed import Fed, Feed
from engine.training.parts import load_pictures
from engine.training.step import Batch

SCHEMA = 1


@dataclass(kw_only=True, slots=True, frozen=True)
class FedPicture:
    """One picture of a batch."""

    file: str  # the latents that are trained on, decoded: below inspect/
    source: str  # the file that it is read from
    mask: str | None  # a file as large as the picture: white counts; None: all of it does
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
    length = len(pictures.feed.reader)
    batches = [
        _fed_batch(family, pictures.feed, fed, folder)
        for fed in pictures.feed.batches(0, min(run.inspect, length))
    ]
    rows = [asdict(batch) for batch in batches]
    write_json(folder / "batches.json", {"schema": SCHEMA, "skipped": pictures.skipped, "batches": rows})
    return folder


def _fed_batch(family: ModelFamily, feed: Feed, fed: Fed, folder: Path) -> FedBatch:
    """Decode one batch and write its pictures and masks."""
    data, read, batch = feed.reader.data, fed.read, fed.batch
    images = to_images(family.decode_latents(batch.mean))
    rows = []
    for place, (index, image) in enumerate(zip(read.pictures, images, strict=True)):
        picture, name = data.pictures[index], f"b{read.micro_step:03d}_p{place:02d}"
        image.save(folder / f"{name}.png")
        rows.append(
            FedPicture(
                file=f"{name}.png",
                source=str(picture.path),
                mask=_save_mask(batch, place, folder / f"{name}_mask.png", size=image.size),
                caption=read.captions[place],
                is_reg=picture.is_reg,
                weight=float(batch.weights[place]),
            )
        )
    width, height = data.choices[read.pictures[0]].bucket
    return FedBatch(step=read.step + 1, width=width, height=height, pictures=rows)


def _save_mask(batch: Batch, place: int, file: Path, *, size: tuple[int, int]) -> str | None:
    """The name of the file; None where all of the picture counts."""
    if batch.mask is None or bool((batch.mask[place] == 1).all()):
        return None
    mask = Image.fromarray((batch.mask[place, 0] * 255).round().to(torch.uint8).numpy())
    mask.resize(size, Image.Resampling.NEAREST).save(file)
    return file.name
