"""Anima: Qwen3, a text conditioner, Cosmos Predict2's transformer, Qwen-Image's VAE (CircleStone Labs)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.config import ModelConfig, Sampler
from engine.diffusion.flow import NUM_TIMESTEPS, FlowSchedule
from engine.diffusion.schedule import NoiseSchedule
from engine.models.family import (
    Conditioning,
    LatentDistribution,
    ModelLayer,
    PipelineOutput,
    SamplingPipeline,
    TextEmbeddings,
)
from engine.models.fingerprint import Fingerprints
from engine.models.loaded_family import LoadedFamily
from engine.models.memory import with_text_awake, with_vae_awake
from engine.models.parts import PartsSource, every_layer

if TYPE_CHECKING:
    from diffusers import AnimaModularPipeline

_log = logging.getLogger(__name__)
# Steps of diffusers' text-to-image workflow: what makes text of prompts, and what draws latents with it.
_TEXT_STEPS = ("text_encoder",)
_DRAWING_STEPS = ("denoise.input", "denoise.prepare_latents", "denoise.set_timesteps", "denoise.denoise")


class Anima(LoadedFamily["Parts"]):
    """The frozen parts of an Anima checkpoint; implements ModelFamily.

    The VAE and the transformer are made for videos: here a picture is a video of one frame, and latents
    have no frame axis outside of this file.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        parts: Parts,
        fingerprints: Fingerprints,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)
        self.latent_channels: int = parts.vae.config.z_dim
        self.latent_factor: int = 2 ** len(parts.vae.config.temperal_downsample)

    def _noise_schedule(self) -> NoiseSchedule:
        return FlowSchedule()

    @torch.no_grad()
    @with_vae_awake
    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """pixels [B, 3, H, W] in [-1, 1] -> latents' mean and std [B, C, h, w], float32, unit per channel."""
        posterior = self._parts.vae.encode(pixels.to(self.device, torch.float32)[:, :, None]).latent_dist
        mean, std = self._statistics()
        return LatentDistribution(
            mean=((posterior.mean - mean) / std).squeeze(2), std=(posterior.std / std).squeeze(2)
        )

    @torch.no_grad()
    @with_vae_awake
    def decode_latents(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> pixels [B, 3, H, W] in [0, 1], float32."""
        mean, std = self._statistics()
        # Divided by the inverse and not multiplied, as diffusers does it: the same to the last bit.
        unscaled = latents.to(self.device, torch.float32)[:, :, None] / (1.0 / std) + mean
        return (self._parts.vae.decode(unscaled).sample.squeeze(2) / 2 + 0.5).clamp(0, 1)

    @with_text_awake
    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        """B prompts -> hidden: the text conditioner's states [B, L, D], float32, zero after the last word.

        The conditioner is frozen, so that its output is kept, and not Qwen3's states and T5's ids.
        The steps of diffusers' pipeline keep no graph; what they call does, and is called here.
        """
        from diffusers.modular_pipelines.anima.encoders import AnimaTextEncoderStep

        length = self._parts.text_length
        for prompt in self._parts.cut(prompts):
            if prompt not in self._said_cut:  # a prompt is encoded again for each picture
                _log.warning("cut after %d tokens: %s. Shorten it.", length, prompt)
                self._said_cut.add(prompt)
        told = AnimaTextEncoderStep.encode_prompt(
            self._parts.text_pipeline,
            list(prompts),
            prepare_unconditional_embeds=False,  # negative prompts are encoded as prompts
            max_sequence_length=length,
        )
        hidden: Tensor = self._parts.text_conditioner(
            source_hidden_states=told["qwen_prompt_embeds"],
            source_attention_mask=told["qwen_attention_mask"],
            target_input_ids=told["t5_input_ids"],
            target_attention_mask=told["t5_attention_mask"],
        )
        return {"hidden": hidden.float()}

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The velocity e - x [B, C, h, w], float32; keeps the graph, so that a network on it can learn.

        timesteps  [B] in (0, 1000]; the transformer is told sigma, in float32 whatever its dtype is
        """
        latents = noisy_latents.to(self.dtype)[:, :, None]
        output: Tensor = self._parts.denoiser(
            hidden_states=latents,
            timestep=timesteps.float() / NUM_TIMESTEPS,
            encoder_hidden_states=conditioning.text["hidden"].to(self.dtype),
            padding_mask=latents.new_zeros(1, 1, *latents.shape[-2:]),  # no pixel of it is padding
            return_dict=False,
        )[0]
        return output.squeeze(2).float()

    def every_layer(self) -> list[ModelLayer]:
        """Every Linear of the transformer, the text encoder and the text conditioner."""
        return every_layer({**self._with_layers(), "text_conditioner": self._parts.text_conditioner})

    def text_parts(self) -> Iterable[nn.Module]:
        """Qwen3 and the text conditioner."""
        return (*self._parts.text_encoders.values(), self._parts.text_conditioner)

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' AnimaModularPipeline around the loaded parts, its text from encode_prompts."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        assert sampler is Sampler.flow_euler, sampler
        pipeline = part_of_pipeline(
            _DRAWING_STEPS,
            {
                "transformer": self._parts.denoiser,
                "scheduler": FlowMatchEulerDiscreteScheduler.from_config(self._parts.scheduler.config),
            },
        )
        return DrawingSteps(pipeline=pipeline, encode=self.encode_prompts)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the VAE's latents over pictures, each [1, C, 1, 1, 1]."""
        known = self._parts.vae.config
        mean, std = torch.tensor([known.latents_mean, known.latents_std], device=self.device)
        return mean.view(1, -1, 1, 1, 1), std.view(1, -1, 1, 1, 1)


@dataclass(kw_only=True, slots=True)
class Drawn:
    """Latents of pictures; implements PipelineOutput."""

    images: Tensor  # [B, C, h, w]


@dataclass(kw_only=True, slots=True, frozen=True)
class DrawingSteps:
    """The drawing steps of diffusers' pipeline, given text embeddings where its caller gives prompts."""

    pipeline: AnimaModularPipeline
    encode: Callable[[Sequence[str]], TextEmbeddings]

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
        from diffusers import ClassifierFreeGuidance

        assert output_type == "latent", output_type
        guided = guidance_scale > 1
        negatives = negative_prompt or [""] * len(prompt)
        self.pipeline.update_components(
            guider=ClassifierFreeGuidance(guidance_scale=guidance_scale, enabled=guided)
        )
        drawn: Tensor = self.pipeline(
            prompt_embeds=self.encode(prompt)["hidden"],
            negative_prompt_embeds=self.encode(negatives)["hidden"] if guided else None,
            latents=latents[:, :, None],
            num_inference_steps=num_inference_steps,
            width=width,
            height=height,
            output="latents",
        )
        return Drawn(images=drawn.squeeze(2))


class Parts:
    """The seven parts of an Anima checkpoint, frozen; of T5 there is only the tokenizer."""

    def __init__(self, source: PartsSource, *, dtype: torch.dtype) -> None:
        from diffusers import (
            AnimaTextConditioner,
            AutoencoderKLQwenImage,
            CosmosTransformer3DModel,
            FlowMatchEulerDiscreteScheduler,
        )
        from transformers import Qwen2Tokenizer, Qwen3Model, T5TokenizerFast

        lend_resize()
        self.vae = source.model(AutoencoderKLQwenImage, "vae", dtype=torch.float32)
        self.denoiser = source.model(CosmosTransformer3DModel, "transformer", dtype=dtype)
        self.text_encoder = source.model(Qwen3Model, "text_encoder", dtype=dtype)
        self.text_encoders = {"text_encoder": self.text_encoder}
        self.text_conditioner = source.model(AnimaTextConditioner, "text_conditioner", dtype=dtype)
        self.tokenizer = source.tokenizer(Qwen2Tokenizer, "tokenizer")
        self.t5_tokenizer = source.tokenizer(T5TokenizerFast, "t5_tokenizer")
        self.scheduler = source.scheduler(FlowMatchEulerDiscreteScheduler)
        # The conditioner pads its output to this length, so that up to it all texts have one.
        self.text_length: int = self.text_conditioner.config.min_sequence_length
        self.text_pipeline = part_of_pipeline(
            _TEXT_STEPS,
            {
                "text_encoder": self.text_encoder,
                "tokenizer": self.tokenizer,
                "t5_tokenizer": self.t5_tokenizer,
            },
        )

    def cut(self, prompts: Sequence[str]) -> list[str]:
        """The prompts that are longer than is read, in Qwen3's tokens or in T5's."""
        counts = [
            [len(tokens) for tokens in tokenizer(list(prompts), verbose=False).input_ids]
            for tokenizer in (self.tokenizer, self.t5_tokenizer)
        ]
        return [
            prompt
            for prompt, *lengths in zip(prompts, *counts, strict=True)
            if max(lengths) > self.text_length
        ]


def load_anima(
    config: ModelConfig,
    source: PartsSource,
    *,
    fingerprints: Fingerprints,
    device: torch.device,
    dtype: torch.dtype,
) -> Anima:
    """Read an Anima checkpoint.

    dtype   of the transformer, the text encoder and the text conditioner; the VAE is always float32
    raises  ConfigError when weights are missing from it
    """
    parts = Parts(source, dtype=dtype)
    return Anima(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)


def part_of_pipeline(steps: Sequence[str], components: dict[str, object]) -> AnimaModularPipeline:
    """Some steps of diffusers' text-to-image workflow as a pipeline around parts in memory."""
    from diffusers import AnimaAutoBlocks, AnimaModularPipeline, SequentialPipelineBlocks

    workflow = AnimaAutoBlocks().get_workflow("text2image").sub_blocks
    blocks = SequentialPipelineBlocks.from_blocks_dict({step: workflow[step] for step in steps})
    pipeline = AnimaModularPipeline(blocks=blocks)
    pipeline.update_components(**components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def lend_resize() -> None:
    """Give diffusers' Cosmos file the one function of torchvision that it calls, where that is not there.

    Only that file's own name `transforms` is set: nobody else finds a torchvision where there is none.
    """
    from diffusers.models.transformers import transformer_cosmos

    stand_in = SimpleNamespace(
        functional=SimpleNamespace(resize=resize_nearest),
        InterpolationMode=SimpleNamespace(NEAREST="nearest"),
    )
    vars(transformer_cosmos).setdefault("transforms", stand_in)


def resize_nearest(mask: Tensor, size: list[int], *, interpolation: str) -> Tensor:
    """mask [B, C, H, W] -> [B, C, *size], each value the nearest one's, as torchvision's resize takes it."""
    assert interpolation == "nearest", interpolation
    return torch.nn.functional.interpolate(mask, size=size, mode="nearest")
