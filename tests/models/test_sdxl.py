"""Stable Diffusion XL at toy size: with epsilon, and with v down to pure noise."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from torch import Tensor

from engine.config import ConfigError, Family, LayerGroup, ModelConfig, Prediction, Sampler
from engine.diffusion.discrete import DiscreteSchedule
from engine.models.checkpoint import load_family
from engine.models.facts import layer_group
from engine.models.family import Conditioning, ModelFamily
from engine.sampling.draw import DrawSettings, draw_pictures
from tests.contracts.model_family import CPU, PROMPTS, ModelFamilyContract
from tests.models.tiny_sdxl import write_tiny_sdxl


class OfSdxl(ModelFamilyContract):
    """What diffusers' Stable Diffusion XL does otherwise than its Stable Diffusion."""

    unread = "lora_te1_text_model_encoder_layers_2_"  # the last of the first encoder: its input is read

    def their_text(self, pipeline: DiffusionPipeline, prompts: list[str]) -> dict[str, Tensor]:
        hidden, _, pooled, _ = pipeline.encode_prompt(
            prompts, device=CPU, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return {"hidden": hidden, "pooled": pooled}

    def their_prediction(
        self, pipeline: DiffusionPipeline, latents: Tensor, timesteps: Tensor, told: Conditioning
    ) -> Tensor:
        text = self.their_text(pipeline, PROMPTS)
        sizes = torch.cat(
            [
                pipeline._get_add_time_ids(
                    (height, width), (top, left), (to_height, to_width), torch.float32, pooled.shape[-1]
                )
                for (height, width, top, left, to_height, to_width), pooled in zip(
                    told.sizes.tolist(), text["pooled"], strict=True
                )
            ]
        )
        added = {"text_embeds": text["pooled"], "time_ids": sizes}
        return pipeline.unet(
            latents, timesteps, encoder_hidden_states=text["hidden"], added_cond_kwargs=added
        ).sample


class TestTinySdxl(OfSdxl):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sdxl"
        write_tiny_sdxl(folder)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(name="tiny_sdxl", family=Family.sdxl, checkpoint=str(checkpoint))


class TestTinySdxlZeroTerminalV(OfSdxl):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sdxl_v"
        write_tiny_sdxl(folder, prediction="v_prediction", zero_terminal_snr=True)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(
            name="tiny_sdxl_v",
            family=Family.sdxl,
            checkpoint=str(checkpoint),
            prediction=Prediction.v,
            zero_terminal_snr=True,
        )

    def test_a_checkpoint_that_does_not_say_so_is_trained_and_drawn_the_same(
        self, family: ModelFamily, config: ModelConfig, tmp_path: Path
    ) -> None:
        write_tiny_sdxl(tmp_path / "silent", prediction="v_prediction", zero_terminal_snr=True, says_so=False)
        silent = replace(config, checkpoint=str(tmp_path / "silent"))
        drawn, levels = [], []
        for one in (family, load_family(silent, device=CPU, dtype=torch.float32)):
            assert isinstance(one.schedule, DiscreteSchedule)
            levels.append(one.schedule.alphas_cumprod)
            drawn.append([draw_pictures(one, PROMPTS[:1], [5], settings(each)) for each in self.samplers])
        assert float(levels[0][-1]) == float(levels[1][-1]) == 0.0
        assert torch.allclose(levels[0], levels[1], atol=1e-7)
        for (one,), (other,) in zip(*drawn, strict=True):
            assert one.image.tobytes() == other.image.tobytes()

    def test_a_recipe_that_says_otherwise_is_refused(self, config: ModelConfig) -> None:
        with pytest.raises(ConfigError, match=r"^model\.zero_terminal_snr=false: .* Set .*=true\.$"):
            load_family(replace(config, zero_terminal_snr=False), device=CPU, dtype=torch.float32)

    def test_a_picture_begins_at_pure_noise(self, family: ModelFamily) -> None:
        """At the last level the UNet is given the noise alone, and its answer is minus the picture."""
        schedule = family.schedule
        latents, noise = self.latents(family), torch.ones(2, 4, 8, 8)
        last = torch.tensor([999, 999])
        assert torch.equal(schedule.add_noise(latents, noise, last), noise)
        assert torch.equal(schedule.target(latents, noise, last, prediction=Prediction.v), -latents)


def settings(sampler: Sampler) -> DrawSettings:
    return DrawSettings(width=64, height=64, steps=3, guidance_scale=3.0, sampler=sampler, negative_prompt="")


def test_the_groups_of_the_published_unet_have_its_sizes() -> None:
    # 6 + 2 + 9 resnets, 11 of them with another width; 2 x 2 + 2 x 10 blocks down, 10 mid, 3 x 10 + 3 x 2 up.
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            cross_attention_dim=2048,
            attention_head_dim=(5, 10, 20),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    groups = [layer_group(Family.sdxl, name) for name, _ in unet.named_modules()]
    assert Counter(group for group in groups if group is not None) == {
        LayerGroup.attention: 70 * 8,
        LayerGroup.feed_forward: 70 * 2,
        LayerGroup.projections: 11 * 2,
        LayerGroup.convolutions: 17 * 2 + 11 + 4,
        LayerGroup.time_embedding: 17,
    }
