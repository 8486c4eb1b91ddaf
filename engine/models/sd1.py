"""Stable Diffusion 1: CLIP text encoder, UNet, VAE (Rombach et al. 2022); the demo's model is one too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn

from engine.config import ConfigError, ModelConfig, Sampler
from engine.models.clip_text import encode_rows, read_prompts
from engine.models.facts import layer_group
from engine.models.family import (
    AdaptableLayer,
    LatentDistribution,
    ModelLayer,
    PipelineOutput,
    SamplingPipeline,
)
from engine.models.fingerprint import Fingerprints
from engine.models.text_chunks import num_rows

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, StableDiffusionPipeline
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
        num_layers: int = parts.text_encoder.config.num_hidden_layers
        if config.clip_skip > num_layers:
            raise ConfigError(
                f"model.clip_skip={config.clip_skip}: the text encoder has {num_layers} layers. "
                f"Give at most {num_layers}."
            )
        self.config = config
        self.fingerprints = fingerprints
        self.device = device
        self.dtype = dtype
        self._parts = parts
        self._said_cut: set[str] = set()
        self.alphas_cumprod = parts.scheduler.alphas_cumprod.to(device)
        self.latent_channels: int = parts.vae.config.latent_channels
        self.latent_factor: int = 2 ** (len(parts.vae.config.block_out_channels) - 1)

    def with_config(self, config: ModelConfig) -> StableDiffusion1:
        """The same loaded parts under the options of another run."""
        return StableDiffusion1(
            config, parts=self._parts, fingerprints=self.fingerprints, device=self.device, dtype=self.dtype
        )

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
        """B prompts -> the text encoder's hidden states [B, L, D], float32.

        raises  ValueError for a bad weight in a prompt, where config.weighted_captions is on
        """
        rows = read_prompts(
            prompts,
            self._parts.tokenizer,
            rows=num_rows(self.config.token_length),
            weighted=self.config.weighted_captions,
        )
        for prompt in rows.cut:
            if prompt not in self._said_cut:  # a prompt is encoded again for each picture
                _log.warning(
                    "cut after %d tokens: %s. Shorten it, or raise model.token_length.", rows.capacity, prompt
                )
        self._said_cut.update(rows.cut)
        return encode_rows(rows, self._parts.text_encoder, clip_skip=self.config.clip_skip)

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

    def every_layer(self) -> list[ModelLayer]:
        """Every Linear and Conv2d of the UNet and the text encoder."""
        parts: dict[str, nn.Module] = {"unet": self._parts.unet, "text_encoder": self._parts.text_encoder}
        return [
            ModelLayer(component=component, name=name, root=root)
            for component, root in parts.items()
            for name, module in root.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
        ]

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Recompute the UNet's activations in the backward pass, or not."""
        unet = self._parts.unet
        if on:
            unet.enable_gradient_checkpointing()
        else:
            unet.disable_gradient_checkpointing()

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' StableDiffusionPipeline around the loaded parts, its text from encode_prompts."""
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
        return EncodingPipeline(pipeline=pipeline, encode=self.encode_prompts)


@dataclass(kw_only=True, slots=True, frozen=True)
class EncodingPipeline:
    """A diffusers pipeline that is given text embeddings where its caller gives prompts."""

    pipeline: StableDiffusionPipeline
    encode: Callable[[Sequence[str]], Tensor]

    def __call__(  # noqa: PLR0913  (diffusers' own)
        self,
        *,
        prompt: list[str],
        negative_prompt: list[str] | None,
        latents: Tensor,
        num_inference_steps: int,
        guidance_scale: float,
        width: int,
        height: int,
        output_type: str,
    ) -> PipelineOutput:
        """One picture a prompt; without a negative prompt guidance leads away from the empty one."""
        guided = guidance_scale > 1
        negatives = negative_prompt or [""] * len(prompt)
        output: PipelineOutput = self.pipeline(
            prompt_embeds=self.encode(prompt),
            negative_prompt_embeds=self.encode(negatives) if guided else None,
            latents=latents,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            output_type=output_type,
        )
        return output


class Parts:
    """The five parts of a Stable Diffusion 1 checkpoint, frozen on their device."""

    def __init__(self, folder: Path, *, device: torch.device, dtype: torch.dtype) -> None:
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
        for part in (self.unet, self.vae, self.text_encoder):
            part.requires_grad_(False).eval().to(device=device)


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
    parts = Parts(folder, device=device, dtype=dtype)
    return StableDiffusion1(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)
