"""Stable Diffusion 3 with T5 and without, and 3.5: at toy size against diffusers, at real size by shape."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel
from PIL import Image
from torch import Tensor

from engine.config import ConfigError, Family, LayerGroup, ModelConfig, Prediction, Sampler
from engine.config.outcome import Outcome
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.models.family import AdaptableLayer, Conditioning, ModelFamily
from engine.models.parts import adaptable_layers
from tests.contracts.model_family import CPU, PROMPTS, ModelFamilyContract, random_tensor
from tests.models.tiny_sd3 import write_tiny_sd3
from tests.training.toy_runs import train_small

GOLDEN = Path(__file__).parents[1] / "golden"
PUBLISHED = {  # of the transformers' config.json, where they differ
    "medium": {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536},
    "3.5 medium": {
        "num_layers": 24,
        "num_attention_heads": 24,
        "caption_projection_dim": 1536,
        "pos_embed_max_size": 384,
        "dual_attention_layers": tuple(range(13)),
        "qk_norm": "rms_norm",
    },
    "3.5 large": {
        "num_layers": 38,
        "num_attention_heads": 38,
        "caption_projection_dim": 2432,
        "qk_norm": "rms_norm",
    },
}
Load = Callable[..., ModelFamily]


class OfSD3(ModelFamilyContract):
    """How diffusers' StableDiffusion3Pipeline does it."""

    samplers = (Sampler.flow_euler,)
    timesteps = (10.5, 900.0)

    def their_text(self, pipeline: DiffusionPipeline, prompts: list[str]) -> dict[str, Tensor]:
        hidden, _, pooled, _ = pipeline.encode_prompt(
            prompts, None, None, device=CPU, do_classifier_free_guidance=False
        )
        return {"hidden": hidden, "pooled": pooled}

    def their_latents(self, pipeline: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
        found, config = pipeline.vae.encode(pixels).latent_dist, pipeline.vae.config
        mean = (found.mean - config.shift_factor) * config.scaling_factor
        return mean, found.std * config.scaling_factor

    def their_pixels(self, pipeline: DiffusionPipeline, latents: Tensor) -> Tensor:
        config = pipeline.vae.config
        return pipeline.vae.decode(latents / config.scaling_factor + config.shift_factor).sample / 2 + 0.5

    def their_prediction(
        self, pipeline: DiffusionPipeline, latents: Tensor, timesteps: Tensor, told: Conditioning
    ) -> Tensor:
        text = self.their_text(pipeline, PROMPTS)
        return pipeline.transformer(
            latents, text["hidden"], pooled_projections=text["pooled"], timestep=timesteps
        ).sample

    def their_scheduler(self, pipeline: DiffusionPipeline, sampler: Sampler) -> object:
        return FlowMatchEulerDiscreteScheduler.from_config(pipeline.scheduler.config)

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(
            name="tiny", family=Family.sd3, checkpoint=str(checkpoint), prediction=Prediction.flow
        )


class TestTiny3(OfSD3):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sd3"
        write_tiny_sd3(folder)
        return folder


class TestTiny3WithoutT5(OfSD3):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sd3_without_t5"
        write_tiny_sd3(folder, with_t5=False)
        return folder

    @pytest.fixture
    def pipeline(self, checkpoint: Path) -> DiffusionPipeline:
        """diffusers takes the lack of a part only when told of it."""
        pipeline = DiffusionPipeline.from_pretrained(checkpoint, text_encoder_3=None, tokenizer_3=None)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


class TestTiny35(OfSD3):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sd35"
        write_tiny_sd3(folder, is_35=True)
        return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """With T5 and without."""
    folder = tmp_path_factory.mktemp("models")
    for with_t5 in (True, False):
        write_tiny_sd3(folder / str(with_t5), with_t5=with_t5)
    return {with_t5: folder / str(with_t5) for with_t5 in (True, False)}


@pytest.fixture
def load(folders: dict[bool, Path]) -> Load:
    def load(*, with_t5: bool = True, **options: object) -> ModelFamily:
        config = ModelConfig(
            name="tiny", family=Family.sd3, checkpoint=str(folders[with_t5]), prediction=Prediction.flow
        )
        return load_family(replace(config, **options), device=CPU, dtype=torch.float32)  # type: ignore[arg-type]

    return load


def transformer(name: str) -> SD3Transformer2DModel:
    """At real size, without weights."""
    with torch.device("meta"):
        return SD3Transformer2DModel(
            sample_size=128,
            **{
                "attention_head_dim": 64,
                "joint_attention_dim": 4096,
                "pooled_projection_dim": 2048,
                "pos_embed_max_size": 192,
                **PUBLISHED[name],
            },
        )


def shape(layer: AdaptableLayer) -> tuple[int, int]:
    """Of its weight, that of joined modules one above the other."""
    weights = [layer.root.get_submodule(name).weight for name in (layer.name, *layer.joined)]
    assert len({weight.shape[1] for weight in weights}) == 1
    return sum(len(weight) for weight in weights), weights[0].shape[1]


@pytest.mark.parametrize(("name", "count"), [("medium", 237), ("3.5 medium", 263), ("3.5 large", 377)])
def test_a_published_transformer_has_as_many_layers_as_in_kohyas_files(name: str, count: int) -> None:
    model = transformer(name)
    layers = adaptable_layers(Family.sd3, "transformer", model)
    assert len(layers) == count
    # By hand: each block has two q/k/v, two ways out, two feed-forwards of two layers, two modulations; the
    # last has no way out and no feed-forward of the text; a second attention has q/k/v and a way out.
    blocks, twice = model.config.num_layers, len(model.config.dual_attention_layers)
    assert Counter(layer.group for layer in layers) == {
        LayerGroup.attention: 4 * blocks - 1 + 2 * twice,
        LayerGroup.feed_forward: 4 * blocks - 2,
        LayerGroup.modulation: 2 * blocks,
    }


def test_the_layers_of_sd3_medium_have_the_shapes_of_kohyas_file() -> None:
    rows = json.loads((GOLDEN / "e_lora_keys" / "sd3m_dim16_alpha8.json").read_text())["modules"]
    theirs = [tuple(row["org_weight_shape"]) for key, row in rows.items() if key.startswith("lora_unet_")]
    layers = adaptable_layers(Family.sd3, "transformer", transformer("medium"))
    assert Counter(map(shape, layers)) == Counter(theirs)


def test_what_stands_beside_the_blocks_is_not_adaptable() -> None:
    model = transformer("3.5 medium")
    adapted = {
        name for layer in adaptable_layers(Family.sd3, "", model) for name in (layer.name, *layer.joined)
    }
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert adapted < linear
    assert {name.split(".")[0] for name in linear - adapted} == {
        "time_text_embed",
        "context_embedder",
        "norm_out",
        "proj_out",
    }


def test_text_is_clip_beside_clip_then_t5(load: Load) -> None:
    text = load().encode_prompts(["a red star"])
    assert text["hidden"].shape == (1, 77 + 256, 64) and text["pooled"].shape == (1, 16 + 32)
    clips, t5 = text["hidden"][0].split([77, 256])
    assert bool(clips[:, : 16 + 32].abs().sum(dim=1).all()) and not clips[:, 16 + 32 :].any()
    assert bool(t5.abs().sum(dim=1).all())


def test_without_t5_its_place_is_zeros(load: Load) -> None:
    without = load(with_t5=False).encode_prompts(["a red star"])
    with_t5 = load().encode_prompts(["a red star"])
    assert without["hidden"].shape == with_t5["hidden"].shape
    assert not without["hidden"][:, 77:].any()
    assert torch.equal(without["hidden"][:, :77], with_t5["hidden"][:, :77])
    assert torch.equal(without["pooled"], with_t5["pooled"])


def test_a_longer_t5_text_is_read_further(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    prompts = ["red star " * 10 + ending for ending in ("red", "blue")]  # 20 words, the last one, the end
    short, long = load(t5_token_length=16), load(t5_token_length=22)
    one, two = short.encode_prompts(prompts)["hidden"][:, 77:]
    assert one.shape == (16, 64) and torch.equal(one, two)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert caplog.messages[0] == (
        f"cut after 15 tokens: {prompts[0]}. Shorten it, or raise model.t5_token_length."
    )
    caplog.clear()
    short.encode_prompts(prompts)  # said once
    one, two = long.encode_prompts(prompts)["hidden"][:, 77:]
    assert one.shape == (22, 64) and not torch.allclose(one[:20], two[:20], atol=1e-4)
    assert caplog.messages == []


def test_what_clip_cuts_is_said_where_no_t5_reads_on(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    prompt = "red star " * 40
    load().encode_prompts([prompt])
    assert caplog.messages == []
    load(with_t5=False).encode_prompts([prompt])
    assert caplog.messages == [f"cut after 75 tokens: {prompt}. Shorten it, or use a checkpoint with T5."]


def test_padding_of_t5_can_be_passed_over(load: Load) -> None:
    prompts = ["a red star", "red star " * 200]  # 3 words and the end; no padding
    plain = load().encode_prompts(prompts)
    masked = load(t5_attention_mask=True).encode_prompts(prompts)
    unpadded = load(t5_token_length=4).encode_prompts(prompts[:1])["hidden"][0, 77:]
    words, padding = masked["hidden"][0, 77:].split([4, 252])
    assert torch.allclose(words, unpadded, atol=1e-5) and not padding.any()
    assert not torch.allclose(words, plain["hidden"][0, 77:81], atol=1e-3)
    assert torch.equal(masked["hidden"][:, :77], plain["hidden"][:, :77])
    assert torch.allclose(masked["hidden"][1], plain["hidden"][1], atol=1e-5)


def test_a_mask_of_t5_is_refused_without_t5(load: Load) -> None:
    words = r"^model\.t5_attention_mask=true: .* has no T5 \(text_encoder_3\), .*mask=false, or give a"
    with pytest.raises(ConfigError, match=words):
        load(with_t5=False, t5_attention_mask=True)


def test_each_picture_is_drawn_by_a_scheduler_of_its_own(load: Load) -> None:
    family = load()
    one, two = (family.sampling_pipeline(Sampler.flow_euler).pipeline.scheduler for _ in range(2))  # type: ignore[attr-defined]
    assert one is not two and one.config == two.config and one.config.shift == 3.0


@pytest.mark.parametrize("guidance", [1.0, 4.5])
def test_in_bfloat16_the_same_latents_are_drawn(folders: dict[bool, Path], guidance: float) -> None:
    config = ModelConfig(
        name="tiny", family=Family.sd3, checkpoint=str(folders[True]), prediction=Prediction.flow
    )
    family = load_family(config, device=CPU, dtype=torch.bfloat16)
    pipeline = DiffusionPipeline.from_pretrained(folders[True], dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    settings = {
        "latents": random_tensor(2, 16, 8, 6).bfloat16(),
        "num_inference_steps": 3,
        "guidance_scale": guidance,
        "width": 48,
        "height": 64,
        "output_type": "latent",
    }
    draw = family.sampling_pipeline(Sampler.flow_euler)
    ours = draw(prompt=PROMPTS, negative_prompt=None, **settings).images  # type: ignore[arg-type]
    assert ours.dtype is torch.bfloat16
    assert torch.equal(ours, pipeline(PROMPTS, **settings).images)


def test_its_facts_name_every_text_encoder_and_that_t5_may_lack() -> None:
    facts = FAMILIES[Family.sd3]
    assert facts.of_text == tuple(
        f"{part}{number}" for part in ("text_encoder", "tokenizer") for number in ("", "_2", "_3")
    )
    assert facts.optional == ("text_encoder_3", "tokenizer_3") and facts.is_flow


@pytest.mark.parametrize("recipe", [pytest.param("sd3_medium", marks=pytest.mark.slow), "sd35_medium"])
def test_fifty_steps_on_four_pictures_lower_the_fixed_loss(tmp_path: Path, recipe: str) -> None:
    write_tiny_sd3(tmp_path / "model", is_35=recipe == "sd35_medium")
    (tmp_path / "photos").mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        coarse = Image.fromarray(random.integers(0, 255, (4, 4, 3), dtype=np.uint8))
        coarse.resize((64, 64)).save(tmp_path / "photos" / f"{index}.png")
        (tmp_path / "photos" / f"{index}.txt").write_text("a red star")
    result = train_small(
        tmp_path,
        f"model={recipe}",
        f"model.checkpoint={tmp_path / 'model'}",
        f"dataset.path={tmp_path / 'photos'}",
        "dataset.resolution=64",
        "dataset.batch_size=4",
        "training.steps=50",
        "training.validation_images=4",
        "training.validation_timesteps=4",
        "network.rank=8",
        "optimizer.lr=1e-2",
    )
    assert result.outcome is Outcome.completed and result.steps_done == 50
    (first, before), *_, (last, after) = result.val_losses
    assert (first, last) == (0, 50) and after < 0.9 * before
