"""Anima: at toy size against diffusers' own pipeline, at real size against kohya's layers."""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import CosmosTransformer3DModel, DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from diffusers.models.transformers import transformer_cosmos
from diffusers.modular_pipelines import ModularPipeline
from PIL import Image
from torch import Tensor

from engine.config import Family, LayerGroup, ModelConfig, Prediction, Sampler
from engine.config.outcome import Outcome
from engine.diffusion.seeding import picture_noise
from engine.models.anima import lend_resize, resize_nearest
from engine.models.checkpoint import load_family
from engine.models.facts import layer_group
from engine.models.family import Conditioning, ModelFamily
from engine.models.layouts import CONFIGS
from engine.networks.kohya_names import ALPHA, DOWN, UP, kohya_key
from engine.networks.lora_from_file import attach_lora_file, read_kohya_lora
from engine.sampling.draw import DrawSettings, draw_pictures
from engine.training.result import TrainResult
from tests.contracts.model_family import CPU, PROMPTS, ModelFamilyContract, random_tensor
from tests.models.tiny_anima import LENGTH, write_tiny_anima
from tests.training.toy_runs import train_small

TRAINED = (LayerGroup.attention, LayerGroup.feed_forward)  # where nothing else is asked for
GOLDEN = Path(__file__).parents[1] / "golden" / "e_lora_keys" / "anima_dim16_alpha8.json"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny_anima"
    write_tiny_anima(folder)
    return folder


@pytest.fixture(scope="module")
def tiny_config(tiny: Path) -> ModelConfig:
    return ModelConfig(
        name="tiny_anima", family=Family.anima, checkpoint=str(tiny), prediction=Prediction.flow
    )


class TestTinyAnima(ModelFamilyContract):
    samplers = (Sampler.flow_euler,)
    timesteps = (10.5, 900.25)

    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tiny: Path) -> Path:
        return tiny

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_config: ModelConfig) -> ModelConfig:
        return tiny_config

    @pytest.fixture
    def pipeline(self, checkpoint: Path) -> ModularPipeline:
        return _pipeline(checkpoint)

    def their_text(self, pipeline: DiffusionPipeline, prompts: list[str]) -> dict[str, Tensor]:
        text, conditioning = (
            pipeline.blocks.get_workflow("text2image").sub_blocks[step]
            for step in ("text_encoder", "denoise.text_conditioning")
        )
        told = text.encode_prompt(
            pipeline, prompts, prepare_unconditional_embeds=False, max_sequence_length=LENGTH
        )
        hidden = conditioning._condition_prompt_embeds(
            pipeline,
            *(told[name] for name in ("qwen_prompt_embeds", "qwen_attention_mask")),
            *(told[name] for name in ("t5_input_ids", "t5_attention_mask")),
            device=CPU,
            conditioning_dtype=torch.float32,
            output_dtype=torch.float32,
        )
        return {"hidden": hidden}

    def their_latents(self, pipeline: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
        from diffusers.modular_pipelines.anima.encoders import encode_vae_image

        mean = encode_vae_image(pixels, pipeline.vae, None, CPU, torch.float32)
        std = pipeline.vae.encode(pixels[:, :, None]).latent_dist.std
        return mean[:, :, 0], std[:, :, 0] / _channels(pipeline.vae.config.latents_std)

    def their_pixels(self, pipeline: DiffusionPipeline, latents: Tensor) -> Tensor:
        decode = pipeline.blocks.get_workflow("text2image").sub_blocks["decode.decode"]
        alone = decode.init_pipeline()
        alone.update_components(vae=pipeline.vae)
        pixels: Tensor = alone(latents=latents[:, :, None], output="images")
        return pixels / 2 + 0.5

    def their_prediction(
        self, pipeline: DiffusionPipeline, latents: Tensor, timesteps: Tensor, told: Conditioning
    ) -> Tensor:
        predicted: Tensor = pipeline.transformer(
            hidden_states=latents[:, :, None],
            timestep=timesteps / pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=self.their_text(pipeline, PROMPTS)["hidden"],
            padding_mask=torch.zeros(1, 1, self.side, self.side),
        ).sample
        return predicted[:, :, 0]

    def their_scheduler(self, pipeline: DiffusionPipeline, sampler: Sampler) -> object:
        return FlowMatchEulerDiscreteScheduler.from_config(pipeline.scheduler.config)

    def their_picture(
        self, pipeline: DiffusionPipeline, prompt: str, noise: Tensor, settings: DrawSettings
    ) -> Image.Image:
        return _draw(pipeline, prompt, noise, settings)


@pytest.fixture
def family(tiny_config: ModelConfig) -> ModelFamily:
    return load_family(tiny_config, device=CPU, dtype=torch.float32)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_in_bfloat16_the_same_latents_are_drawn(
    tiny: Path, tiny_config: ModelConfig, guidance: float
) -> None:
    pipeline = _pipeline(tiny, dtype=torch.bfloat16)
    pipeline.guider.guidance_scale = guidance
    noise = random_tensor(2, 16, 8, 6).bfloat16()
    size = {"num_inference_steps": 3, "width": 48, "height": 64}
    draw = load_family(tiny_config, device=CPU, dtype=torch.bfloat16).sampling_pipeline(Sampler.flow_euler)
    ours = draw(
        prompt=PROMPTS,
        negative_prompt=None,
        latents=noise,
        guidance_scale=guidance,
        output_type="latent",
        **size,  # type: ignore[arg-type]
    ).images
    theirs = pipeline(
        prompt=PROMPTS, latents=noise[:, :, None], max_sequence_length=LENGTH, output="latents", **size
    )
    assert ours.shape == noise.shape and torch.equal(ours, theirs[:, :, 0])


def test_the_groups_of_the_published_transformer_are_kohyas_layers() -> None:
    with torch.device("meta"):
        transformer = CosmosTransformer3DModel.from_config(
            CosmosTransformer3DModel.load_config(CONFIGS / "anima" / "transformer")
        )
    shapes = {
        name: list(module.weight.shape)
        for name, module in transformer.named_modules()
        if layer_group(Family.anima, name) in (LayerGroup.attention, LayerGroup.feed_forward)
    }
    modules = json.loads(GOLDEN.read_text())["modules"]
    theirs = {key: row["org_weight_shape"] for key, row in modules.items() if key.startswith("lora_unet_")}
    assert len(shapes) == 280
    assert list(
        {kohya_key(Family.anima, "transformer", name): shape for name, shape in shapes.items()}.items()
    ) == list(theirs.items())


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("transformer_blocks.27.attn2.to_out.0", LayerGroup.attention),
        ("transformer_blocks.0.ff.net.0.proj", LayerGroup.feed_forward),
        ("transformer_blocks.0.norm3.linear_2", LayerGroup.modulation),
        ("transformer_blocks.0.attn1.norm_q", None),
        ("transformer_blocks.0.norm1.norm", None),
        ("norm_out.linear_1", None),
        ("time_embed.t_embedder.linear_1", None),
        ("patch_embed.proj", None),
        ("proj_out", None),
    ],
)
def test_a_module_belongs_to_one_group_or_to_none(name: str, group: LayerGroup | None) -> None:
    assert layer_group(Family.anima, name) is group


def test_a_caption_encoded_alone_has_the_length_and_nearly_the_values_of_one_among_others(
    family: ModelFamily,
) -> None:
    captions = ["", "a red star", "a sks creature, " * 20]
    together = family.encode_prompts(captions)["hidden"]
    assert together.shape == (3, LENGTH, 16)
    for caption, hidden in zip(captions, together, strict=True):
        (alone,) = family.encode_prompts([caption])["hidden"]
        assert torch.allclose(alone, hidden, atol=1e-5)


def test_text_is_zero_after_its_last_word(family: ModelFamily) -> None:
    # By hand: T5 reads one word and the end, which are two states of the conditioner.
    (hidden,) = family.encode_prompts(["red"])["hidden"]
    assert bool((hidden[:2].abs().sum(-1) > 0).all()) and not hidden[2:].any()


def test_a_prompt_that_is_too_long_is_cut_and_said_once(
    family: ModelFamily, caplog: pytest.LogCaptureFixture
) -> None:
    # By hand: a word is one token for either tokenizer, and T5 adds the end.
    fits, cut, longer = (" ".join(["star"] * count) for count in (LENGTH - 1, LENGTH, LENGTH + 9))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            hidden = family.encode_prompts([fits, cut, longer])["hidden"]
    said = [f"cut after {LENGTH} tokens: {prompt}. Shorten it." for prompt in (cut, longer)]
    assert [record.getMessage() for record in caplog.records] == said
    assert torch.equal(hidden[1], hidden[2])


def test_the_velocity_is_taken_by_the_scheduler_as_noise_minus_latents(family: ModelFamily) -> None:
    # One step of diffusers' scheduler with e - x as the answer leads from x_t to x itself at sigma 0.
    latents, noise = random_tensor(1, 16, 4, 4), random_tensor(1, 16, 4, 4).flip(0, 1)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(sigmas=[0.6])  # 3 * 0.6 / (1 + 2 * 0.6) = 0.818...
    (timestep,) = scheduler.timesteps
    assert float(timestep) == pytest.approx(1000 * 1.8 / 2.2)
    noisy = family.schedule.add_noise(latents, noise, timestep[None])
    velocity = family.schedule.target(latents, noise, timestep[None], prediction=Prediction.flow)
    found = scheduler.step(velocity, timestep, noisy, return_dict=False)[0]
    assert torch.allclose(found, latents, atol=1e-5)


def test_fifty_steps_on_four_pictures_lower_the_fixed_loss(trained: TrainResult) -> None:
    losses = [loss for _, loss in trained.val_losses]
    assert (trained.outcome, trained.steps_done) == (Outcome.completed, 50)
    assert losses[-1] < 0.95 * losses[0]


def test_a_trained_lora_draws_its_picture_in_diffusers_alone(
    trained: TrainResult, tiny: Path, family: ModelFamily
) -> None:
    """diffusers does not read kohya's keys of Anima: it is told of the same matrices by its own names."""
    assert trained.weights is not None
    settings = DrawSettings(
        width=64,
        height=64,
        steps=4,
        guidance_scale=3.0,
        sampler=Sampler.flow_euler,
        negative_prompt="a blue heart",
    )
    file, layers = read_kohya_lora(trained.weights), family.adaptable_layers()
    (base,) = draw_pictures(family, PROMPTS[:1], [5], settings)
    attached = attach_lora_file(
        file, family.every_layer(), family=Family.anima, path=trained.weights, device=CPU
    )
    (ours,) = draw_pictures(family, PROMPTS[:1], [5], settings)
    attached.detach()
    state = {}
    for name in [layer.name for layer in layers if layer.group in TRAINED]:
        key = kohya_key(Family.anima, "transformer", name)
        alpha, down, up = (file.state[f"{key}.{ending}"].float() for ending in (ALPHA, DOWN, UP))
        state[f"transformer.{name}.lora_A.weight"] = down
        state[f"transformer.{name}.lora_B.weight"] = up * (alpha / len(down))
    assert len(state) * 3 == len(file.state) * 2  # all of the file
    pipeline = _pipeline(tiny)
    pipeline.load_lora_weights(state)
    noise = picture_noise(PROMPTS[0], 5, (16, 8, 8))[None]
    theirs = _draw(pipeline, PROMPTS[0], noise, settings)
    assert _distance(ours.image, base.image) > 10 * _distance(ours.image, theirs)
    assert _distance(ours.image, theirs) < 0.1


def test_the_stand_in_takes_the_nearest_value() -> None:
    mask = torch.arange(16.0).view(1, 1, 4, 4)
    assert resize_nearest(mask, [2, 2], interpolation="nearest").tolist() == [[[[0, 2], [8, 10]]]]
    assert torch.equal(resize_nearest(mask, [4, 4], interpolation="nearest"), mask)


def test_the_stand_in_is_lent_to_one_file_and_replaces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name for name in sys.modules if name.split(".")[0] == "torchvision"}
    monkeypatch.delattr(transformer_cosmos, "transforms", raising=False)
    lend_resize()
    assert transformer_cosmos.transforms.functional.resize is resize_nearest
    assert {name for name in sys.modules if name.split(".")[0] == "torchvision"} == before
    real = object()
    monkeypatch.setattr(transformer_cosmos, "transforms", real)
    lend_resize()
    assert transformer_cosmos.transforms is real


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder = tmp_path_factory.mktemp("trained")
    photos = folder / "photos"
    photos.mkdir()
    for index, colour in enumerate(("red", "green", "blue", "white")):
        picture = Image.new("RGB", (64, 64), "black")
        picture.paste(colour, (8 * index, 8, 32 + 8 * index, 40))
        picture.save(photos / f"{colour}.png")
        (photos / f"{colour}.txt").write_text(f"a {colour} star")
    return train_small(
        folder,
        "model=anima",
        f"model.checkpoint={tiny}",
        f"dataset.path={photos}",
        "dataset.resolution=64",
        "training.steps=50",
        "training.validate_every=50",
        "training.validation_images=4",
        "optimizer.lr=1e-2",
        "network.rank=4",
    )


def _pipeline(checkpoint: Path, dtype: torch.dtype = torch.float32) -> ModularPipeline:
    pipeline = ModularPipeline.from_pretrained(checkpoint)
    pipeline.load_components(dtype=dtype)
    return pipeline


def _draw(pipeline: ModularPipeline, prompt: str, noise: Tensor, settings: DrawSettings) -> Image.Image:
    pipeline.guider.guidance_scale = settings.guidance_scale
    picture: Image.Image = pipeline(
        prompt=prompt,
        negative_prompt=settings.negative_prompt,
        max_sequence_length=LENGTH,
        latents=noise[:, :, None],
        num_inference_steps=settings.steps,
        width=settings.width,
        height=settings.height,
        output="images",
    )[0]
    return picture


def _distance(one: Image.Image, two: Image.Image) -> float:
    """Mean difference of their values, 0 to 255."""
    pixels = [np.asarray(image, dtype=np.float32) for image in (one, two)]
    return float(np.abs(pixels[0] - pixels[1]).mean())


def _channels(values: list[float]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)
