"""A base model, loaded once in a process and kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError

from engine.config import ConfigError, Family, ModelConfig, Quantize
from engine.models.anima import load_anima
from engine.models.facts import FAMILIES
from engine.models.family import ModelFamily
from engine.models.fingerprint import Fingerprints, model_fingerprints
from engine.models.flux import load_flux
from engine.models.locate import find_checkpoint
from engine.models.parts import PartsFolder, PartsSource
from engine.models.places import find_places, lies_in_parts
from engine.models.quantize import QuantizingSource
from engine.models.quiet import quiet_loading
from engine.models.sd1 import load_sd1
from engine.models.sd2 import load_sd2
from engine.models.sd3 import load_sd3
from engine.models.sdxl import load_sdxl
from engine.models.single_file import SingleFile

Loader = Callable[..., ModelFamily]
LOADERS: dict[Family, Loader] = {
    Family.sd1: load_sd1,
    Family.sd2: load_sd2,
    Family.sdxl: load_sdxl,
    Family.sd3: load_sd3,
    Family.flux: load_flux,
    Family.anima: load_anima,
}

_loaded: dict[tuple[str, str, str], ModelFamily] = {}


def load_family(
    config: ModelConfig,
    *,
    device: torch.device,
    dtype: torch.dtype,
    quantize: Quantize = Quantize.none,
) -> ModelFamily:
    """The frozen model that the recipe names, its parts from memory when this process has loaded them before.

    Its parts wait on the processor: rest() and place_denoiser() bring them to the device. A quantised
    denoiser is there already.

    dtype    of the denoiser
    quantize how the numbers of the denoiser's Linear layers are kept; pictures are kept apart for each way
    raises   ConfigError when there is no such checkpoint here, or a part of it is missing or damaged,
             or an option does not go with it
    """
    source, fingerprints = _source(config), model_fingerprints(config)
    if quantize is not Quantize.none:
        source = QuantizingSource(source, FAMILIES[config.family].denoiser, quantize, device=device)
        fingerprints = replace(fingerprints, base=f"{fingerprints.base}+{quantize.name}")
    key = (config.family.value + fingerprints.base, str(device), str(dtype))
    if key not in _loaded:
        quiet_loading()
        _loaded.clear()  # one base at a time: two do not fit beside each other on most cards
        try:
            _loaded[key] = LOADERS[config.family](
                config, source, fingerprints=fingerprints, device=device, dtype=dtype
            )
        except (OSError, ValueError, SafetensorError) as error:  # diffusers' and transformers', for damage
            cause = " ".join(str(error).split())
            raise ConfigError(
                f"model.checkpoint={config.checkpoint}: cannot be loaded ({cause}). Get the checkpoint again."
            ) from error
    if _loaded[key].config != config:
        _loaded[key] = _loaded[key].with_config(config)
    return _loaded[key]


def fingerprints_of(config: ModelConfig) -> Fingerprints:
    """The fingerprints of the recipe's checkpoint, without loading it."""
    _find(config)
    return model_fingerprints(config)


def _source(config: ModelConfig) -> PartsSource:
    path = _find(config)
    return SingleFile(config, find_places(config)) if lies_in_parts(config) else PartsFolder(path)


def _find(config: ModelConfig) -> Path:
    name = config.checkpoint
    if name is None:
        raise ConfigError(
            f"model.checkpoint=null: model={config.name} has no weights. Give a diffusers folder or a hub id."
        )
    path = find_checkpoint(name)
    if path is None or not (path.is_file() or (path / FAMILIES[config.family].denoiser).is_dir()):
        raise ConfigError(
            f"model.checkpoint={name}: no such folder here, nor in the local hub cache. "
            "Give a diffusers folder (with model_index.json), a .safetensors file or a hub id."
        )
    return path
