"""A stage of the build that can be stopped at any moment: train steps, checkpoint, resume, log."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

State = dict[str, object]


class Trainee(Protocol):
    """What a stage trains; a step's randomness depends on its index alone, so that resuming is exact."""

    def step(self, index: int) -> float:
        """Do one optimizer step and return its loss."""
        ...

    def state(self) -> State:
        """Everything that the next step needs, as torch.save can write it and read it with weights_only."""
        ...

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        ...


@dataclass(frozen=True, slots=True)
class Log:
    """The build log: one JSON object a line, appended."""

    path: Path

    def write(self, stage: str, **figures: float | int | str) -> None:
        """Append one line and show it."""
        line = json.dumps({"stage": stage, **figures})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)


def train(
    trainee: Trainee, *, name: str, num_steps: int, checkpoint: Path, log: Log, save_seconds: float = 60.0
) -> None:
    """Run the steps that the checkpoint has not seen, checkpointing every `save_seconds` and at the end."""
    first, seconds = _resume(trainee, checkpoint)
    began = saved = time.monotonic()
    losses: list[float] = []
    for index in range(first, num_steps):
        losses.append(trainee.step(index))
        now = time.monotonic()
        if now - saved >= save_seconds or index == num_steps - 1:
            spent = seconds + now - began
            state: State = {"step": index + 1, "seconds": spent, **trainee.state()}
            write_atomically(checkpoint, partial(torch.save, state))
            log.write(name, step=index + 1, loss=round(sum(losses) / len(losses), 5), seconds=round(spent, 1))
            saved, losses = now, []


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    temporary.chmod(0o644)  # safetensors would leave it readable by its owner only
    temporary.replace(path)


def save_weights(weights: dict[str, Tensor], path: Path) -> None:
    """Write the tensors as safetensors, atomically, floats in fp16."""
    half = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in weights.items()
    }
    write_atomically(path, lambda temporary: save_file(half, temporary, metadata={"format": "pt"}))


def cosine(index: int, *, num_steps: int, flat: float = 0.0, warmup: int = 20) -> float:
    """A factor for the learning rate: warm-up, flat for the share `flat` of the steps, then a cosine to 0."""
    if index < warmup:
        return (index + 1) / warmup
    share = max(0.0, index / num_steps - flat) / (1.0 - flat)
    return float(0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * share)))


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's learning rate to its initial one times the factor."""
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * factor


def _resume(trainee: Trainee, checkpoint: Path) -> tuple[int, float]:
    if not checkpoint.exists():
        return 0, 0.0
    state: State = torch.load(checkpoint, weights_only=True, map_location="cpu")
    step, seconds = state.pop("step"), state.pop("seconds")
    assert isinstance(step, int) and isinstance(seconds, float)
    trainee.load_state(state)
    return step, seconds
