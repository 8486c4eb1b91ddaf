"""LoRA files: .safetensors with kohya's keys and metadata, the same bytes for the same run."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from engine.config import Family, Prediction
from engine.models.facts import FAMILIES
from engine.networks.kohya_names import ALPHA

_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
_KOHYA_MODULES = {  # kohya's word for the family -> its module that makes such files
    "flux1": "networks.lora_flux",
    "sd3": "networks.lora_sd3",
    "anima": "networks.lora_anima",
}
_LEGACY_START, _LEGACY_LENGTH = 0x100000, 0x10000  # bytes of a file that the old hash reads


@dataclass(kw_only=True, slots=True, frozen=True)
class LoRAFile:
    """What a LoRA file holds."""

    state: dict[str, Tensor]  # kohya keys
    metadata: dict[str, str]


@dataclass(kw_only=True, slots=True, frozen=True)
class TrainingFacts:
    """What a LoRA file tells about how it was made; nothing of the data, nothing of the time."""

    output_name: str  # the file's name without ending
    base_model_version: str  # of kohya_version: "sd_v1"
    base_model_name: str  # the folder's or file's own name, without its path
    rank: int
    alpha: float
    dropout: float
    steps: int
    learning_rate: float
    optimizer: str  # class path
    lr_schedule: str
    batch_size: int
    resolution: tuple[int, int]  # width, height
    seed: int
    noise_offset: float
    min_snr_gamma: float | None
    mixed_precision: str
    convolutions: bool  # whether kxk convolutions are adapted (kohya's conv_dim)
    ranks: tuple[str, ...] = ()  # "where: rank" of layers that have another
    text_learning_rate: float | None = None  # None: no text encoder was trained


def kohya_version(family: Family, prediction: Prediction) -> str:
    """ss_base_model_version: kohya's word for the family; it tells v models of SD 1 and 2 apart, of SDXL not.

    Source: sd-scripts 0.10.1, library/model_util.py, get_model_version_str_for_sd1_sd2.
    """
    ending = "_v" if family in (Family.sd1, Family.sd2) and prediction is Prediction.v else ""
    return FAMILIES[family].kohya_version + ending


def lora_metadata(facts: TrainingFacts) -> dict[str, str]:
    """The ss_ entries of a LoRA file, named and written as kohya's; every value is a string."""
    values: dict[str, object] = {
        "ss_base_model_version": facts.base_model_version,
        "ss_batch_size_per_device": facts.batch_size,
        "ss_learning_rate": facts.learning_rate,
        "ss_lr_scheduler": facts.lr_schedule,
        "ss_max_train_steps": facts.steps,
        "ss_min_snr_gamma": facts.min_snr_gamma,
        "ss_mixed_precision": facts.mixed_precision,
        "ss_network_alpha": facts.alpha,
        "ss_network_dim": facts.rank,
        "ss_network_dropout": facts.dropout or None,
        "ss_network_module": _KOHYA_MODULES.get(facts.base_model_version, "networks.lora"),
        "ss_noise_offset": facts.noise_offset or None,
        "ss_optimizer": facts.optimizer,
        "ss_output_name": facts.output_name,
        "ss_resolution": facts.resolution,
        "ss_sd_model_name": Path(facts.base_model_name).name,
        "ss_seed": facts.seed,
        "ss_steps": facts.steps,
        "ss_v2": facts.base_model_version.startswith("sd_v2"),
    }
    if facts.text_learning_rate is not None:
        values["ss_text_encoder_lr"] = facts.text_learning_rate
    arguments: dict[str, str] = {}
    if facts.ranks:
        arguments["ranks"] = ",".join(facts.ranks)  # our own word: kohya gives ranks by block
    elif facts.convolutions:
        arguments = {"conv_dim": str(facts.rank), "conv_alpha": str(facts.alpha)}
    if arguments:
        values["ss_network_args"] = json.dumps(arguments)
    return {key: str(value) for key, value in values.items()}


def save_lora(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], *, dtype: torch.dtype
) -> None:
    """Write the file, atomically, and with kohya's two hashes added to the metadata.

    state  kohya keys; the matrices are stored as dtype, alpha stays float32 (half would round 5.3)
    dtype  torch.float16, torch.bfloat16 or torch.float32
    """
    stored = {key: _stored(key, tensor, dtype) for key, tensor in state.items()}
    model_hash, legacy_hash = file_hashes(stored, metadata)
    hashes = {"sshs_model_hash": model_hash, "sshs_legacy_hash": legacy_hash}
    _write_atomically(path, _file_parts(stored, {**metadata, **hashes}))


def read_lora(path: Path) -> LoRAFile:
    """Read a LoRA file of ours or of kohya's (whose alpha may be an int64)."""
    with safe_open(path, framework="pt") as file:
        state = {key: file.get_tensor(key) for key in sorted(file.keys())}
        return LoRAFile(state=state, metadata=dict(file.metadata() or {}))


def file_hashes(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> tuple[str, str]:
    """(sshs_model_hash, sshs_legacy_hash) of tensors as they will be stored.

    The first is sha256 of the tensor bytes; the second 8 digits of sha256 over 64 KiB at 1 MiB of a file with
    the ss_ entries alone (nothing of files under 1 MiB: e3b0c442, as kohya writes it too).
    Source: sd-scripts 0.10.1, precalculate_safetensors_hashes.
    """
    training = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    header, *tensors = _file_parts(state, training)
    whole, window = hashlib.sha256(), hashlib.sha256()
    position = len(header)
    window.update(header[_LEGACY_START : _LEGACY_START + _LEGACY_LENGTH])
    for part in tensors:
        whole.update(part)
        start = max(_LEGACY_START - position, 0)
        window.update(part[start : max(_LEGACY_START + _LEGACY_LENGTH - position, 0)])
        position += len(part)
    return whole.hexdigest(), window.hexdigest()[:8]


def _stored(key: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    wanted = torch.float32 if key.endswith(f".{ALPHA}") else dtype
    return tensor.detach().to("cpu", wanted).contiguous()


def _file_parts(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes]:
    """The header, then each tensor's bytes: widest dtype first, then by name, as safetensors orders them."""
    keys = sorted(state, key=lambda key: (-state[key].itemsize, key))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for key in keys:
        tensor = state[key]
        span = [end, end + tensor.numel() * tensor.itemsize]
        header[key] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        end = span[1]
    # sorted, where the library writes metadata in random order; the format asks for a multiple of 8 bytes
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for key in keys:
        yield state[key].reshape(-1).view(torch.uint8).numpy().tobytes()


def _write_atomically(path: Path, parts: Iterable[bytes]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
