"""What the engine asks of a model family; one implementation a file beside this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from engine.config import LayerGroup, ModelConfig, Sampler
from engine.diffusion.schedule import NoiseSchedule
from engine.models.fingerprint import Fingerprints


@dataclass(kw_only=True, slots=True, frozen=True)
class AdaptableLayer:
    """A layer that a network can go on: root.get_submodule(name)."""

    component: str  # "unet", "transformer", "text_encoder"
    name: str  # path of the module inside its component
    root: nn.Module  # the component itself
    group: LayerGroup
    joined: tuple[str, ...] = ()  # modules with the same input that are one layer with it in files, in order


@dataclass(kw_only=True, slots=True, frozen=True)
class ModelLayer:
    """Any layer of the denoiser or a text encoder: root.get_submodule(name)."""

    component: str  # "unet", "transformer", "text_encoder"
    name: str  # path of the module inside its component
    root: nn.Module  # the component itself


TextEmbeddings = dict[str, Tensor]  # by names of the family's own, each [B, ...]; all prompts of one length


@dataclass(kw_only=True, slots=True, frozen=True)
class Conditioning:
    """What a denoiser is told beside latents and timestep, on its device."""

    text: Mapping[str, Tensor]  # as encode_prompts gives it, each [B, ...]
    sizes: Tensor  # [B, 6] float32: original height, width; top, left of the cut; height, width in pixels


@dataclass(kw_only=True, slots=True, frozen=True)
class LatentDistribution:
    """The VAE's Gaussian over latents, scaled to what the denoiser is trained on."""

    mean: Tensor  # [B, C, h, w]
    std: Tensor  # [B, C, h, w]


class PipelineOutput(Protocol):
    """What a diffusers pipeline returns; with output_type "latent" the images are latents."""

    images: Tensor


class SamplingPipeline(Protocol):
    """The part of a diffusers pipeline's call that every family's has; prompts are read as in training."""

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
    ) -> PipelineOutput: ...


@runtime_checkable
class DropsText(Protocol):
    """A family whose text comes from several encoders, each of which can be left out."""

    def drop_text(self, text: Mapping[str, Tensor], dropped: Tensor) -> TextEmbeddings:
        """The same text with the share of encoders dropped [B, E], bool, set to zero."""
        ...


class ModelFamily(Protocol):
    """A frozen base model, loaded once and kept; a run only attaches and detaches its network."""

    config: ModelConfig  # the run's own, though runs share the weights
    device: torch.device
    dtype: torch.dtype  # of the denoiser
    fingerprints: Fingerprints
    schedule: NoiseSchedule  # DiscreteSchedule, or FlowSchedule
    latent_channels: int
    latent_factor: int  # pixels a latent stands for, along one side

    def with_config(self, config: ModelConfig) -> "ModelFamily":
        """The same loaded parts under the options of another run.

        raises  ConfigError where they do not go with these parts
        """
        ...

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """pixels [B, 3, H, W] in [-1, 1] -> latents [B, C, H/f, W/f]."""
        ...

    def decode_latents(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> pixels [B, 3, H, W] in [0, 1]."""
        ...

    def encode_prompts(self, prompts: Sequence[str]) -> TextEmbeddings:
        """B prompts -> what predict is told of them, each [B, ...], float32 where it is no id.

        It keeps the graph, so that a network on a text encoder can learn; without one there is none.
        raises  ValueError for a bad weight in a prompt, where config.weighted_captions is on
        """
        ...

    def predict(self, noisy_latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's output [B, C, h, w], float32, for latents and timesteps [B] of the schedule."""
        ...

    def adaptable_layers(self) -> list[AdaptableLayer]:
        """Every layer that a network may go on, in the model's own order."""
        ...

    def every_layer(self) -> list[ModelLayer]:
        """Every Linear and Conv2d of the denoiser and the text encoders: what a LoRA file may name."""
        ...

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Whether denoiser and text encoders recompute activations in the backward pass to save memory."""
        ...

    def denoiser(self) -> nn.Module:
        """The part that is trained on."""
        ...

    def rest(self, *, text: bool, vae: bool) -> None:
        """Send text encoders and VAE to wait on the processor, or fetch them; a call has its part with it.

        They wait after loading; so does the denoiser, until engine.models.placing brings it.
        """
        ...

    def tune_vae(self, *, slicing: bool, tiling: bool) -> None:
        """Whether the VAE takes pictures one by one, and large ones in tiles that overlap."""
        ...

    def sampling_pipeline(self, sampler: Sampler) -> SamplingPipeline:
        """diffusers' own pipeline around the loaded parts, as they are now; nothing is read from disk.

        Its prompts go through encode_prompts, so that pictures are drawn from the text that is trained on.
        """
        ...
