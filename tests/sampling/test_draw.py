"""(prompt, seed) to picture, on the demo's model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.config import ModelConfig, Sampler, SamplingConfig
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.sampling import draw
from engine.sampling.draw import DrawSettings, draw_pictures, draw_settings

PROMPTS = [
    "a red star in the middle, blue background",
    "a small green heart at the top left, pink background",
]
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


def test_a_picture_depends_on_its_prompt_and_seed_alone(family: ModelFamily) -> None:
    together = draw_pictures(family, PROMPTS, [1, 2], replace(PLAIN, batch_size=1))
    alone = draw_pictures(family, PROMPTS[1:], [2], replace(PLAIN, batch_size=1))
    assert together[3].image.tobytes() == alone[0].image.tobytes()


def test_the_batch_size_changes_nothing_beyond_a_hundred_thousandth(
    family: ModelFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[np.ndarray] = []
    monkeypatch.setattr(
        draw, "_to_images", lambda pixels: kept.extend(pixels.numpy()) or [None] * len(pixels)
    )
    for size in (1, 4):
        draw_pictures(family, PROMPTS, [1, 2], replace(PLAIN, batch_size=size))
    assert len(kept) == 8
    assert max(float(np.abs(one - two).max()) for one, two in zip(kept[:4], kept[4:], strict=True)) < 1e-5


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


@pytest.mark.parametrize("sampler", list(Sampler))
def test_each_sampler_repeats_itself_and_comes_to_the_same_picture_with_many_steps(
    family: ModelFamily, sampler: Sampler
) -> None:
    settings = replace(PLAIN, sampler=sampler, steps=40)
    one, two = _picture(family, settings), _picture(family, settings)
    assert np.array_equal(one, two)
    reference = _picture(family, replace(PLAIN, steps=40))
    assert np.abs(one - reference).mean() < 6  # of 255: noise of a wrong scale gives another picture


def test_the_size_of_a_picture_is_the_one_asked_for(family: ModelFamily) -> None:
    (sample,) = draw_pictures(family, PROMPTS[:1], [1], replace(PLAIN, width=80, height=48, steps=1))
    assert sample.image.size == (80, 48)


def test_width_and_height_fall_back_to_the_resolution() -> None:
    settings = draw_settings(SamplingConfig(height=96), resolution=64)
    assert (settings.width, settings.height) == (64, 96)


def _picture(family: ModelFamily, settings: DrawSettings) -> np.ndarray:
    (sample,) = draw_pictures(family, PROMPTS[:1], [1], settings)
    return np.asarray(sample.image).astype(np.float32)
