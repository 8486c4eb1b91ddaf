"""FLUX.1: dev and schnell at toy size, against diffusers' own pipeline."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch import Tensor

from engine.config import ConfigError, Family, ModelConfig, Prediction, Sampler
from engine.models.checkpoint import load_family
from engine.models.family import Conditioning, ModelFamily
from engine.models.flux import pack, unpack
from engine.sampling.draw import DrawSettings
from tests.contracts.model_family import CPU, PROMPTS, ModelFamilyContract, random_tensor
from tests.models.tiny_flux import write_tiny_flux

SIZES = torch.zeros(2, 6)  # FLUX is not told of them
TIMESTEPS = torch.tensor([10.0, 900.0])
Load = Callable[..., ModelFamily]


class FluxContract(ModelFamilyContract):
    samplers = (Sampler.flow_euler,)
    timesteps = (10.0, 900.0)
    has_negative_prompt = False

    def their_text(self, pipeline: DiffusionPipeline, prompts: list[str]) -> dict[str, Tensor]:
        hidden, pooled, _ = pipeline.encode_prompt(prompts, max_sequence_length=256)
        return {"hidden": hidden, "pooled": pooled}

    def their_latents(self, pipeline: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
        found, facts = pipeline.vae.encode(pixels).latent_dist, pipeline.vae.config
        return (found.mean - facts.shift_factor) * facts.scaling_factor, found.std * facts.scaling_factor

    def their_pixels(self, pipeline: DiffusionPipeline, latents: Tensor) -> Tensor:
        facts = pipeline.vae.config
        return pipeline.vae.decode(latents / facts.scaling_factor + facts.shift_factor).sample / 2 + 0.5

    def their_prediction(
        self, pipeline: DiffusionPipeline, latents: Tensor, timesteps: Tensor, told: Conditioning
    ) -> Tensor:
        hidden, pooled, text_ids = pipeline.encode_prompt(PROMPTS, max_sequence_length=256)
        num, channels, height, width = latents.shape
        packed, image_ids = pipeline.prepare_latents(
            num, channels, height * 8, width * 8, torch.float32, CPU, None, pack(latents)
        )
        answer = pipeline.transformer(
            hidden_states=packed,
            timestep=timesteps / 1000,
            guidance=torch.ones(num) if pipeline.transformer.config.guidance_embeds else None,
            pooled_projections=pooled,
            encoder_hidden_states=hidden,
            txt_ids=text_ids,
            img_ids=image_ids,
        ).sample
        return pipeline._unpack_latents(answer, height * 8, width * 8, 8)

    def their_scheduler(self, pipeline: DiffusionPipeline, sampler: Sampler) -> object:
        return diffusers.FlowMatchEulerDiscreteScheduler.from_config(pipeline.scheduler.config)

    def their_picture(
        self, pipeline: DiffusionPipeline, prompt: str, noise: Tensor, settings: DrawSettings
    ) -> Image.Image:
        return pipeline(
            prompt,
            latents=pipeline._pack_latents(noise, *noise.shape),
            guidance_scale=settings.guidance_scale,
            num_inference_steps=settings.steps,
            width=settings.width,
            height=settings.height,
            max_sequence_length=256,
        ).images[0]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny_flux_dev"
    write_tiny_flux(folder)
    return folder


@pytest.fixture(scope="module")
def schnell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny_flux_schnell"
    write_tiny_flux(folder, is_dev=False)
    return folder


def _config(folder: Path) -> ModelConfig:
    return ModelConfig(
        name=folder.name,
        family=Family.flux,
        checkpoint=str(folder),
        prediction=Prediction.flow,
        bucket_step=16,
    )


class TestTinyDev(FluxContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, dev: Path) -> Path:
        return dev

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, dev: Path) -> ModelConfig:
        return _config(dev)


class TestTinySchnell(FluxContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, schnell: Path) -> Path:
        return schnell

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, schnell: Path) -> ModelConfig:
        return _config(schnell)


@pytest.fixture
def load(dev: Path) -> Load:
    def load(*, dtype: torch.dtype = torch.float32, **options: object) -> ModelFamily:
        return load_family(replace(_config(dev), **options), device=CPU, dtype=dtype)  # type: ignore[arg-type]

    return load


def _told(family: ModelFamily) -> Conditioning:
    return Conditioning(text=family.encode_prompts(PROMPTS), sizes=SIZES)


def test_a_token_is_two_by_two_latents_channel_by_channel() -> None:
    latents = torch.arange(2 * 4 * 6).view(1, 2, 4, 6)
    tokens = pack(latents)
    assert tokens.shape == (1, 6, 8)
    assert tokens[0, 0].tolist() == [0, 1, 6, 7, 24, 25, 30, 31]  # two rows of channel 0, two of channel 1
    assert tokens[0, 1].tolist() == [2, 3, 8, 9, 26, 27, 32, 33]  # the next to the right
    assert torch.equal(unpack(tokens, height=4, width=6), latents)


def test_guidance_changes_the_prediction(load: Load) -> None:
    plain, told = load(), load(guidance=3.5)
    latents = random_tensor(2, 16, 8, 8)
    with torch.no_grad():
        one = plain.predict(latents, TIMESTEPS, _told(plain))
        other = told.predict(latents, TIMESTEPS, _told(told))
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_guidance_that_schnell_is_not_told_is_refused(schnell: Path) -> None:
    words = r"^model\.guidance=3\.5: this checkpoint's transformer is not told its guidance"
    with pytest.raises(ConfigError, match=words):
        load_family(replace(_config(schnell), guidance=3.5), device=CPU, dtype=torch.float32)
    load_family(_config(schnell), device=CPU, dtype=torch.float32)
    with pytest.raises(ConfigError, match=words):  # from memory, too
        load_family(replace(_config(schnell), guidance=3.5), device=CPU, dtype=torch.float32)


def test_pictures_that_are_not_square_are_read_row_by_row(load: Load, dev: Path) -> None:
    family, latents = load(), random_tensor(2, 16, 4, 10)
    pipeline = DiffusionPipeline.from_pretrained(dev, dtype=torch.float32)
    with torch.no_grad():
        theirs = FluxContract().their_prediction(pipeline, latents, TIMESTEPS, _told(family))
        assert torch.equal(family.predict(latents, TIMESTEPS, _told(family)), theirs)


@pytest.mark.parametrize("size", [(7, 8), (8, 7)])
def test_latents_of_an_odd_side_are_refused_in_training_and_sampling(
    load: Load, size: tuple[int, int]
) -> None:
    family = load(bucket_step=8)
    words = (
        r"^model\.bucket_step=8: FLUX\.1 reads latents two by two, and pictures of "
        rf"{size[1] * 8} x {size[0] * 8} pixels have {size[1]} x {size[0]}\. "
        r"Give sides of pictures that are multiples of 16\.$"
    )
    with pytest.raises(ConfigError, match=words):
        family.predict(random_tensor(2, 16, *size), TIMESTEPS, _told(family))
    with pytest.raises(ConfigError, match=words):
        _draw(family, random_tensor(2, 16, *size))


def test_a_longer_t5_text_is_read_further(load: Load) -> None:
    long, longer = "red star " * 20, "red star " * 20 + "blue heart"
    short, whole = load(t5_token_length=32), load(t5_token_length=64)
    one, other = short.encode_prompts([long, longer])["hidden"]
    assert one.shape == (32, 32) and torch.equal(one, other)  # 31 words and an end
    one, other = whole.encode_prompts([long, longer])["hidden"]
    assert one.shape == (64, 32) and not torch.allclose(one, other, atol=1e-3)


def test_what_t5_cuts_is_said_once(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    family, words = load(t5_token_length=16), "red star " * 10
    family.encode_prompts(["red star", words])
    family.encode_prompts([words])
    (record,) = caplog.records
    said = f"cut after 15 tokens: {words}. Shorten it, or raise model.t5_token_length."
    assert record.getMessage() == said


def test_with_the_mask_of_t5_the_prediction_is_that_of_the_words_alone(load: Load, dev: Path) -> None:
    """Positions of text are all zero, so that a text without padding is the exact reference."""
    family, latents = load(t5_attention_mask=True), random_tensor(2, 16, 8, 8)
    told = _told(family)
    assert told.text["mask"].sum(dim=1).tolist() == [10, 4]  # 8 words, a comma, the end; 3 words, the end
    pipeline = DiffusionPipeline.from_pretrained(dev, dtype=torch.float32)
    with torch.no_grad():
        ours = family.predict(latents, TIMESTEPS, told)
        unmasked = load().predict(latents, TIMESTEPS, _told(load()))
        for index, prompt in enumerate(PROMPTS):
            ids = pipeline.tokenizer_2(prompt, return_tensors="pt").input_ids
            theirs = pipeline.transformer(
                hidden_states=pack(latents[index : index + 1]),
                timestep=TIMESTEPS[index : index + 1] / 1000,
                guidance=torch.ones(1),
                pooled_projections=told.text["pooled"][index : index + 1],
                encoder_hidden_states=pipeline.text_encoder_2(ids).last_hidden_state,
                txt_ids=torch.zeros(ids.shape[1], 3),
                img_ids=pipeline._prepare_latent_image_ids(1, 4, 4, CPU, torch.float32),
            ).sample
            expected = unpack(theirs, height=8, width=8)
            assert torch.allclose(ours[index : index + 1], expected, atol=1e-5)
    assert not torch.allclose(ours, unmasked, atol=1e-3)


def test_with_the_mask_pictures_do_not_depend_on_how_far_the_text_is_padded(load: Load) -> None:
    noise = random_tensor(2, 16, 8, 8)
    short = _draw(load(t5_attention_mask=True, t5_token_length=32), noise)
    long = _draw(load(t5_attention_mask=True, t5_token_length=256), noise)
    assert torch.allclose(short, long, atol=1e-4)
    unmasked = [_draw(load(t5_token_length=length), noise) for length in (32, 256)]
    assert not torch.allclose(*unmasked, atol=1e-2)


def test_the_mask_holds_where_activations_are_recomputed(load: Load) -> None:
    family = load(t5_attention_mask=True)
    latents, told = random_tensor(2, 16, 8, 8), _told(family)
    plain = family.predict(latents, TIMESTEPS, told)
    family.set_gradient_checkpointing(True)
    try:
        recomputed = family.predict(latents.requires_grad_(), TIMESTEPS, told)
    finally:
        family.set_gradient_checkpointing(False)
    assert torch.equal(plain, recomputed)


def test_in_bfloat16_latents_are_those_of_the_pipeline_in_bfloat16(load: Load, dev: Path) -> None:
    noise = random_tensor(2, 16, 8, 8).bfloat16()
    pipeline = DiffusionPipeline.from_pretrained(dev, dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        PROMPTS, latents=pack(noise), guidance_scale=3.5, num_inference_steps=3, width=64, height=64,
        max_sequence_length=256, output_type="latent",
    ).images  # fmt: skip
    ours = _draw(load(dtype=torch.bfloat16), noise)
    assert torch.equal(ours, unpack(theirs, height=8, width=8))


def _draw(family: ModelFamily, noise: Tensor) -> Tensor:
    return family.sampling_pipeline(Sampler.flow_euler)(
        prompt=PROMPTS,
        negative_prompt=None,
        latents=noise,
        num_inference_steps=3,
        guidance_scale=3.5,
        width=noise.shape[-1] * 8,
        height=noise.shape[-2] * 8,
        output_type="latent",
    ).images
