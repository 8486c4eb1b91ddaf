"""(prompt, seed) -> picture, for previews and for evaluation."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from engine.config import Sampler, SamplingConfig
from engine.diffusion.seeding import picture_noise
from engine.models.family import ModelFamily
from engine.sampling.prompt_lines import NO_SETTINGS, OwnSettings


@dataclass(kw_only=True, slots=True, frozen=True)
class DrawSettings:
    """Everything beside prompt and seed that a picture depends on."""

    width: int  # pixels
    height: int  # pixels
    steps: int
    guidance_scale: float
    sampler: Sampler
    negative_prompt: str
    batch_size: int = 8  # pictures at a time; the pictures do not depend on it


@dataclass(kw_only=True, slots=True, frozen=True)
class Wanted:
    """One picture that is to be drawn."""

    prompt_index: int
    prompt: str
    seed: int
    own: OwnSettings = NO_SETTINGS  # what the prompt is drawn with in place of the settings of all


@dataclass(kw_only=True, slots=True, frozen=True)
class Sample(Wanted):
    """One drawn picture."""

    image: Image.Image


def draw_settings(config: SamplingConfig, *, size: tuple[int, int]) -> DrawSettings:
    """The settings in force; width and height fall back to the size that is trained on."""
    return DrawSettings(
        width=config.width or size[0],
        height=config.height or size[1],
        steps=config.steps,
        guidance_scale=config.guidance_scale,
        sampler=config.sampler,
        negative_prompt=config.negative_prompt,
        batch_size=config.batch_size,
    )


def draw_pictures(
    family: ModelFamily,
    prompts: Sequence[str],
    seeds: Sequence[int],
    settings: DrawSettings,
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[Sample]:
    """Draw every prompt with every seed, with whatever network is attached to the family.

    on_progress  is told how many pictures are done
    returns      prompts x seeds pictures, prompt by prompt
    """
    samples: list[Sample] = []
    for batch in draw_batches(family, list_wanted(prompts, seeds), settings):
        samples += batch
        on_progress(len(samples))
    return samples


def list_wanted(
    prompts: Sequence[str], seeds: Sequence[int], own: Sequence[OwnSettings] = ()
) -> list[Wanted]:
    """Every prompt with every seed, prompt by prompt; a prompt that has a seed of its own with that alone.

    own  what each prompt is drawn with in place of the settings of all; empty: nothing
    """
    each = own or [NO_SETTINGS] * len(prompts)
    return [
        Wanted(prompt_index=index, prompt=prompt, seed=seed, own=settings)
        for index, (prompt, settings) in enumerate(zip(prompts, each, strict=True))
        for seed in (seeds if settings.seed is None else [settings.seed])
    ]


def draw_batches(
    family: ModelFamily, wanted: Sequence[Wanted], settings: DrawSettings
) -> Iterator[list[Sample]]:
    """Draw any pictures, a batch at a time; none is kept.

    Those of equal settings are drawn together and keep their order.
    """
    groups: dict[DrawSettings, list[Wanted]] = {}
    for one in wanted:
        groups.setdefault(settings_of(settings, one.own), []).append(one)
    for shared, group in groups.items():
        for start in range(0, len(group), shared.batch_size):
            part = group[start : start + shared.batch_size]
            yield [
                Sample(
                    prompt_index=one.prompt_index, prompt=one.prompt, seed=one.seed, own=one.own, image=image
                )
                for one, image in zip(part, _draw(family, part, shared), strict=True)
            ]


def settings_of(settings: DrawSettings, own: OwnSettings) -> DrawSettings:
    """What a prompt is drawn with: its own settings, and those of all for the rest."""
    return replace(
        settings,
        width=settings.width if own.width is None else own.width,
        height=settings.height if own.height is None else own.height,
        steps=settings.steps if own.steps is None else own.steps,
        guidance_scale=settings.guidance_scale if own.guidance_scale is None else own.guidance_scale,
        negative_prompt=settings.negative_prompt if own.negative_prompt is None else own.negative_prompt,
    )


def settings_values(settings: DrawSettings) -> dict[str, str | int | float]:
    """The settings that pictures depend on, as JSON can hold them."""
    return {
        "width": settings.width,
        "height": settings.height,
        "steps": settings.steps,
        "guidance_scale": float(settings.guidance_scale),
        "sampler": settings.sampler.value,
        "negative_prompt": settings.negative_prompt,
    }


def to_png(image: Image.Image) -> bytes:
    """The file of a picture, the same bytes for the same pixels."""
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


@torch.no_grad()
def _draw(family: ModelFamily, wanted: Sequence[Wanted], settings: DrawSettings) -> list[Image.Image]:
    prompts = [one.prompt for one in wanted]
    factor = family.latent_factor
    shape = (family.latent_channels, settings.height // factor, settings.width // factor)
    noise = torch.stack([picture_noise(one.prompt, one.seed, shape) for one in wanted])
    guided = settings.guidance_scale > 1
    latents = family.sampling_pipeline(settings.sampler)(
        prompt=prompts,
        negative_prompt=[settings.negative_prompt] * len(prompts) if guided else None,
        latents=noise.to(family.device, family.dtype),
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        width=settings.width,
        height=settings.height,
        output_type="latent",
    ).images
    return to_images(family.decode_latents(latents))


def to_images(pixels: Tensor) -> list[Image.Image]:
    """pixels [B, 3, H, W] in [0, 1] -> 8-bit pictures, rounded as diffusers' VaeImageProcessor does."""
    arrays = (pixels.permute(0, 2, 3, 1).cpu().numpy() * 255).round().astype("uint8")
    return [Image.fromarray(array) for array in arrays]
