"""Stable Diffusion 1: CLIP text encoder, UNet, VAE (Rombach et al. 2022); the demo's model is one too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.config import ConfigError, ModelConfig, Sampler
from engine.models.clip_text import encode_rows, read_prompts
from engine.models.encoding_pipeline import EncodingPipeline
from engine.models.family import Conditioning, SamplingPipeline, TextEmbeddings
from engine.models.fingerprint import Fingerprints
from engine.models.memory import drawing_on, with_text_awake
from engine.models.noise_levels import sampling_scheduler
from engine.models.parts import PartsSource
from engine.models.text_chunks import num_rows
from engine.models.unet_family import UNetFamily


class StableDiffusion1(UNetFamily["Parts"]):
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
        super().__init__(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)

    @with_text_awake
    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        """B prompts -> hidden: the text encoder's states [B, L, D], float32; it keeps the graph.

        raises  ValueError for a bad weight in a prompt, where config.weighted_captions is on
        """
        rows = read_prompts(
            prompts,
            self._parts.tokenizer,
            rows=num_rows(self.config.token_length),
            weighted=self.config.weighted_captions,
        )
        self._say_cut(rows)
        return {"hidden": encode_rows(rows, self._parts.text_encoder, clip_skip=self.config.clip_skip)}

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The UNet's output [B, C, h, w], float32; keeps the graph, so that a network on it can learn."""
        output = self._parts.denoiser(
            noisy_latents.to(self.dtype),
            timesteps,
            encoder_hidden_states=conditioning.text["hidden"].to(self.dtype),
            return_dict=False,
        )[0]
        return output.float()

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' StableDiffusionPipeline around the loaded parts, its text from encode_prompts."""
        import diffusers

        pipeline = diffusers.StableDiffusionPipeline(
            vae=self._parts.vae,
            text_encoder=self._parts.text_encoder,
            tokenizer=self._parts.tokenizer,
            unet=self._parts.denoiser,
            scheduler=sampling_scheduler(sampler, self._parts.scheduler, self.config),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        return EncodingPipeline(pipeline=drawing_on(pipeline, self.device), encode=self.encode_prompts)


class Parts:
    """The five parts of a Stable Diffusion 1 checkpoint, frozen."""

    def __init__(self, source: PartsSource, *, dtype: torch.dtype) -> None:
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        self.vae = source.model(AutoencoderKL, "vae", dtype=torch.float32)
        self.denoiser = source.model(UNet2DConditionModel, "unet", dtype=dtype)
        self.text_encoder = source.model(CLIPTextModel, "text_encoder", dtype=dtype)
        self.text_encoders = {"text_encoder": self.text_encoder}
        self.tokenizer = source.tokenizer(CLIPTokenizer, "tokenizer")
        self.scheduler = source.scheduler(DDPMScheduler)


def load_sd1(
    config: ModelConfig,
    source: PartsSource,
    *,
    fingerprints: Fingerprints,
    device: torch.device,
    dtype: torch.dtype,
) -> StableDiffusion1:
    """Read a Stable Diffusion 1 checkpoint.

    dtype   of the UNet and the text encoder; the VAE is always float32
    raises  ConfigError when weights are missing from it
    """
    parts = Parts(source, dtype=dtype)
    return StableDiffusion1(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)
