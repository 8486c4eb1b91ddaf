"""What a run is going to do, in numbers: made by preflight, printed before training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.compose.checkpoint import Checkpoint, Layer
from engine.compose.prompts import Drawing, drawing_line
from engine.compose.show import show
from engine.config import (
    DatasetConfig,
    LoRAConfig,
    MixedPrecision,
    RunConfig,
    dataset_size,
    effective_alpha,
)
from engine.config.sources import Sources
from engine.data.buckets import BucketChoice
from engine.data.scan import Scan
from engine.models.layer_words import LayerChoice
from engine.optimizers.table import adapts_lr

if TYPE_CHECKING:
    from rich.console import Console

_TRAINED_BYTES = 16  # a number's weight, gradient and two moments of Adam, float32
_MEGABYTE = 1e6
_SMALL_ERROR = 0.0005  # of width / height: nothing that is cut off could be seen


@dataclass(kw_only=True, slots=True, frozen=True)
class Plan:
    """Everything about a run that is known before a weight is loaded."""

    run_id: str
    folder: Path  # output_dir/<name>-<run_id>
    sources: Sources
    checkpoint: Path  # the base model's folder
    scan: Scan  # the pictures
    choices: tuple[BucketChoice, ...]  # how each is cut, in the order of scan.pictures
    batches_per_epoch: int
    steps_per_epoch: int  # optimizer steps
    total_steps: int
    num_layers: int  # layers that are adapted
    num_parameters: int  # numbers that are trained
    memory_bytes: int  # an estimate, within a factor of two
    drawing: Drawing  # the prompts of its pictures
    device: str
    threads: int
    cached_files: int  # entries in cache_dir from earlier runs
    cached_bytes: int
    notes: tuple[str, ...] = ()  # what a user may not expect


def num_parameters(choices: Sequence[LayerChoice[Layer]]) -> int:
    """Numbers in the pairs of matrices: rank x (inputs x kernel area + outputs), summed over the layers."""
    total = 0
    for choice in choices:
        outputs, inputs, *kernel = choice.layer.shape
        area = kernel[0] * kernel[1] if kernel else 1
        total += choice.rank * (inputs * area + outputs)
    return total


def estimate_memory(
    run: RunConfig, checkpoint: Checkpoint, layers: list[Layer], *, trained: int, scan: Scan
) -> int:
    """Bytes at the peak of training: base weights, trained numbers with their state, kept activations.

    Activations: each adapted layer keeps about three tensors of its output's size; a layer of block i
    works on latents halved i times.
    """
    latents = max(_batch_pixels(subset.config) for subset in scan.subsets) / checkpoint.latent_factor**2
    width = 4 if run.training.mixed_precision is MixedPrecision.no else 2
    kept = sum(layer.shape[0] / 4 ** _depth(layer.name) for layer in layers)
    activations = 3 * kept * latents * width
    if run.training.gradient_checkpointing:
        activations /= 4
    return round(checkpoint.num_values * width + trained * _TRAINED_BYTES + activations)


def _batch_pixels(dataset: DatasetConfig) -> int:
    width, height = dataset_size(dataset)
    return width * height * dataset.batch_size


def print_plan(run: RunConfig, plan: Plan, console: "Console") -> None:
    """The plan in about ten lines."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for label, text in plan_lines(run, plan):
        table.add_row(f"[bold]{label}[/bold]", _escaped(text))
    console.print(table)


def plan_lines(run: RunConfig, plan: Plan) -> list[tuple[str, str]]:
    """(label, text) of each line of the printed plan."""
    accumulation = run.training.gradient_accumulation
    sizes = sorted({subset.config.batch_size for subset in plan.scan.subsets})
    batch = f"batches of {' or '.join(map(str, sizes))}" + (f" x {accumulation}" if accumulation > 1 else "")
    lines = [
        ("model", f"{run.model.name}: {run.model.checkpoint}"),
        ("pictures", _pictures(plan)),
        ("buckets", _buckets(plan)),
        ("steps", f"{plan.total_steps} in all, {plan.steps_per_epoch} an epoch, {batch}"),
        ("network", _network(run, plan)),
        ("optimizer", _optimizer(run)),
        ("drawing", drawing_line(run, plan.drawing)),
        ("cache", _cache(run, plan)),
        ("memory", f"about {_size(plan.memory_bytes)} beside the libraries"),
        (
            "device",
            f"{plan.device}, {plan.threads} threads, {_precision(run)}",
        ),
        ("run folder", str(plan.folder)),
    ]
    return lines + [("note", note) for note in plan.notes]


def _pictures(plan: Plan) -> str:
    repeats = sorted({picture.repeats for picture in plan.scan.pictures if not picture.held_out})
    words = "" if repeats == [1] else f", each {' or '.join(map(str, repeats))} times an epoch"
    num_reg = sum(picture.is_reg for picture in plan.scan.pictures)
    reg = f", and {num_reg} for regularisation" if num_reg else ""
    num_held = sum(picture.held_out for picture in plan.scan.pictures)
    held = f", {num_held} more held out for the validation loss" if num_held else ""
    num_learnt = len(plan.scan.pictures) - num_reg - num_held
    return f"{num_learnt} in {plan.sources.pictures}{held}{reg}{words}"


def _buckets(plan: Plan) -> str:
    counts = Counter(choice.bucket for choice in plan.choices)
    shown = [f"{width}x{height}: {count}" for (width, height), count in sorted(counts.items())]
    listed = ", ".join(shown[:8]) + (f", and {len(shown) - 8} more" if len(shown) > 8 else "")
    errors = [abs(choice.aspect_error) for choice in plan.choices]
    if max(errors) < _SMALL_ERROR:
        return listed
    return f"{listed}; aspect error {sum(errors) / len(errors):.3f} on average, {max(errors):.3f} at most"


def _network(run: RunConfig, plan: Plan) -> str:
    words = ""
    if isinstance(run.network, LoRAConfig):
        words = f"LoRA, rank {run.network.rank}, alpha {show(effective_alpha(run.network))}"
        words += "".join(f", {entry}" for entry in run.network.ranks) + ": "
    return f"{words}{plan.num_parameters:,} parameters on {plan.num_layers} layers"


def _optimizer(run: RunConfig) -> str:
    optimizer = run.optimizer
    text = f"{optimizer.class_path}, lr {show(optimizer.lr)} {run.lr_schedule.kind.name}"
    if adapts_lr(optimizer.class_path) and optimizer.lr != 1.0:
        text += " (it finds its own step size and scales it by lr: 1.0 is usual)"
    return text


def _cache(run: RunConfig, plan: Plan) -> str:
    if plan.cached_files == 0:
        return f"{run.cache_dir}: empty"
    return f"{run.cache_dir}: {plan.cached_files} entries of earlier runs, {_size(plan.cached_bytes)}"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / _MEGABYTE:.0f} MB"


def _depth(name: str) -> int:
    """How often latents were halved on their way to a layer, read from its name."""
    parts = name.split(".")
    if parts[0] == "down_blocks":
        return int(parts[1])
    return 3 - int(parts[1]) if parts[0] == "up_blocks" else 3


def _precision(run: RunConfig) -> str:
    precision = run.training.mixed_precision
    return "float32" if precision is MixedPrecision.no else precision.name


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
