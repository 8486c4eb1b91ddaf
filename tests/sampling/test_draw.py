"""(prompt, seed) to picture, on the demo's model."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import Family, ModelConfig, Sampler, SamplingConfig
from engine.diffusion.seeding import picture_noise
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.models.family import ModelFamily
from engine.sampling import draw
from engine.sampling.draw import DrawSettings, draw_pictures, draw_settings

PROMPTS = [
    "a red star in the middle, blue background",
    "a small green heart at the top left, pink background",
]
SAMPLERS = FAMILIES[Family.sd1].samplers
PLAIN = DrawSettings(
    width=64, height=64, steps=6, guidance_scale=2.0, sampler=Sampler.ddim, negative_prompt=""
)


@pytest.fixture(scope="module")
def family() -> ModelFamily:
    return load_family(
        ModelConfig(checkpoint="demo/weights"), device=torch.device("cpu"), dtype=torch.float32
    )


def test_every_prompt_is_drawn_with_every_seed_in_order(family: ModelFamily) -> None:
    done: list[int] = []
    samples = draw_pictures(family, PROMPTS, [3, 1], replace(PLAIN, batch_size=3), on_progress=done.append)
    assert [(sample.prompt_index, sample.prompt, sample.seed) for sample in samples] == [
        (0, PROMPTS[0], 3),
        (0, PROMPTS[0], 1),
        (1, PROMPTS[1], 3),
        (1, PROMPTS[1], 1),
    ]
    assert done == [3, 4]
    assert len({sample.image.tobytes() for sample in samples}) == 4


def test_the_first_noise_is_that_of_prompt_and_seed_whatever_stands_beside_it() -> None:
    one = _noise_of(PROMPTS, [1, 2], batch_size=4)
    assert set(one) == {(prompt, seed) for prompt in PROMPTS for seed in (1, 2)}
    for (prompt, seed), noise in one.items():
        assert np.array_equal(noise, picture_noise(prompt, seed, (4, 6, 10)).numpy())
    other = _noise_of([*reversed(PROMPTS), "a third"], [7, 2, 1], batch_size=2)
    assert all(np.array_equal(other[key], noise) for key, noise in one.items())
    assert len({noise.tobytes() for noise in other.values()}) == 9


def test_batch_size_and_order_change_nothing_beyond_a_hundred_thousandth(
    family: ModelFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[np.ndarray] = []  # [3, H, W] in [0, 1], before rounding
    monkeypatch.setattr(draw, "to_images", lambda pixels: kept.extend(pixels.numpy()) or [None] * len(pixels))
    found: list[dict[tuple[str, int], np.ndarray]] = []
    for prompts, seeds, size in ((PROMPTS, [1, 2], 1), (PROMPTS, [1, 2], 4), (PROMPTS[::-1], [2, 1], 3)):
        kept.clear()
        samples = draw_pictures(family, prompts, seeds, replace(PLAIN, batch_size=size))
        keys = [(sample.prompt, sample.seed) for sample in samples]
        found.append(dict(zip(keys, kept, strict=True)))
    for other in found[1:]:  # 7e-7 measured
        assert other.keys() == found[0].keys()
        assert max(float(np.abs(other[key] - found[0][key]).max()) for key in other) < 1e-5


def test_guidance_and_the_negative_prompt_change_the_picture(family: ModelFamily) -> None:
    plain = _picture(family, PLAIN)
    assert np.abs(_picture(family, replace(PLAIN, guidance_scale=6.0)) - plain).max() > 20
    assert np.abs(_picture(family, replace(PLAIN, negative_prompt="blue background")) - plain).max() > 20


def test_without_guidance_the_denoiser_runs_once_a_step(
    family: ModelFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    unet = family.adaptable_layers()[0].root
    handle = unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    try:
        _picture(family, replace(PLAIN, guidance_scale=1.0))
        _picture(family, replace(PLAIN, guidance_scale=1.5))
    finally:
        handle.remove()
    assert rows == [1] * 6 + [2] * 6


@pytest.mark.parametrize(("guidance", "negatives"), [(1.0, None), (0.0, None), (1.01, ["ugly", "ugly"])])
def test_the_negative_prompt_is_given_with_guidance_only(
    guidance: float, negatives: list[str] | None
) -> None:
    blank = Blank()
    settings = replace(PLAIN, guidance_scale=guidance, negative_prompt="ugly")
    draw_pictures(blank, PROMPTS, [1], settings)  # type: ignore[arg-type]
    (call,) = blank.calls
    assert call["negative_prompt"] == negatives and call["guidance_scale"] == guidance


@pytest.mark.parametrize("sampler", [sampler for sampler in SAMPLERS if sampler is not Sampler.ddim])
def test_each_sampler_comes_nearer_to_ddim_than_another_seed_does(
    family: ModelFamily, sampler: Sampler
) -> None:
    # In levels of 255: euler 0.3, dpmpp_2m 0.8; another seed 1.8; euler from noise of the wrong scale 3.1.
    many = replace(PLAIN, steps=20)
    reference = _picture(family, many)
    other_seed = np.abs(_picture(family, many, seed=2) - reference).mean()
    assert np.abs(_picture(family, replace(many, sampler=sampler)) - reference).mean() < other_seed / 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler_repeats_itself(family: ModelFamily, sampler: Sampler) -> None:
    settings = replace(PLAIN, sampler=sampler, steps=3)
    one = _picture(family, settings)
    torch.manual_seed(77)  # torch's own generator plays no part
    assert np.array_equal(_picture(family, settings), one)


def test_the_samplers_are_not_one_and_the_same(family: ModelFamily) -> None:
    pictures = [_picture(family, replace(PLAIN, sampler=sampler, steps=3)) for sampler in SAMPLERS]
    assert len({picture.tobytes() for picture in pictures}) == len(SAMPLERS)


def test_the_size_of_a_picture_is_the_one_asked_for(family: ModelFamily) -> None:
    (sample,) = draw_pictures(family, PROMPTS[:1], [1], replace(PLAIN, width=80, height=48, steps=1))
    assert sample.image.size == (80, 48)


def test_width_and_height_fall_back_to_the_resolution() -> None:
    settings = draw_settings(SamplingConfig(height=96), size=(64, 32))
    assert (settings.width, settings.height) == (64, 96)


@pytest.mark.parametrize(("pixel", "level"), [(0.0, 0), (1.0, 255), (0.4999, 127), (0.5001, 128), (0.7, 178)])
def test_pixels_are_rounded_to_the_nearest_of_256_levels(pixel: float, level: int) -> None:
    blank = Blank(pixel)
    (sample,) = draw_pictures(blank, PROMPTS[:1], [1], PLAIN)  # type: ignore[arg-type]
    assert sample.image.mode == "RGB" and sample.image.getextrema() == ((level, level),) * 3


class Blank:
    """A family whose pictures are of one grey, and which keeps what its pipeline was asked."""

    device = torch.device("cpu")
    dtype = torch.float32
    latent_channels = 4
    latent_factor = 8

    def __init__(self, pixel: float = 0.5) -> None:
        self.pixel = pixel
        self.calls: list[dict[str, Any]] = []

    def sampling_pipeline(self, sampler: Sampler) -> "Blank":
        return self

    def __call__(self, **options: Any) -> "Blank":
        self.calls.append(options)
        self.images = options["latents"]
        return self

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.full((len(latents), 3, latents.shape[2] * 8, latents.shape[3] * 8), self.pixel)


def _noise_of(prompts: list[str], seeds: list[int], *, batch_size: int) -> dict[tuple[str, int], np.ndarray]:
    """What the pipeline is given for each prompt and seed; pictures of 80 x 48."""
    blank = Blank()
    settings = replace(PLAIN, width=80, height=48, batch_size=batch_size)
    samples = draw_pictures(blank, prompts, seeds, settings)  # type: ignore[arg-type]
    noise = torch.cat([call["latents"] for call in blank.calls]).numpy()
    assert [prompt for call in blank.calls for prompt in call["prompt"]] == [one.prompt for one in samples]
    assert max(len(call["latents"]) for call in blank.calls) <= batch_size
    return {(one.prompt, one.seed): row for one, row in zip(samples, noise, strict=True)}


def _picture(family: ModelFamily, settings: DrawSettings, *, seed: int = 1) -> np.ndarray:
    (sample,) = draw_pictures(family, PROMPTS[:1], [seed], settings)
    return np.asarray(sample.image).astype(np.float32)
