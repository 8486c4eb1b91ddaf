"""What Stable Diffusion 1, 2 and XL have in common: a VAE, a UNet and a schedule of noise levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.diffusion.schedule import NoiseSchedule
from engine.models.clip_text import TokenRows
from engine.models.cut_prompts import warn_cut
from engine.models.family import AdaptableLayer, LatentDistribution, ModelLayer
from engine.models.fingerprint import Fingerprints
from engine.models.memory import RestingParts, with_vae_awake
from engine.models.noise_levels import training_levels
from engine.models.parts import every_layer, layers_of_parts

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel


class UNetParts(Protocol):
    """The parts that each of these families has."""

    vae: AutoencoderKL  # float32: SDXL's overflows in float16
    unet: UNet2DConditionModel
    scheduler: DDPMScheduler

    @property
    def text_encoders(self) -> Mapping[str, nn.Module]:
        """The text encoders by the names of their folders."""
        ...


PartsT = TypeVar("PartsT", bound=UNetParts)


class UNetFamily(RestingParts, Generic[PartsT]):
    """The frozen parts of a checkpoint with a UNet; its text is the subclass's own."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        parts: PartsT,
        fingerprints: Fingerprints,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.config = config
        self.fingerprints = fingerprints
        self.device = device
        self.dtype = dtype
        self._parts = parts
        self._said_cut: set[str] = set()
        self.schedule: NoiseSchedule = training_levels(parts.scheduler, config, device=device)
        self.latent_channels: int = parts.vae.config.latent_channels
        self.latent_factor: int = 2 ** (len(parts.vae.config.block_out_channels) - 1)

    def with_config(self, config: ModelConfig) -> Self:
        """The same loaded parts under the options of another run."""
        return type(self)(
            config, parts=self._parts, fingerprints=self.fingerprints, device=self.device, dtype=self.dtype
        )

    @torch.no_grad()
    @with_vae_awake
    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """pixels [B, 3, H, W] in [-1, 1] -> scaled latents' mean and std [B, C, h, w], float32."""
        posterior = self._parts.vae.encode(pixels.to(self.device, torch.float32)).latent_dist
        scale = self._parts.vae.config.scaling_factor
        return LatentDistribution(mean=posterior.mean * scale, std=posterior.std * scale)

    @torch.no_grad()
    @with_vae_awake
    def decode_latents(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> pixels [B, 3, H, W] in [0, 1], float32."""
        unscaled = latents.to(self.device, torch.float32) / self._parts.vae.config.scaling_factor
        return (self._parts.vae.decode(unscaled).sample / 2 + 0.5).clamp(0, 1)

    def adaptable_layers(self) -> list[AdaptableLayer]:
        """The layers of the UNet and the text encoders that belong to a group, in their own order."""
        return layers_of_parts(self.config.family, {"unet": self._parts.unet, **self._parts.text_encoders})

    def every_layer(self) -> list[ModelLayer]:
        """Every Linear and Conv2d of the UNet and the text encoders."""
        return every_layer({"unet": self._parts.unet, **self._parts.text_encoders})

    def denoiser(self) -> nn.Module:
        """The UNet."""
        return self._parts.unet

    def text_parts(self) -> Iterable[nn.Module]:
        """The text encoders."""
        return self._parts.text_encoders.values()

    def image_parts(self) -> Iterable[nn.Module]:
        """The VAE."""
        return (self._parts.vae,)

    def _say_cut(self, rows: TokenRows) -> None:
        warn_cut(rows.cut, self._said_cut, capacity=rows.capacity, remedy="raise model.token_length")
