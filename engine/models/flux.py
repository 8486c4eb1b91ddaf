"""FLUX.1 dev and schnell: CLIP and T5 text encoders, a transformer over packed latents, VAE (Labs 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.config import ConfigError, ModelConfig, Sampler
from engine.diffusion.flow import NUM_TIMESTEPS, FlowSchedule
from engine.diffusion.schedule import NoiseSchedule
from engine.models.clip_text import read_prompts
from engine.models.cut_prompts import warn_cut
from engine.models.family import Conditioning, PipelineOutput, SamplingPipeline, TextEmbeddings
from engine.models.fingerprint import Fingerprints
from engine.models.loaded_family import KLFamily
from engine.models.memory import drawing_on, with_text_awake
from engine.models.parts import PartsSource
from engine.models.t5_text import encode_t5, read_t5_prompts

if TYPE_CHECKING:
    from diffusers import FluxPipeline


class Flux(KLFamily["Parts"]):
    """The frozen parts of a FLUX.1 checkpoint; implements ModelFamily."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        parts: Parts,
        fingerprints: Fingerprints,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._is_told_guidance: bool = parts.denoiser.config.guidance_embeds
        if config.guidance != 1.0 and not self._is_told_guidance:
            raise ConfigError(
                f"model.guidance={config.guidance}: this checkpoint's transformer is not told its guidance, "
                "as FLUX.1-schnell's is not. Set model.guidance=1.0."
            )
        super().__init__(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)

    def _noise_schedule(self) -> NoiseSchedule:
        return FlowSchedule()

    @with_text_awake
    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        """B prompts -> hidden [B, L, D] of T5 and pooled [B, P] of CLIP, float32; keeps the graph.

        With config.t5_attention_mask also mask [B, L], bool: which of L are words.
        CLIP's 75 words are a summary; only what T5 does not read either is said to be cut.
        """
        parts, masked = self._parts, self.config.t5_attention_mask
        rows = read_prompts(prompts, parts.tokenizer)
        pooled = parts.text_encoder(rows.ids.flatten(0, 1).to(self.device)).pooler_output
        tokens = read_t5_prompts(prompts, parts.tokenizer_2, length=self.config.t5_token_length)
        warn_cut(tokens.cut, self._said_cut, capacity=tokens.capacity, remedy=tokens.remedy)
        text = {"hidden": encode_t5(tokens, parts.text_encoder_2, masked=masked), "pooled": pooled.float()}
        return {**text, "mask": tokens.mask.to(self.device).bool()} if masked else text

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The transformer's output [B, C, h, w], float32; keeps the graph, so that a network can learn.

        It is told config.guidance: 1 by default, at which the distilled model answers without extrapolating,
        as plain flow matching does, whose targets it is given (kohya's documentation recommends 1, too).
        raises  ConfigError where h or w is odd
        """
        text, size = conditioning.text, (noisy_latents.shape[-2], noisy_latents.shape[-1])
        self._check_even(*size)
        guidance = torch.full((len(noisy_latents),), self.config.guidance, device=self.device)
        output = self._parts.denoiser(
            hidden_states=pack(noisy_latents).to(self.dtype),
            encoder_hidden_states=text["hidden"].to(self.dtype),
            pooled_projections=text["pooled"].to(self.dtype),
            timestep=timesteps / NUM_TIMESTEPS,
            img_ids=_positions(*size, device=self.device),
            txt_ids=torch.zeros(text["hidden"].shape[1], 3, device=self.device),
            guidance=guidance if self._is_told_guidance else None,
            joint_attention_kwargs=attention_options(text, num_tokens=size[0] * size[1] // 4),
            return_dict=False,
        )[0]
        return unpack(output.float(), height=size[0], width=size[1])

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' FluxPipeline around the loaded parts, its text from encode_prompts."""
        import diffusers

        assert sampler is Sampler.flow_euler, sampler
        parts = self._parts
        pipeline = diffusers.FluxPipeline(
            vae=parts.vae,
            text_encoder=parts.text_encoder,
            tokenizer=parts.tokenizer,
            text_encoder_2=parts.text_encoder_2,
            tokenizer_2=parts.tokenizer_2,
            transformer=parts.denoiser,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler.from_config(parts.scheduler.config),
        )
        pipeline.set_progress_bar_config(disable=True)
        return PackingPipeline(
            pipeline=drawing_on(pipeline, self.device),
            encode=self.encode_prompts,
            check=self._check_even,
            dtype=self.dtype,
        )

    def _check_even(self, height: int, width: int) -> None:
        if height % 2 or width % 2:
            factor = self.latent_factor
            raise ConfigError(
                f"model.bucket_step={self.config.bucket_step}: FLUX.1 reads latents two by two, and pictures "
                f"of {width * factor} x {height * factor} pixels have {width} x {height}. "
                f"Give sides of pictures that are multiples of {2 * factor}."
            )


@dataclass(kw_only=True, slots=True, frozen=True)
class PackingPipeline:
    """FluxPipeline, given text embeddings for prompts, and whole latents, which it wants packed."""

    pipeline: FluxPipeline
    encode: Callable[[Sequence[str]], TextEmbeddings]
    check: Callable[[int, int], None]  # of latents' height and width
    dtype: torch.dtype  # of the transformer

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
        """One picture a prompt.

        guidance_scale   is told to FLUX.1-dev; there is no second prediction to be led away from, so that
        negative_prompt  has no effect: a rule refuses one
        """
        from diffusers.pipelines.flux import FluxPipelineOutput

        rows, columns = latents.shape[-2:]
        self.check(rows, columns)
        text = self.encode(prompt)
        output = self.pipeline(
            prompt_embeds=text["hidden"].to(self.dtype),
            pooled_prompt_embeds=text["pooled"].to(self.dtype),
            joint_attention_kwargs=attention_options(text, num_tokens=rows * columns // 4),
            latents=pack(latents),
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            output_type=output_type,
        )
        if output_type != "latent":
            return output
        return FluxPipelineOutput(images=unpack(output.images, height=rows, width=columns))


def pack(latents: Tensor) -> Tensor:
    """[B, C, h, w] with h and w even -> tokens of two by two [B, h w / 4, 4 C]."""
    from diffusers import FluxPipeline

    packed: Tensor = FluxPipeline._pack_latents(latents.contiguous(), *latents.shape)
    return packed


def unpack(tokens: Tensor, *, height: int, width: int) -> Tensor:
    """tokens [B, h w / 4, 4 C] -> [B, C, h, w]."""
    from diffusers import FluxPipeline

    latents: Tensor = FluxPipeline._unpack_latents(tokens, height, width, vae_scale_factor=1)
    return latents


def attention_options(text: Mapping[str, Tensor], *, num_tokens: int) -> dict[str, Tensor] | None:
    """For the transformer's attention: nothing is attended to at T5's padding, where text has a mask.

    num_tokens  of the picture, which come after those of the text
    Source: kohya's sd-scripts 0.10.1, --apply_t5_attn_mask.
    """
    if "mask" not in text:
        return None
    words = text["mask"]
    picture = words.new_ones(len(words), num_tokens)
    return {"attention_mask": torch.cat([words, picture], dim=1)[:, None, None]}  # [B, 1, 1, L + N]


def _positions(height: int, width: int, *, device: torch.device) -> Tensor:
    from diffusers import FluxPipeline

    rows: Tensor = FluxPipeline._prepare_latent_image_ids(1, height // 2, width // 2, device, torch.float32)
    return rows


class Parts:
    """The seven parts of a FLUX.1 checkpoint, frozen."""

    def __init__(self, source: PartsSource, *, dtype: torch.dtype) -> None:
        from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
        from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5TokenizerFast

        self.vae = source.model(AutoencoderKL, "vae", dtype=torch.float32)
        self.denoiser = source.model(FluxTransformer2DModel, "transformer", dtype=dtype)
        self.text_encoder = source.model(CLIPTextModel, "text_encoder", dtype=dtype)
        self.text_encoder_2 = source.model(T5EncoderModel, "text_encoder_2", dtype=dtype)
        self.text_encoders = {"text_encoder": self.text_encoder, "text_encoder_2": self.text_encoder_2}
        self.tokenizer = source.tokenizer(CLIPTokenizer, "tokenizer")
        self.tokenizer_2 = source.tokenizer(T5TokenizerFast, "tokenizer_2")
        self.scheduler = source.scheduler(FlowMatchEulerDiscreteScheduler)


def load_flux(
    config: ModelConfig,
    source: PartsSource,
    *,
    fingerprints: Fingerprints,
    device: torch.device,
    dtype: torch.dtype,
) -> Flux:
    """Read a FLUX.1 checkpoint, dev or schnell.

    dtype   of the transformer and the text encoders; the VAE is always float32
    raises  ConfigError when weights are missing from it
    """
    parts = Parts(source, dtype=dtype)
    return Flux(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)
