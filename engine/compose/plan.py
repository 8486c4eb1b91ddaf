"""What a run is going to do, in numbers: made by preflight, printed before training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.compose.checkpoint import Layer
from engine.compose.memory import MemoryEstimate
from engine.compose.prompts import Drawing, drawing_line
from engine.compose.show import show
from engine.config import (
    LoRAConfig,
    MixedPrecision,
    RunConfig,
    effective_alpha,
)
from engine.config.sources import Sources
from engine.data.buckets import BucketChoice
from engine.data.scan import Scan
from engine.models.layer_words import LayerChoice
from engine.optimizers.table import adapts_lr

if TYPE_CHECKING:
    from rich.console import Console

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
    memory: MemoryEstimate  # at the peak of training
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
        ("memory", _memory(plan.memory)),
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
        others = f" ({', '.join(run.network.ranks)})" if run.network.ranks else ""
        words = f"LoRA, rank {run.network.rank}{others}, alpha {show(effective_alpha(run.network))}: "
    return f"{words}{plan.num_parameters:,} parameters on {plan.num_layers} layers"


def _optimizer(run: RunConfig) -> str:
    optimizer = run.optimizer
    of_text = "" if optimizer.text_lr is None else f" ({show(optimizer.text_lr)} for text encoders)"
    text = f"{optimizer.class_path}, lr {show(optimizer.lr)}{of_text} {run.lr_schedule.kind.name}"
    if isinstance(run.network, LoRAConfig) and run.network.learning_rates:
        text += f", times {', '.join(run.network.learning_rates)}"
    if adapts_lr(optimizer.class_path) and optimizer.lr != 1.0:
        text += " (it finds its own step size and scales it by lr: 1.0 is usual)"
    return text


def _cache(run: RunConfig, plan: Plan) -> str:
    if plan.cached_files == 0:
        return f"{run.cache_dir}: empty"
    return f"{run.cache_dir}: {plan.cached_files} entries of earlier runs, {_size(plan.cached_bytes)}"


def _memory(memory: MemoryEstimate) -> str:
    parts = (
        f"{_size(memory.base)} of frozen weights, {_size(memory.network)} for the LoRA and its optimizer, "
        f"{_size(memory.activations)} of activations"
    )
    before = "; more before it, for text encoders and VAE" if memory.peak == memory.encoding else ""
    return f"about {_size(memory.peak)} beside the libraries: {parts}{before}"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / _MEGABYTE:.0f} MB"


def _precision(run: RunConfig) -> str:
    precision = run.training.mixed_precision
    return "float32" if precision is MixedPrecision.no else precision.name


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
