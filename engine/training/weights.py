"""The weights file of a run: what a person takes away."""

from pathlib import Path

import torch

from engine.config import (
    LayerGroup,
    LoRAConfig,
    RunConfig,
    dataset_size,
    effective_alpha,
    trained_text,
)
from engine.networks.diffusers_names import UNREAD_BY_DIFFUSERS, diffusers_state
from engine.networks.files import TrainingFacts, kohya_version, lora_metadata, read_lora, save_lora
from engine.networks.lora import LoRANetwork


def weights_path(run: RunConfig, folder: Path) -> Path:
    """<run folder>/<name>.safetensors."""
    return folder / f"{run.name}.safetensors"


def save_weights(run: RunConfig, network: LoRANetwork, *, folder: Path, steps: int) -> Path:
    """Write the network as kohya's scripts, diffusers, ComfyUI and A1111 read it, in float32."""
    path = weights_path(run, folder)
    write_weights(path, run, network, steps=steps, total_steps=steps)
    save_diffusers_weights(run, network, folder=folder)
    return path


def save_diffusers_weights(run: RunConfig, network: LoRANetwork, *, folder: Path) -> None:
    """Write the file in diffusers' names, where one is asked for."""
    path = diffusers_path(run, folder)
    if path is not None:
        save_lora(path, diffusers_state(network), {"format": "pt"}, dtype=torch.float32)


def diffusers_path(run: RunConfig, folder: Path) -> Path | None:
    """<run folder>/<name>.diffusers.safetensors; None where none is asked for."""
    wanted = run.files.diffusers_names
    if wanted is None:
        wanted = run.model.family in UNREAD_BY_DIFFUSERS
    return folder / f"{run.name}.diffusers.safetensors" if wanted else None


def write_weights(path: Path, run: RunConfig, network: LoRANetwork, *, steps: int, total_steps: int) -> None:
    """Write the network as it is after so many of a run's steps."""
    metadata = lora_metadata(_facts(run, steps)) | {"ss_max_train_steps": str(total_steps)}
    save_lora(path, network.state(), metadata, dtype=torch.float32)


def load_weights(run: RunConfig, network: LoRANetwork, *, folder: Path) -> Path:
    """Read the run's own file back into its network."""
    path = weights_path(run, folder)
    network.load_state(read_lora(path).state)
    return path


def _facts(run: RunConfig, steps: int) -> TrainingFacts:
    network = run.network
    assert isinstance(network, LoRAConfig)
    text_lr = run.optimizer.lr if run.optimizer.text_lr is None else run.optimizer.text_lr
    return TrainingFacts(
        output_name=run.name,
        base_model_version=kohya_version(run.model.family, run.model.prediction),
        base_model_name=run.model.checkpoint or run.model.name,
        rank=network.rank,
        alpha=effective_alpha(network),
        dropout=network.dropout,
        steps=steps,
        learning_rate=run.optimizer.lr,
        optimizer=run.optimizer.class_path,
        lr_schedule=run.lr_schedule.kind.value,
        batch_size=run.dataset.batch_size,
        resolution=dataset_size(run.dataset),
        seed=run.seed,
        noise_offset=run.noise.offset,
        min_snr_gamma=run.loss.min_snr_gamma,
        mixed_precision=run.training.mixed_precision.value,
        convolutions=LayerGroup.convolutions in network.layers,
        ranks=tuple(network.ranks),
        text_learning_rate=text_lr if trained_text(network) else None,
    )
