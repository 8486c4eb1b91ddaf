"""Stable Diffusion 1: at toy size with epsilon and v, and the demo's own weights."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from demo.folder import WEIGHTS
from engine.config import ConfigError, Family, LayerGroup, ModelConfig, Prediction, Sampler
from engine.models.checkpoint import load_family
from engine.models.facts import layer_group
from engine.sampling.draw import DrawSettings, draw_pictures
from tests.contracts.model_family import CPU, ModelFamilyContract
from tests.models.tiny_sd1 import write_tiny_model


class TestTinyEpsilon(ModelFamilyContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny"
        write_tiny_model(folder)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(name="tiny", checkpoint=str(checkpoint))


class TestTinyV(ModelFamilyContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_v"
        write_tiny_model(folder, prediction="v_prediction")
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(name="tiny_v", checkpoint=str(checkpoint), prediction=Prediction.v)


class TestDemo(ModelFamilyContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls) -> Path:
        return WEIGHTS

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls) -> ModelConfig:
        return ModelConfig(checkpoint="demo/weights")

    def test_every_layer_of_a_group_is_found(self, config: ModelConfig) -> None:
        # By hand, from unet/config.json: one resnet a block down, two in the middle, two a block up: 8.
        # Attention is in one block down, in the middle, and twice in one block up: 4 transformer blocks.
        family = load_family(config, device=CPU, dtype=torch.float32)
        assert Counter(layer.group for layer in family.adaptable_layers()) == {
            LayerGroup.attention: 4 * 8,  # q, k, v, out; of itself and of the text
            LayerGroup.feed_forward: 4 * 2,
            LayerGroup.projections: 4 * 2,
            LayerGroup.convolutions: 8 * 2 + 5 + 2,  # 5 resnets change the width; one size down, one up
            LayerGroup.time_embedding: 8,
            LayerGroup.text_encoder: 3 * 6,  # layers of q, k, v, out and two of the mlp
        }


def test_the_groups_of_the_published_unet_have_its_sizes() -> None:
    # 8 + 2 + 12 resnets, 14 of them with another width; 6 + 1 + 9 transformer blocks; 3 sizes down, 3 up.
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768)
    groups = [layer_group(Family.sd1, name) for name, _ in unet.named_modules()]
    assert Counter(group for group in groups if group is not None) == {
        LayerGroup.attention: 16 * 8,
        LayerGroup.feed_forward: 16 * 2,
        LayerGroup.projections: 16 * 2,
        LayerGroup.convolutions: 22 * 2 + 14 + 6,
        LayerGroup.time_embedding: 22,
    }


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0", LayerGroup.attention),
        ("down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj", LayerGroup.feed_forward),
        ("mid_block.attentions.0.proj_in", LayerGroup.projections),
        ("up_blocks.1.resnets.0.conv_shortcut", LayerGroup.convolutions),
        ("down_blocks.0.downsamplers.0.conv", LayerGroup.convolutions),
        ("mid_block.resnets.1.time_emb_proj", LayerGroup.time_embedding),
        ("conv_in", None),
        ("conv_out", None),
        ("time_embedding.linear_1", None),
        ("mid_block.attentions.0.norm", None),
        ("mid_block.attentions.0.transformer_blocks.0.attn1", None),
        ("mid_block.attentions.0.transformer_blocks.0.attn1.to_out.1", None),
    ],
)
def test_a_module_belongs_to_one_group_or_to_none(name: str, group: LayerGroup | None) -> None:
    assert layer_group(Family.sd1, name) is group


def test_the_same_weights_draw_another_picture_where_they_mean_v(tmp_path: Path) -> None:
    settings = DrawSettings(
        width=64, height=64, steps=3, guidance_scale=1.0, sampler=Sampler.ddim, negative_prompt=""
    )
    pictures = []
    for prediction, name in ((Prediction.epsilon, "epsilon"), (Prediction.v, "v_prediction")):
        write_tiny_model(tmp_path / name, prediction=name)
        config = ModelConfig(name=name, checkpoint=str(tmp_path / name), prediction=prediction)
        family = load_family(config, device=CPU, dtype=torch.float32)
        (sample,) = draw_pictures(family, ["a red star"], [1], settings)
        pictures.append(sample.image.tobytes())
    assert pictures[0] != pictures[1]


def test_a_prompt_that_is_too_long_is_cut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    family = load_family(ModelConfig(checkpoint="demo/weights"), device=CPU, dtype=torch.float32)
    prompts = ["red star " * 15, "red star " * 100]  # 2 x 15 words, start and end: 32
    fits, cut = family.encode_prompts(prompts)["hidden"]
    assert torch.equal(fits, cut)
    (record,) = caplog.records
    words = "red star " * 100
    said = f"cut after 30 tokens: {words}. Shorten it, or raise model.token_length."
    assert record.getMessage() == said


def test_a_tokenizer_without_words_is_refused(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model")
    for file in (tmp_path / "model/tokenizer").iterdir():
        file.unlink()
    config = ModelConfig(name="mute", checkpoint=str(tmp_path / "model"))
    with pytest.raises(ConfigError, match=r"no vocab\.json in tokenizer/\. Get the checkpoint again\."):
        load_family(config, device=CPU, dtype=torch.float32)
