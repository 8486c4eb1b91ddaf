"""What the families have in common: frozen parts, their layers, and the VAE that most of them share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.diffusion.schedule import NoiseSchedule
from engine.models.facts import FAMILIES
from engine.models.family import AdaptableLayer, LatentDistribution, ModelLayer
from engine.models.fingerprint import Fingerprints
from engine.models.memory import RestingParts, with_vae_awake
from engine.models.parts import every_layer, layers_of_parts

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


class LoadedParts(Protocol):
    """The parts that every checkpoint has."""

    @property
    def denoiser(self) -> nn.Module:
        """The UNet or the transformer."""
        ...

    @property
    def text_encoders(self) -> Mapping[str, nn.Module]:
        """What a network may go on beside the denoiser, by the names of its folders."""
        ...

    @property
    def vae(self) -> nn.Module:
        """In float32: SDXL's overflows in float16."""
        ...


class KLParts(LoadedParts, Protocol):
    """The parts of a checkpoint with Stable Diffusion's kind of VAE."""

    @property
    def vae(self) -> AutoencoderKL:
        """In float32."""
        ...


PartsT = TypeVar("PartsT", bound=LoadedParts)
KLPartsT = TypeVar("KLPartsT", bound=KLParts)


class LoadedFamily(RestingParts, Generic[PartsT]):
    """The frozen parts of a checkpoint; implements the part of ModelFamily that is the same for all."""

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
        self._said_cut: set[str] = set()  # prompts that were warned of
        self.schedule: NoiseSchedule = self._noise_schedule()

    @abstractmethod
    def _noise_schedule(self) -> NoiseSchedule:
        """The levels that config and scheduler mean."""

    def with_config(self, config: ModelConfig) -> Self:
        """The same loaded parts under the options of another run.

        raises  ConfigError where they do not go with these parts
        """
        return type(self)(
            config, parts=self._parts, fingerprints=self.fingerprints, device=self.device, dtype=self.dtype
        )

    def adaptable_layers(self) -> list[AdaptableLayer]:
        """The denoiser's and the text encoders' layers that belong to a group, in their own order."""
        return layers_of_parts(self.config.family, self._with_layers())

    def every_layer(self) -> list[ModelLayer]:
        """Every Linear and Conv2d of the denoiser and the text encoders."""
        return every_layer(self._with_layers())

    def denoiser(self) -> nn.Module:
        """The UNet or the transformer."""
        return self._parts.denoiser

    def text_parts(self) -> Iterable[nn.Module]:
        """The text encoders."""
        return self._parts.text_encoders.values()

    def image_parts(self) -> Iterable[nn.Module]:
        """The VAE."""
        return (self._parts.vae,)

    def _with_layers(self) -> dict[str, nn.Module]:
        name = FAMILIES[self.config.family].denoiser
        return {name: self._parts.denoiser, **self._parts.text_encoders}


class KLFamily(LoadedFamily[KLPartsT], Generic[KLPartsT]):
    """A family with Stable Diffusion's kind of VAE, its latents scaled and, in newer ones, shifted."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        parts: KLPartsT,
        fingerprints: Fingerprints,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(config, parts=parts, fingerprints=fingerprints, device=device, dtype=dtype)
        self.latent_channels: int = parts.vae.config.latent_channels
        self.latent_factor: int = 2 ** (len(parts.vae.config.block_out_channels) - 1)

    @torch.no_grad()
    @with_vae_awake
    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """pixels [B, 3, H, W] in [-1, 1] -> shifted, scaled latents' mean and std [B, C, h, w], float32."""
        posterior = self._parts.vae.encode(pixels.to(self.device, torch.float32)).latent_dist
        scale, shift = self._scale_and_shift()
        return LatentDistribution(mean=(posterior.mean - shift) * scale, std=posterior.std * scale)

    @torch.no_grad()
    @with_vae_awake
    def decode_latents(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> pixels [B, 3, H, W] in [0, 1], float32."""
        scale, shift = self._scale_and_shift()
        unscaled = latents.to(self.device, torch.float32) / scale + shift
        return (self._parts.vae.decode(unscaled).sample / 2 + 0.5).clamp(0, 1)

    def _scale_and_shift(self) -> tuple[float, float]:
        facts = self._parts.vae.config
        return facts.scaling_factor, facts.shift_factor or 0.0
