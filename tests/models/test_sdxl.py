"""Stable Diffusion XL at toy size: with epsilon, and with v down to pure noise."""

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline
from torch import Tensor

from engine.config import Family, ModelConfig, Prediction
from engine.models.family import Conditioning
from tests.contracts.model_family import CPU, PROMPTS, ModelFamilyContract
from tests.models.tiny_sdxl import PUBLISHED_LEVELS, write_tiny_sdxl


class OfSdxl(ModelFamilyContract):
    """What diffusers' Stable Diffusion XL does otherwise than its Stable Diffusion."""

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
        scheduler = DDIMScheduler(
            **PUBLISHED_LEVELS,
            clip_sample=False,
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
        )
        write_tiny_sdxl(folder, scheduler=scheduler)
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
