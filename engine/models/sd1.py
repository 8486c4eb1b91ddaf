"""Stable Diffusion 1: CLIP text encoder, UNet, VAE (Rombach et al. 2022); the demo's model is one too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn

from engine.config import ConfigError, ModelConfig, Sampler
from engine.models.facts import layer_group
from engine.models.family import AdaptableLayer, LatentDistribution, SamplingPipeline
from engine.models.fingerprint import Fingerprints

if TYPE_CHECKING:
    from diffusers import DDPMScheduler
    from transformers import CLIPTokenizer

_log = logging.getLogger(__name__)
_Part = TypeVar("_Part", bound=nn.Module)


class StableDiffusion1:
    """The frozen parts of a Stable Diffusion 1 checkpoint; implements ModelFamily."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        parts: Parts,
        fingerprints: Fingerprints,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.config = config
        self.fingerprints = fingerprints
        self.device = device
        self.dtype = dtype
        self._parts = parts
        for part in (parts.unet, parts.vae, parts.text_encoder):
            part.requires_grad_(False).eval().to(device=device)
        self.alphas_cumprod = parts.scheduler.alphas_cumprod.to(device)
        self.latent_channels: int = parts.vae.config.latent_channels
        self.latent_factor: int = 2 ** (len(parts.vae.config.block_out_channels) - 1)

    @torch.no_grad()
    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """pixels [B, 3, H, W] in [-1, 1] -> scaled latents' mean and std [B, C, h, w], float32."""
        posterior = self._parts.vae.encode(pixels.to(self.device, torch.float32)).latent_dist
        scale = self._parts.vae.config.scaling_factor
        return LatentDistribution(mean=posterior.mean * scale, std=posterior.std * scale)

    @torch.no_grad()
    def decode_latents(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> pixels [B, 3, H, W] in [0, 1], float32."""
        unscaled = latents.to(self.device, torch.float32) / self._parts.vae.config.scaling_factor
        return (self._parts.vae.decode(unscaled).sample / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        """B prompts -> the text encoder's last hidden states [B, L, D], float32."""
        tokenizer = self._parts.tokenizer
        length = tokenizer.model_max_length
        longest = [prompt for prompt in prompts if len(tokenizer(prompt).input_ids) > length]
        for prompt in longest:
            _log.warning("cut after %d tokens: %s", length, prompt)
        ids = tokenizer(
            list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
        return self._parts.text_encoder(ids.to(self.device)).last_hidden_state.float()

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, text_embeddings: Tensor) -> Tensor:
        """The UNet's output [B, C, h, w], float32; keeps the graph, so that a network on it can learn."""
        output = self._parts.unet(
            noisy_latents.to(self.dtype),
            timesteps,
            encoder_hidden_states=text_embeddings.to(self.dtype),
            return_dict=False,
        )[0]
        return output.float()

    def adaptable_layers(self) -> list[AdaptableLayer]:
        """The UNet's layers that belong to a group, in the model's own order."""
        unet = self._parts.unet
        return [
            AdaptableLayer(component="unet", name=name, root=unet, group=group)
            for name, module in unet.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
            and (group := layer_group(self.config.family, name)) is not None
        ]

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Recompute the UNet's activations in the backward pass, or not."""
        unet = self._parts.unet
        if on:
            unet.enable_gradient_checkpointing()
        else:
            unet.disable_gradient_checkpointing()

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' StableDiffusionPipeline around the loaded parts."""
        import diffusers

        scheduler_class = {
            Sampler.ddim: diffusers.DDIMScheduler,
            Sampler.euler: diffusers.EulerDiscreteScheduler,
            Sampler.dpmpp_2m: diffusers.DPMSolverMultistepScheduler,
        }[sampler]
        pipeline = diffusers.StableDiffusionPipeline(
            vae=self._parts.vae,
            text_encoder=self._parts.text_encoder,
            tokenizer=self._parts.tokenizer,
            unet=self._parts.unet,
            scheduler=scheduler_class.from_config(self._parts.scheduler.config),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        return cast(SamplingPipeline, pipeline)


class Parts:
    """The five parts of a Stable Diffusion 1 checkpoint, as diffusers and transformers load them."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        self.vae = _load_part(AutoencoderKL, folder, "vae", torch.float32)
        self.unet = _load_part(UNet2DConditionModel, folder, "unet", dtype)
        self.text_encoder = _load_part(CLIPTextModel, folder, "text_encoder", dtype)
        if not any((folder / "tokenizer" / name).is_file() for name in ("vocab.json", "tokenizer.json")):
            raise ConfigError(  # transformers would make one that knows no word
                f"model.checkpoint={folder}: no vocab.json in tokenizer/. Get the checkpoint again."
            )
        self.tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
        self.scheduler: DDPMScheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")


def _load_part(kind: type[_Part], folder: Path, name: str, dtype: torch.dtype) -> _Part:
    """One model of the folder; ConfigError where weights of it are missing, which would be left random."""
    files = [file.name for file in (folder / name).glob("*.safetensors")]
    has_plain = not files or any(".fp16" not in file and "non_ema" not in file for file in files)
    part, report = kind.from_pretrained(  # type: ignore[attr-defined]
        folder,
        subfolder=name,
        variant=None if has_plain else "fp16",
        use_safetensors=True,
        dtype=dtype,
        output_loading_info=True,
    )
    if report["missing_keys"]:
        first = sorted(report["missing_keys"])[0]
        raise ConfigError(
            f"model.checkpoint={folder}: {name} lacks {len(report['missing_keys'])} weights, the first: "
            f"{first}. Get the checkpoint again."
        )
    return cast(_Part, part)


def load_sd1(
    config: ModelConfig, folder: Path, *, fingerprints: Fingerprints, device: torch.device, dtype: torch.dtype
) -> StableDiffusion1:
    """Read a diffusers folder of a Stable Diffusion 1 model.

    dtype   of the UNet and the text encoder; the VAE is always float32
    raises  ConfigError when weights are missing from it
    """
    return StableDiffusion1(
        config, parts=Parts(folder, dtype), fingerprints=fingerprints, device=device, dtype=dtype
    )
