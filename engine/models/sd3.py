"""Stable Diffusion 3 and 3.5: two CLIPs and T5, a transformer over text and picture, a 16-channel VAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from engine.config import ConfigError, ModelConfig, Sampler
from engine.diffusion.flow import FlowSchedule
from engine.diffusion.schedule import NoiseSchedule
from engine.models.clip_text import TokenRows, read_prompts
from engine.models.cut_prompts import warn_cut
from engine.models.encoding_pipeline import EncodingPipeline
from engine.models.family import Conditioning, SamplingPipeline, TextEmbeddings
from engine.models.fingerprint import Fingerprints
from engine.models.loaded_family import KLFamily
from engine.models.memory import drawing_on, with_text_awake
from engine.models.parts import PartsSource
from engine.models.t5_text import encode_t5, read_t5_prompts

if TYPE_CHECKING:
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel, T5TokenizerFast

_T5 = "text_encoder_3"


class StableDiffusion3(KLFamily["Parts"]):
    """The frozen parts of a Stable Diffusion 3 or 3.5 checkpoint; implements ModelFamily.

    Source: Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis".
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
        if config.t5_attention_mask and parts.t5 is None:
            raise ConfigError(
                f"model.t5_attention_mask=true: {config.checkpoint} has no T5 ({_T5}), whose padding it is "
                "about. Set model.t5_attention_mask=false, or give a checkpoint with it."
            )
        super().__init__(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)

    def _noise_schedule(self) -> NoiseSchedule:
        return FlowSchedule()

    @with_text_awake
    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        """B prompts -> what the transformer is told of them, float32; keeps the graph, as predict does.

        hidden   [B, 77 + t5_token_length, D]: both CLIPs' last states but one side by side, filled up with
                 zeros to T5's width D; then T5's last states, or zeros where the checkpoint has no T5
        pooled   [B, P]: both CLIPs' projected ends
        With t5_attention_mask T5's words do not see its padding, and the padding's states are zeros.
        A prompt that CLIP alone cuts is not warned of, where T5 reads the rest.
        """
        clips = [read_prompts(prompts, clip.tokenizer) for clip in self._parts.clips]
        states, pooled = zip(
            *(_encode_clip(rows, clip.encoder) for rows, clip in zip(clips, self._parts.clips, strict=True)),
            strict=True,
        )
        width: int = self._parts.denoiser.config.joint_attention_dim
        if self._parts.t5 is None:
            warn_cut(
                clips[0].cut, self._said_cut, capacity=clips[0].capacity, remedy="use a checkpoint with T5"
            )
            long = torch.zeros(len(prompts), self.config.t5_token_length, width, device=self.device)
        else:
            long = self._encode_t5(prompts, self._parts.t5)
        short = torch.cat(states, dim=-1)
        hidden = torch.cat([pad(short, (0, width - short.shape[-1])), long], dim=1)
        return {"hidden": hidden, "pooled": torch.cat(pooled, dim=-1)}

    def drop_text(self, text: Mapping[str, Tensor], dropped: Tensor) -> TextEmbeddings:
        """The same text, zero where an encoder is left out: dropped [B, 3] of CLIP-L, CLIP-G, T5."""
        clip_l, clip_g = (clip.encoder.config for clip in self._parts.clips)
        rows = self._parts.clips[0].tokenizer.model_max_length
        kept = (~dropped).to(text["hidden"].device, torch.float32)
        left, right, long = (kept[:, place, None, None] for place in range(3))
        hidden = text["hidden"].clone()
        hidden[:, :rows, : clip_l.hidden_size] *= left
        hidden[:, :rows, clip_l.hidden_size : clip_l.hidden_size + clip_g.hidden_size] *= right
        hidden[:, rows:] *= long
        pooled = text["pooled"].clone()
        pooled[:, : clip_l.projection_dim] *= left[..., 0]
        pooled[:, clip_l.projection_dim :] *= right[..., 0]
        return {**text, "hidden": hidden, "pooled": pooled}

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The velocity [B, 16, h, w], float32, at timesteps [B] in (0, 1000]; keeps the graph.

        h, w   even: the transformer sees 2 x 2 latents at a time
        """
        output = self._parts.denoiser(
            hidden_states=noisy_latents.to(self.dtype),
            timestep=timesteps,
            encoder_hidden_states=conditioning.text["hidden"].to(self.dtype),
            pooled_projections=conditioning.text["pooled"].to(self.dtype),
            return_dict=False,
        )[0]
        return output.float()

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' StableDiffusion3Pipeline around the loaded parts, its text from encode_prompts."""
        import diffusers

        assert sampler is Sampler.flow_euler, sampler
        parts = self._parts
        pipeline = diffusers.StableDiffusion3Pipeline(
            transformer=parts.denoiser,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler.from_config(parts.scheduler.config),
            vae=parts.vae,
            text_encoder=parts.clips[0].encoder,
            tokenizer=parts.clips[0].tokenizer,
            text_encoder_2=parts.clips[1].encoder,
            tokenizer_2=parts.clips[1].tokenizer,
            text_encoder_3=None if parts.t5 is None else parts.t5.encoder,
            tokenizer_3=None if parts.t5 is None else parts.t5.tokenizer,
        )
        pipeline.set_progress_bar_config(disable=True)
        return EncodingPipeline(pipeline=drawing_on(pipeline, self.device), encode=self._encode_for_sampling)

    def _encode_t5(self, prompts: Sequence[str], t5: T5) -> Tensor:
        tokens = read_t5_prompts(prompts, t5.tokenizer, length=self.config.t5_token_length)
        warn_cut(tokens.cut, self._said_cut, capacity=tokens.capacity, remedy=tokens.remedy)
        return encode_t5(tokens, t5.encoder, masked=self.config.t5_attention_mask)

    def _encode_for_sampling(self, prompts: Sequence[str]) -> TextEmbeddings:
        """The pipeline hands them to the transformer, and its latents, as they are."""
        return {name: text.to(self.dtype) for name, text in self.encode_prompts(prompts).items()}


@dataclass(kw_only=True, slots=True, frozen=True)
class Clip:
    """A CLIP text encoder and its tokenizer."""

    encoder: CLIPTextModelWithProjection
    tokenizer: CLIPTokenizer


@dataclass(kw_only=True, slots=True, frozen=True)
class T5:
    """The T5 encoder and its tokenizer."""

    encoder: T5EncoderModel
    tokenizer: T5TokenizerFast


class Parts:
    """The parts of a Stable Diffusion 3 checkpoint, frozen; T5 may be lacking."""

    def __init__(self, source: PartsSource, *, dtype: torch.dtype) -> None:
        from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel
        from transformers import CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel, T5TokenizerFast

        self.vae = source.model(AutoencoderKL, "vae", dtype=torch.float32)
        self.denoiser = source.model(SD3Transformer2DModel, "transformer", dtype=dtype)
        self.clips = tuple(
            Clip(
                encoder=source.model(CLIPTextModelWithProjection, f"text_encoder{number}", dtype=dtype),
                tokenizer=source.tokenizer(CLIPTokenizer, f"tokenizer{number}"),
            )
            for number in ("", "_2")
        )
        self.text_encoders: dict[str, nn.Module] = {
            f"text_encoder{number}": clip.encoder for number, clip in zip(("", "_2"), self.clips, strict=True)
        }
        self.t5: T5 | None = None
        if source.has(_T5):
            self.t5 = T5(
                encoder=source.model(T5EncoderModel, _T5, dtype=dtype),
                tokenizer=source.tokenizer(T5TokenizerFast, "tokenizer_3"),
            )
            self.text_encoders[_T5] = self.t5.encoder
        self.scheduler = source.scheduler(FlowMatchEulerDiscreteScheduler)


def load_sd3(
    config: ModelConfig,
    source: PartsSource,
    *,
    fingerprints: Fingerprints,
    device: torch.device,
    dtype: torch.dtype,
) -> StableDiffusion3:
    """Read a Stable Diffusion 3 or 3.5 checkpoint.

    dtype   of the transformer and the text encoders; the VAE is always float32
    raises  ConfigError when weights are missing from it, or an option does not go with it
    """
    parts = Parts(source, dtype=dtype)
    return StableDiffusion3(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)


def _encode_clip(rows: TokenRows, encoder: CLIPTextModelWithProjection) -> tuple[Tensor, Tensor]:
    """The last states but one [B, 77, D], without the final norm, and the projected ends [B, P]; float32."""
    output = encoder(rows.ids.flatten(0, 1).to(encoder.device), output_hidden_states=True)
    return output.hidden_states[-2].float(), output.text_embeds.float()
