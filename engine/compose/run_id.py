"""Which run this is: a hash of the settings that change the weights, and the folder named after it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path, PurePath

from engine.config import DEMO_CONCEPTS, LoRAConfig, RunConfig, effective_alpha, given_pictures

# Not part of a run's identity: a section ("sampling") or one option. All others change the weights.
EXCLUDED: tuple[str, ...] = (
    "name",  # what the run is called
    "output_dir",  # where its files lie
    "cache_dir",
    "dry_run",  # whether it runs at all
    "inspect",
    "force",
    "model.name",
    "model.resolution",  # recipe values that count only where another option takes them
    "model.bucket_step",
    "model.default_lr",
    "model.default_steps",
    "model.default_layers",
    "model.default_alpha_ratio",
    "model.default_batch_size",
    "model.default_guidance",
    "model.default_precision",
    "model.default_gradient_checkpointing",
    "model.default_sampler",
    "model.default_sampling_steps",
    "model.encoder",
    "model.image_encoder",
    "network.alpha_ratio",  # alpha stands for both
    "dataset.cache_in",  # the same numbers, wherever they are kept
    "dataset.trigger",  # words for the scores
    "dataset.class_word",
    "training.gradient_checkpointing",  # the same gradients for less memory: a run may go on with it
    "training.workers",  # what is read does not depend on who reads it
    "training.validate_every",  # looking on does not disturb: its draws are its own
    "training.validation_images",
    "training.validation_timesteps",
    "training.checkpoint_every",
    "training.save_every",  # files on the way; the weights go their way all the same
    "training.save_every_epochs",
    "training.keep_saves",
    "sampling",
    "evaluation",
    "tracking",
    "files",
    "memory.blocks_to_swap",
    "memory.unload_encoders",  # where weights wait does not change them
)

# Options that came after the first release of ids: left out at their default, so that known runs keep theirs.
ADDED: tuple[str, ...] = (
    "model.vae",
    "model.clip_l",
    "model.clip_g",
    "model.t5xxl",
    "model.qwen3",
    "model.tokenizers",
    "model.t5_token_length",
    "model.t5_attention_mask",
    "model.clip_l_dropout",
    "model.clip_g_dropout",
    "model.t5_dropout",
    "model.guidance",
    "model.zero_terminal_snr",
    "model.default_timesteps",
    "model.default_timestep_shift",
    "network.include",
    "network.exclude",
    "network.ranks",
    "network.learning_rates",
    "noise.timesteps",
    "noise.timestep_scale",
    "noise.timestep_mean",
    "noise.mode_scale",
    "loss.flow_weighting",
    "noise.timestep_shift",
    "network.init_from",
    "memory.quantize",
    "memory.vae_slicing",  # last bits of latents of several pictures
    "memory.vae_tiling",
    "optimizer.text_lr",
)


def run_id(run: RunConfig) -> str:
    """8 hexadecimal digits; equal for runs whose settings mean the same weights."""
    text = json.dumps(identity(run), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_folder(run: RunConfig) -> Path:
    """output_dir/<name>-<run_id>."""
    return Path(run.output_dir) / f"{run.name}-{run_id(run)}"


def identity(run: RunConfig) -> dict[str, object]:
    """What the hash is taken of: {path: value}, with defaults that null stands for filled in."""
    values = dict(_flat(plain_values(run), ""))
    if isinstance(run.network, LoRAConfig):
        values["network.alpha"] = effective_alpha(run.network)
    if run.training.steps is None and run.training.epochs is None:
        values["training.steps"] = run.model.default_steps
    if given_pictures(run.dataset) is None:
        values["dataset.concept"] = run.dataset.concept or DEMO_CONCEPTS[0]
    for key, name in (("path", run.dataset.path), ("config_file", run.dataset.config_file)):
        if name is not None:
            values[f"dataset.{key}"] = PurePath(name).as_posix()
    if isinstance(run.network, LoRAConfig) and run.network.init_from is not None:
        values["network.init_from"] = PurePath(str(run.network.init_from)).as_posix()
    if run.model.checkpoint is not None:
        values["model.checkpoint"] = PurePath(run.model.checkpoint).as_posix()
    values["network.layers"] = sorted(group.name for group in run.network.layers)
    values["network.include"] = sorted(run.network.include)
    values["network.exclude"] = sorted(run.network.exclude)
    before = dict(_flat(plain_values(RunConfig()), ""))
    kept = {
        path: value
        for path, value in values.items()
        if not is_excluded(path) and not (path in ADDED and value == before[path])
    }
    return {path: _number(value) for path, value in kept.items()} | {"network": type(run.network).__name__}


def is_excluded(path: str) -> bool:
    """Whether an option is named in EXCLUDED, by itself or by its section."""
    return any(path == entry or path.startswith(f"{entry}.") for entry in EXCLUDED)


def plain_values(run: RunConfig) -> dict[str, object]:
    """The run as nested dicts of strings, numbers, lists and None: what JSON and YAML can hold."""
    values = _plain(run)
    assert isinstance(values, dict), "a run is a mapping"
    return values


def _plain(value: object) -> object:
    """As OmegaConf.to_container(structured(value), enum_to_str=True), which takes 20 ms for a run."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _flat(node: Mapping[str, object], prefix: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in node.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _number(value: object) -> object:
    """1.0 and 1 are one value."""
    if isinstance(value, list):
        return [_number(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
