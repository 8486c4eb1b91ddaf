"""Model families of real size without their files: random weights for what is trained on, no others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from engine.compose.recipe import model_recipe
from engine.config import Family, ModelConfig
from engine.models.checkpoint import LOADERS
from engine.models.facts import FAMILIES
from engine.models.family import ModelFamily
from engine.models.fingerprint import Fingerprints
from engine.models.layouts import CONFIGS
from engine.models.parts import PartT, SchedulerT, TokenizerT
from engine.training.step import Batch

if TYPE_CHECKING:
    from diffusers import ConfigMixin

# recipe -> the folder of published settings, and the settings of a model that is small enough for a test
RECIPES = {
    "sd15": "sd1",
    "sd21": "sd2",
    "sdxl": "sdxl",
    "sd35_medium": "sd35_medium",
    "flux_dev": "flux_dev",
    "anima": "anima",
}
_TINY_UNET = {"block_out_channels": [32, 64], "cross_attention_dim": 16, "norm_num_groups": 8}
_TINY_DIT = {"num_layers": 2, "num_attention_heads": 2}
TINY: dict[str, dict[str, object]] = {
    "sd15": {
        **_TINY_UNET,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "layers_per_block": 1,
        "attention_head_dim": 4,
    },
    "sd21": {
        **_TINY_UNET,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "layers_per_block": 1,
        "attention_head_dim": [2, 4],
    },
    "sdxl": {
        **_TINY_UNET,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "layers_per_block": 1,
        "attention_head_dim": [2, 4],
        "transformer_layers_per_block": [1, 2],
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 12,
    },
    "sd35_medium": {
        **_TINY_DIT,
        "attention_head_dim": 16,
        "joint_attention_dim": 16,
        "caption_projection_dim": 32,
        "pooled_projection_dim": 12,
        "dual_attention_layers": [0],
        "sample_size": 16,
        "pos_embed_max_size": 16,
    },
    "flux_dev": {
        **_TINY_DIT,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "axes_dims_rope": [4, 6, 6],
        "joint_attention_dim": 16,
        "pooled_projection_dim": 12,
    },
    "anima": {
        **_TINY_DIT,
        "attention_head_dim": 24,
        "text_embed_dim": 16,
        "adaln_lora_dim": 8,
    },
}


@dataclass(slots=True)
class RandomParts:
    """Random weights for the denoiser, shapes alone for all else; implements PartsSource."""

    recipe: str
    denoiser: str  # the part that is made
    size: str  # full, tiny
    device: torch.device  # of the denoiser, which is made where it is used

    def has(self, name: str) -> bool:
        """Whether the published model has the part."""
        return (self._folder / name).is_dir()

    def model(self, kind: type[PartT], name: str, *, dtype: torch.dtype) -> PartT:
        """The denoiser on the device, in its dtype; other parts on the meta device, for their settings."""
        is_made = name == self.denoiser
        torch.manual_seed(0)
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype if is_made else torch.float32)  # 24 GB do not fit twice
        try:
            with torch.device(self.device if is_made else "meta"):
                part = self._build(kind, name)
        finally:
            torch.set_default_dtype(before)
        return cast(PartT, part.requires_grad_(False).eval())

    def tokenizer(self, kind: type[TokenizerT], name: str) -> TokenizerT:
        """None is needed: text is random."""
        return cast(TokenizerT, None)

    def scheduler(self, kind: type[SchedulerT]) -> SchedulerT:
        """The published one."""
        settings = json.loads((self._folder / "scheduler/scheduler_config.json").read_text())
        return cast(SchedulerT, cast("type[ConfigMixin]", kind).from_config(settings))

    @property
    def _folder(self) -> Path:
        return CONFIGS / RECIPES[self.recipe]

    def _build(self, kind: type[PartT], name: str) -> nn.Module:
        settings = json.loads((self._folder / name / "config.json").read_text())
        if name == self.denoiser and self.size == "tiny":
            settings |= TINY[self.recipe]
        if "_class_name" in settings:
            return cast("type[ConfigMixin]", kind).from_config(settings)
        from transformers import AutoConfig

        made: nn.Module = kind(AutoConfig.for_model(**settings))
        return made


def random_family(recipe: str, *, device: torch.device, size: str) -> ModelFamily:
    """A model of the recipe's published size in bfloat16."""
    config = model_recipe(recipe)
    source = RandomParts(recipe=recipe, denoiser=FAMILIES[config.family].denoiser, size=size, device=device)
    nothing = Fingerprints(base=recipe, vae="", text="")
    return LOADERS[config.family](config, source, fingerprints=nothing, device=device, dtype=torch.bfloat16)


def random_batch(family: ModelFamily, model: ModelConfig, *, denoiser: nn.Module, side: int) -> Batch:
    """One picture of side x side pixels with its text, as a cache gives them."""
    latents = side // family.latent_factor
    shape = (1, family.latent_channels, latents, latents)
    return Batch(
        mean=torch.randn(shape),
        std=torch.full(shape, 0.1),
        text=_random_text(model, denoiser),
        sizes=torch.tensor([[float(side), float(side), 0.0, 0.0, float(side), float(side)]]),
        weights=torch.ones(1),
    )


def tiny_side(recipe: str) -> int:
    """Pixels of a picture for the tiny models."""
    return 64 if recipe in ("sd15", "sd21", "sdxl") else 128


def _random_text(model: ModelConfig, denoiser: nn.Module) -> dict[str, Tensor]:
    settings = cast("ConfigMixin", denoiser).config
    match model.family:
        case Family.sd1 | Family.sd2:
            return {"hidden": torch.randn(1, 77, settings.cross_attention_dim)}
        case Family.sdxl:
            pooled = settings.projection_class_embeddings_input_dim - 6 * settings.addition_time_embed_dim
            return {
                "hidden": torch.randn(1, 77, settings.cross_attention_dim),
                "pooled": torch.randn(1, pooled),
            }
        case Family.sd3:
            length = 77 + model.t5_token_length
        case Family.flux:
            length = model.t5_token_length
        case Family.anima:
            return {"hidden": torch.randn(1, 512, settings.text_embed_dim)}
    return {
        "hidden": torch.randn(1, length, settings.joint_attention_dim),
        "pooled": torch.randn(1, settings.pooled_projection_dim),
    }
