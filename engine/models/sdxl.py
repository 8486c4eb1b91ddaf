"""Stable Diffusion XL: two CLIP text encoders, a UNet that is told sizes, a VAE (Podell et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.config import ConfigError, ModelConfig, Sampler
from engine.models.clip_text import encode_rows_and_pool, encode_rows_before_last, read_prompts
from engine.models.encoding_pipeline import EncodingPipeline
from engine.models.family import Conditioning, SamplingPipeline, TextEmbeddings
from engine.models.fingerprint import Fingerprints
from engine.models.memory import drawing_on, with_text_awake
from engine.models.noise_levels import sampling_scheduler
from engine.models.parts import PartsSource
from engine.models.text_chunks import num_rows
from engine.models.unet_family import UNetFamily


class StableDiffusionXL(UNetFamily["Parts"]):
    """The frozen parts of a Stable Diffusion XL checkpoint; implements ModelFamily."""

    @with_text_awake
    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        """B prompts -> hidden [B, L, D1 + D2]: both encoders' states together; pooled [B, P]: the second's.

        It keeps the graph, as predict does.
        raises  ValueError for a bad weight in a prompt, where config.weighted_captions is on
        """
        parts = self._parts
        first, second = (
            read_prompts(
                prompts,
                tokenizer,
                rows=num_rows(self.config.token_length),
                weighted=self.config.weighted_captions,
            )
            for tokenizer in (parts.tokenizer, parts.tokenizer_2)
        )
        self._say_cut(first)
        self._say_cut(second)
        states = encode_rows_before_last(first, parts.text_encoder)
        states_2, pooled = encode_rows_and_pool(second, parts.text_encoder_2)
        return {"hidden": torch.cat([states, states_2], dim=-1), "pooled": pooled}

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The UNet's output [B, C, h, w], float32; keeps the graph, so that a network on it can learn."""
        text = conditioning.text
        output = self._parts.denoiser(
            noisy_latents.to(self.dtype),
            timesteps,
            encoder_hidden_states=text["hidden"].to(self.dtype),
            # Sizes stay float32: bfloat16 has no odd number of pixels above 256.
            added_cond_kwargs={"text_embeds": text["pooled"].to(self.dtype), "time_ids": conditioning.sizes},
            return_dict=False,
        )[0]
        return output.float()

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' StableDiffusionXLPipeline around the loaded parts, its text from encode_prompts."""
        import diffusers

        pipeline = diffusers.StableDiffusionXLPipeline(
            vae=self._parts.vae,
            text_encoder=self._parts.text_encoder,
            text_encoder_2=self._parts.text_encoder_2,
            tokenizer=self._parts.tokenizer,
            tokenizer_2=self._parts.tokenizer_2,
            unet=self._parts.denoiser,
            scheduler=sampling_scheduler(sampler, self._parts.scheduler, self.config),
            add_watermarker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        return EncodingPipeline(
            pipeline=drawing_on(pipeline, self.device), encode=self.encode_prompts, encodes_nothing=False
        )


class Parts:
    """The seven parts of a Stable Diffusion XL checkpoint, frozen."""

    def __init__(self, source: PartsSource, *, dtype: torch.dtype) -> None:
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

        self.vae = source.model(AutoencoderKL, "vae", dtype=torch.float32)
        self.denoiser = source.model(UNet2DConditionModel, "unet", dtype=dtype)
        self.text_encoder = source.model(CLIPTextModel, "text_encoder", dtype=dtype)
        self.text_encoder_2 = source.model(CLIPTextModelWithProjection, "text_encoder_2", dtype=dtype)
        self.text_encoders = {"text_encoder": self.text_encoder, "text_encoder_2": self.text_encoder_2}
        self.tokenizer = source.tokenizer(CLIPTokenizer, "tokenizer")
        self.tokenizer_2 = source.tokenizer(CLIPTokenizer, "tokenizer_2")
        self.scheduler = source.scheduler(DDPMScheduler)


def load_sdxl(
    config: ModelConfig,
    source: PartsSource,
    *,
    fingerprints: Fingerprints,
    device: torch.device,
    dtype: torch.dtype,
) -> StableDiffusionXL:
    """Read a Stable Diffusion XL checkpoint.

    dtype   of the UNet and the text encoders; the VAE is always float32, for it overflows in float16
    raises  ConfigError when weights are missing from it, or its latents are of another kind
    """
    assert config.clip_skip == 1, "a rule refuses it: the last layer but one is always read"
    parts = Parts(source, dtype=dtype)
    if parts.vae.config.get("latents_mean") is not None:
        raise ConfigError(
            f"model.checkpoint={config.checkpoint}: its VAE gives each channel a mean and a scale, as that "
            "of Playground v2.5, whose noise levels are not Stable Diffusion XL's. Give another checkpoint."
        )
    return StableDiffusionXL(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)
