"""(prompt, seed) -> picture, for previews and for evaluation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from engine.config import Sampler, SamplingConfig
from engine.diffusion.seeding import picture_noise
from engine.models.family import ModelFamily


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
class Sample:
    """One drawn picture."""

    prompt_index: int
    prompt: str
    seed: int
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
    wanted = [(index, prompt, seed) for index, prompt in enumerate(prompts) for seed in seeds]
    samples: list[Sample] = []
    for part in _parts(wanted, settings.batch_size):
        images = _draw(family, [(prompt, seed) for _, prompt, seed in part], settings)
        samples += [
            Sample(prompt_index=index, prompt=prompt, seed=seed, image=image)
            for (index, prompt, seed), image in zip(part, images, strict=True)
        ]
        on_progress(len(samples))
    return samples


@torch.no_grad()
def _draw(
    family: ModelFamily, wanted: Sequence[tuple[str, int]], settings: DrawSettings
) -> list[Image.Image]:
    prompts = [prompt for prompt, _ in wanted]
    factor = family.latent_factor
    shape = (family.latent_channels, settings.height // factor, settings.width // factor)
    noise = torch.stack([picture_noise(prompt, seed, shape) for prompt, seed in wanted])
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


def _parts(items: list[tuple[int, str, int]], size: int) -> Iterator[list[tuple[int, str, int]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
