"""Anima as it is published: a file of the transformer with its conditioner, Qwen3's, and the VAE's."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from original_layout import part_weights, settings_of, wan_vae, write_original
from safetensors.torch import save_file

from engine.compose.checkpoint import checkpoint_problems, read_checkpoint
from engine.config import Family, ModelConfig, Prediction
from engine.models.checkpoint import load_family
from engine.models.family import Conditioning, ModelFamily
from tests.models.tiny_anima import write_tiny_anima

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a VAE of as many blocks as the published one: their names depend on the number."""
    folder = tmp_path / "folder"
    write_tiny_anima(folder)
    shutil.rmtree(folder / "vae")
    torch.manual_seed(1)
    AutoencoderKLQwenImage(base_dim=4, num_res_blocks=2).save_pretrained(folder / "vae")
    return folder


@pytest.fixture
def config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """The recipe of the three files."""
    base = folder.parent
    shutil.copytree(folder, base / "configs/anima", ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr("engine.models.places.CONFIGS", base / "configs")
    write_original(folder, Family.anima, base / "anima.safetensors")
    vae = wan_vae(part_weights(folder / "vae"), settings_of(folder / "vae"))
    save_file({name: weight.contiguous() for name, weight in vae.items()}, base / "vae.safetensors")
    text = part_weights(folder / "text_encoder")
    save_file({f"model.{name}": weight for name, weight in text.items()}, base / "qwen3.safetensors")
    return replace(
        whole(folder),
        checkpoint=str(base / "anima.safetensors"),
        vae=str(base / "vae.safetensors"),
        qwen3=str(base / "qwen3.safetensors"),
        tokenizers=str(folder),
    )


def whole(folder: Path) -> ModelConfig:
    return ModelConfig(name="toy", family=Family.anima, checkpoint=str(folder), prediction=Prediction.flow)


def seen(config: ModelConfig) -> dict[str, torch.Tensor]:
    """What comes of every part."""
    family: ModelFamily = load_family(config, device=CPU, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    text = family.encode_prompts(["a red star", "a heart"])
    noisy = torch.randn(2, family.latent_channels, 8, 8, generator=generator)
    latents = family.encode_images(torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1)
    with torch.no_grad():
        told = Conditioning(text=text, sizes=torch.zeros(2, 6))
        predicted = family.predict(noisy, torch.tensor([20.0, 700.0]), told)
    picture = family.decode_latents(noisy[:1])
    return {**text, "predicted": predicted, "mean": latents.mean, "std": latents.std, "picture": picture}


def test_a_file_of_the_original_layout_holds_the_same_weights(folder: Path, config: ModelConfig) -> None:
    results, again = seen(whole(folder)), seen(config)
    assert set(again) == set(results) and all(torch.equal(again[name], results[name]) for name in results)


def test_the_plan_of_a_file_has_the_layers_of_its_folder(folder: Path, config: ModelConfig) -> None:
    assert checkpoint_problems(config) == []
    one, two = read_checkpoint(whole(folder)), read_checkpoint(config)
    assert {(layer.name, layer.group, layer.shape) for layer in one.layers} == {
        (layer.name, layer.group, layer.shape) for layer in two.layers
    }
    assert len(one.layers) == len(two.layers) > 0 and one.latent_factor == two.latent_factor


def test_files_that_are_not_given_are_asked_for_all_at_once(config: ModelConfig) -> None:
    problems = checkpoint_problems(replace(config, vae=None, qwen3=None))
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "holds no vae (VAE). Give it too: model.vae=FILE.safetensors, or a folder.",
        "holds no text_encoder (Qwen3). Give it too: model.qwen3=FILE.safetensors, or a folder.",
    ]
