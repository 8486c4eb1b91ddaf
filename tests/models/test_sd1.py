"""Stable Diffusion 1: at toy size with epsilon and v, and the demo's own weights."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from demo.folder import WEIGHTS
from engine.config import LayerGroup, ModelConfig, Prediction
from engine.models.checkpoint import load_family
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

    def test_the_groups_hold_all_that_can_be_adapted(self, config: ModelConfig) -> None:
        family = load_family(config, device=CPU, dtype=torch.float32)
        counts = Counter(layer.group for layer in family.adaptable_layers())
        assert sum(counts.values()) == 79 and set(counts) == set(LayerGroup)
        blocks = counts[LayerGroup.attention] // 8  # to_q, to_k, to_v, to_out of self- and cross-attention
        assert counts[LayerGroup.attention] == 8 * blocks
        assert counts[LayerGroup.feed_forward] == counts[LayerGroup.projections] == 2 * blocks


def test_a_prompt_that_is_too_long_is_cut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    family = load_family(ModelConfig(checkpoint="demo/weights"), device=CPU, dtype=torch.float32)
    text = family.encode_prompts(["red star " * 100])
    assert text.shape[0] == 1 and "cut after" in caplog.text
