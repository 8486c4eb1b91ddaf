"""Makes the plan of a run from its pictures and the headers of its checkpoint."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from engine.compose.checkpoint import read_checkpoint
from engine.compose.checkpoint_settings import level_notes, recipe_notes
from engine.compose.device import imitates_bf16, memory_of_gpu, num_threads, visible_device
from engine.compose.memory import estimate_memory
from engine.compose.memory_advice import memory_advice
from engine.compose.plan import Plan, num_parameters
from engine.compose.prompts import drawing_notes, plan_drawing
from engine.compose.run_id import run_folder, run_id
from engine.compose.sources import lacks_recipe_encoder, lacks_recipe_image_encoder
from engine.compose.weighted_captions import weight_notes, weight_problems
from engine.config import ConfigError, LoRAConfig, MixedPrecision, RunConfig
from engine.config.sources import Sources
from engine.data.batches import batch_groups
from engine.data.buckets import BucketChoice, buckets_of, choose_bucket
from engine.data.cache_folder import stat_of
from engine.data.repeats import batches_per_epoch, steps_per_epoch, total_steps
from engine.data.scan import Scan
from engine.models.layer_words import choose_layers

_LARGEST_SCALE = 2.0  # a picture that is enlarged more than this is named
_NUM_NAMED = 5


def make_plan(run: RunConfig, sources: Sources, scan: Scan) -> Plan:
    """The plan; raises ConfigError with everything in the pictures or the model that prevents the run."""
    if scan.problems:
        raise ConfigError(scan.problems)
    drawing = plan_drawing(run, sources, scan)
    where = drawing.title if sources.prompts is None else str(sources.prompts)
    if problems := weight_problems(run, scan, prompts=drawing.prompts, where=where):
        raise ConfigError(problems)
    checkpoint = read_checkpoint(run.model)
    assert isinstance(run.network, LoRAConfig), "the only kind of network so far"
    adapted = choose_layers(run.network, run.model.family, checkpoint.layers)
    layers = [choice.layer for choice in adapted]
    choices = choose_buckets(scan)
    num_batches = batches_per_epoch(
        batch_groups(scan.pictures, [choice.bucket for choice in choices]),
        [picture.repeats for picture in scan.pictures],
    )
    steps = _total_steps(run, num_batches)
    an_epoch = steps_per_epoch(num_batches, gradient_accumulation=run.training.gradient_accumulation)
    _check_warmup(run, steps)
    trained = num_parameters(adapted)
    device = visible_device(run.training.device) or run.training.device
    factor = checkpoint.latent_factor
    memory_of = partial(
        estimate_memory, trained=trained, scan=scan, choices=choices, latent_factor=factor, device=device
    )
    cached = _cache_files(Path(run.cache_dir))
    return Plan(
        run_id=run_id(run),
        folder=run_folder(run),
        sources=sources,
        checkpoint=checkpoint.folder,
        scan=scan,
        choices=choices,
        batches_per_epoch=num_batches,
        steps_per_epoch=an_epoch,
        total_steps=steps,
        num_layers=len(layers),
        num_parameters=trained,
        memory=memory_of(run),
        device=device,
        threads=num_threads(run.training.threads),
        cached_files=len(cached),
        cached_bytes=sum(cached),
        drawing=drawing,
        notes=(
            *_notes(scan, run),
            *_idle_saves(run, steps, an_epoch),
            *drawing_notes(run, drawing),
            *weight_notes(run, scan),
            *_enlarged(scan, choices),
            *_precision_notes(run, device),
            *memory_advice(run, memory_of, capacity=memory_of_gpu(device)),
        ),
    )


def choose_buckets(scan: Scan) -> tuple[BucketChoice, ...]:
    """How each picture is cut, by the options of its data set."""
    buckets = {id(subset): buckets_of(subset.config) for subset in scan.subsets}
    return tuple(
        choose_bucket(picture.width, picture.height, buckets[id(picture.subset)]) for picture in scan.pictures
    )


def _precision_notes(run: RunConfig, device: str) -> list[str]:
    if run.training.mixed_precision is not MixedPrecision.bf16 or not imitates_bf16(device):
        return []
    return [
        "training.mixed_precision=bf16: this GPU has no bfloat16 of its own and imitates it slowly. "
        "Try training.mixed_precision=fp16"
    ]


def _total_steps(run: RunConfig, num_batches: int) -> int:
    training = run.training
    if training.epochs is not None:
        accumulation = training.gradient_accumulation
        return total_steps(num_batches, epochs=training.epochs, gradient_accumulation=accumulation)
    return run.model.default_steps if training.steps is None else training.steps


def _check_warmup(run: RunConfig, steps: int) -> None:
    """The rule on warm-ups again, for a run whose length is known only now."""
    warmup = run.lr_schedule.warmup
    if run.training.epochs is not None and warmup >= steps:
        raise ConfigError(
            f"lr_schedule.warmup={warmup:g}: {run.training.epochs} epochs are {steps} steps here, "
            "and the run would never leave the warm-up. Give fewer steps, or a share below 1."
        )


def _cache_files(folder: Path) -> list[int]:
    """Bytes of each of the latents and text embeddings that earlier runs left."""
    files = (
        file
        for file in folder.rglob("*.safetensors")
        if not file.relative_to(folder).parts[0].startswith("demo")
    )
    return [stat.st_size for file in files if (stat := stat_of(file)) is not None]


def _enlarged(scan: Scan, choices: Sequence[BucketChoice]) -> list[str]:
    """Pictures too small for the resolution, by name."""
    names = [
        f"{scan.name(picture)} ({picture.width}x{picture.height}, {choice.scale:.1f}x)"
        for picture, choice in zip(scan.pictures, choices, strict=True)
        if choice.scale > _LARGEST_SCALE
    ]
    if not names:
        return []
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return [f"enlarged more than twice, and soft for it: {', '.join(names[:_NUM_NAMED])}{more}"]


def _idle_saves(run: RunConfig, steps: int, an_epoch: int) -> list[str]:
    """That weights on the way are asked for, and none can come: those of the last step are the run's file."""
    training = run.training
    every, epochs = training.save_every, training.save_every_epochs
    if every == epochs == 0 or (every or epochs * an_epoch) < steps:
        return []
    asked = f"training.save_every={every}" if every else f"training.save_every_epochs={epochs}"
    length = f"{steps} steps" if every else f"{steps} steps, an epoch {an_epoch}"
    return [f"{asked} writes nothing on the way: the run has {length}, and its last weights are its own file"]


def _notes(scan: Scan, run: RunConfig) -> list[str]:
    notes = [*scan.notes, *level_notes(run.model), *recipe_notes(run.model)]
    if len(scan.captions_by_ending) > 1:
        counts = ", ".join(f"{count} {ending}" for ending, count in scan.captions_by_ending.items())
        notes.append(f"captions come from files of several endings: {counts}")
    if run.evaluation.enabled and lacks_recipe_encoder(run):
        encoder = run.evaluation.encoder
        notes.append(
            f"adherence and likeness will not be scored: {encoder} is not on this machine. "
            f'Run: hf download {encoder} --include "*.json" --include "*.txt" --include "*.safetensors", '
            "or give evaluation.encoder=DIR"
        )
    elif run.evaluation.enabled and lacks_recipe_image_encoder(run):
        encoder, other = run.evaluation.image_encoder, run.evaluation.encoder or "the demo's encoder"
        notes.append(
            f"likeness will be scored by {other}: {encoder} is not on this machine. "
            f"Run: hf download {encoder}, or give evaluation.image_encoder=DIR"
        )
    if run.sampling.num_prompts == 0:
        notes.append("no pictures will be drawn: sampling.num_prompts=0")
    return notes
