"""Whether a checkpoint's parts fit each other, and whether pictures are drawn as it can draw; no torch."""

import json
from pathlib import Path

from engine.compose.checkpoint_settings import SCHNELL
from engine.compose.memory import denoiser_settings
from engine.compose.show import show
from engine.config import ConfigError, Family, ModelConfig, RunConfig
from engine.models.facts import FAMILIES
from engine.models.layouts import shapes_of
from engine.models.locate import find_checkpoint
from engine.models.places import find_places, lies_in_parts
from engine.models.weight_headers import read_header

_LATENTS_A_TOKEN = {Family.flux: 4}  # 2 x 2 of them are one input; other denoisers read them one by one
_DECODES = ("decoder.conv_in.weight", "decoder.conv1.weight")  # the first layer behind the latents


def fit_problems(run: RunConfig) -> list[str]:
    """What does not go together in a checkpoint that was found whole."""
    return [*_vae_problems(run.model), *scale_problems(run)]


def scale_problems(run: RunConfig) -> list[str]:
    """A guidance scale that the checkpoint is not told: FLUX.1-schnell has no input for it."""
    scale, model = run.sampling.guidance_scale, run.model
    if model.family is not Family.flux or scale == 1.0 or not model.checkpoint:
        return []
    try:
        settings = denoiser_settings(model) if find_checkpoint(model.checkpoint) is not None else {}
    except (ConfigError, ValueError, LookupError, OSError):  # what is not there is told of elsewhere
        return []
    if not settings or settings.get("guidance_embeds", False):
        return []
    remedy = "Set sampling.guidance_scale=1" if model.name == SCHNELL else f"Use model={SCHNELL}"
    return [
        f"sampling.guidance_scale={show(scale)}: this checkpoint's transformer is not told its guidance, "
        f"as FLUX.1-schnell's is not. {remedy}."
    ]


def _vae_problems(model: ModelConfig) -> list[str]:
    """A VAE whose latents the denoiser cannot read."""
    made, inputs = _latent_channels(model), denoiser_settings(model).get("in_channels")
    if made is None or not isinstance(inputs, int):
        return []
    facts, read = FAMILIES[model.family], inputs // _LATENTS_A_TOKEN.get(model.family, 1)
    if made == read:
        return []
    given = f"model.vae={model.vae}: it" if model.vae else f"model.checkpoint={model.checkpoint}: its vae"
    return [
        f"{given} makes latents of {made} channels, and the {facts.denoiser} reads {read}. "
        f"Give a VAE of {facts.title}: model.vae=DIR, or a file."
    ]


def _latent_channels(model: ModelConfig) -> int | None:
    """Of the VAE: by a folder's settings, or by what the decoder of a file takes; None: it does not say."""
    place = find_places(model).parts["vae"] if lies_in_parts(model) else None
    if place is not None and place.found is not None:
        shapes = shapes_of(read_header(place.path))
        first = next(
            (place.found.prefix + name for name in _DECODES if place.found.prefix + name in shapes), ""
        )
        return shapes[first][1] if first else None
    base = find_checkpoint(model.checkpoint or "")
    folder = place.path if place is not None else (base or Path()) / "vae"
    config = folder / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    made = settings.get("latent_channels", settings.get("z_dim"))
    return made if isinstance(made, int) else None
