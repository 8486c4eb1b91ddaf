"""Stable Diffusion 2 at toy size, with epsilon and v."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from engine.config import Family, LayerGroup, ModelConfig, Prediction
from engine.models.checkpoint import load_family
from engine.models.facts import layer_group
from tests.contracts.model_family import CPU, ModelFamilyContract
from tests.models.tiny_sd2 import write_tiny_sd2


class TestTinySd2Epsilon(ModelFamilyContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sd2"
        write_tiny_sd2(folder)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(name="tiny_sd2", family=Family.sd2, checkpoint=str(checkpoint))

    def test_a_mark_that_pads_is_read_as_the_pipeline_reads_it(
        self, config: ModelConfig, checkpoint: Path
    ) -> None:
        prompts = ["a red star!", "a red star", "! a red star ! !"]
        pipeline = StableDiffusionPipeline.from_pretrained(checkpoint, safety_checker=None)
        with torch.no_grad():
            theirs, _ = pipeline.encode_prompt(prompts, CPU, 1, False)
        ours = load_family(config, device=CPU, dtype=torch.float32).encode_prompts(prompts)["hidden"]
        assert torch.equal(ours, theirs)
        assert pipeline.tokenizer("a red star!", padding="max_length").input_ids[-1] == 0


class TestTinySd2V(ModelFamilyContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny_sd2_v"
        write_tiny_sd2(folder, prediction="v_prediction")
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, checkpoint: Path) -> ModelConfig:
        return ModelConfig(
            name="tiny_sd2_v", family=Family.sd2, checkpoint=str(checkpoint), prediction=Prediction.v
        )


def test_the_projections_of_the_published_unet_are_linear_and_found() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
        )
    named = {
        name: module
        for name, module in unet.named_modules()
        if layer_group(Family.sd2, name) is LayerGroup.projections
    }
    assert len(named) == 16 * 2 and all(isinstance(one, torch.nn.Linear) for one in named.values())
