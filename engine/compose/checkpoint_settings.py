"""What a checkpoint says of itself against options of the run: guidance, blocks, noise levels; no torch."""

import json
from pathlib import Path

from engine.compose.memory import denoiser_settings, num_blocks
from engine.compose.show import show
from engine.config import Family, ModelConfig, Prediction, RunConfig
from engine.models.facts import FAMILIES
from engine.models.locate import find_checkpoint
from engine.models.places import find_places, is_weights_file, lies_in_parts
from engine.models.weight_headers import read_header

SCHNELL = "flux_schnell"  # the recipe of a transformer without an input for guidance
_SAYS_ZERO_TERMINAL = "ztsnr"  # a tensor by which a file says so, as "v_pred" says what it predicts


def settings_problems(model: ModelConfig) -> list[str]:
    """What is asked of a checkpoint, found whole, that it says it is not made for."""
    try:
        return [*_guidance_problems(model), *_level_problems(model)]
    except ValueError as error:
        return [f"model.checkpoint={model.checkpoint}: a JSON file in it can't be read ({error}). Repair it."]


def swap_problems(run: RunConfig) -> list[str]:
    """Whether a checkpoint that was found whole has as many blocks as are to be swapped."""
    count = run.memory.blocks_to_swap
    if not count or not denoiser_settings(run.model) or count <= (there := num_blocks(run.model)):
        return []
    return [
        f"memory.blocks_to_swap={count}: the checkpoint's transformer has {there} blocks. "
        f"Give at most {there}."
    ]


def level_notes(model: ModelConfig) -> list[str]:
    """That levels are stretched to pure noise though the checkpoint does not say so: some do not."""
    if not model.zero_terminal_snr or _is_zero_terminal(model):
        return []
    return [
        "model.zero_terminal_snr=true, and the checkpoint does not say that its last timestep is pure noise: "
        "its noise levels are stretched to it, in training and in pictures"
    ]


def recipe_notes(model: ModelConfig) -> list[str]:
    """That weights of FLUX.1-dev are trained and drawn with the recipe of schnell."""
    if model.name != SCHNELL or model.family is not Family.flux:
        return []
    if not denoiser_settings(model).get("guidance_embeds", False):
        return []
    return [
        f"model={SCHNELL}: the checkpoint's transformer is told its guidance, as FLUX.1-dev's is, and its "
        f"pictures of {model.default_sampling_steps} steps are poor. The recipe for it is "
        f"model={FAMILIES[Family.flux].recipe}"
    ]


def _guidance_problems(model: ModelConfig) -> list[str]:
    if model.family is not Family.flux or model.guidance == 1.0:
        return []
    settings = denoiser_settings(model)
    if not settings or settings.get("guidance_embeds", False):
        return []
    return [
        f"model.guidance={show(model.guidance)}: this checkpoint's transformer is not told its guidance, "
        "as FLUX.1-schnell's is not. Set model.guidance=1."
    ]


def _level_problems(model: ModelConfig) -> list[str]:
    if FAMILIES[model.family].is_flow or model.zero_terminal_snr or not _is_zero_terminal(model):
        return []
    said = "model.zero_terminal_snr=false: the checkpoint says that its last timestep is pure noise"
    if model.prediction is Prediction.epsilon:
        return [
            f"{said} (rescale_betas_zero_snr), from which a model that predicts noise learns nothing. "
            "Correct what it says, or give another checkpoint."
        ]
    return [f"{said}. Set model.zero_terminal_snr=true."]


def _is_zero_terminal(model: ModelConfig) -> bool:
    """Whether the checkpoint says that its last timestep is pure noise: its scheduler, or a file's header."""
    path = find_checkpoint(model.checkpoint or "")
    assert path is not None, "it was found before"
    if is_weights_file(path):
        return any(weight.name == _SAYS_ZERO_TERMINAL for weight in read_header(path))
    scheduler = find_places(model).scheduler if lies_in_parts(model) else path / "scheduler"
    return bool(_settings(scheduler / "scheduler_config.json").get("rescale_betas_zero_snr", False))


def _settings(file: Path) -> dict[str, object]:
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
