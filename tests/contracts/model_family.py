"""What every model family must hold to: its tests subclass ModelFamilyContract and give a checkpoint."""

from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.config import ConfigError, LoRAConfig, ModelConfig, Sampler
from engine.diffusion.seeding import picture_noise
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.networks.lora import attach_lora
from engine.sampling.draw import DrawSettings, draw_pictures

CPU = torch.device("cpu")
PROMPTS = ["a red star in the middle, blue background", "a sks creature"]


class ModelFamilyContract:
    """Subclasses give `checkpoint` (a diffusers folder) and `config` as fixtures."""

    @pytest.fixture
    def family(self, config: ModelConfig) -> ModelFamily:
        """The family as a run loads it, in float32."""
        return load_family(config, device=CPU, dtype=torch.float32)

    @pytest.fixture
    def pipeline(self, checkpoint: Path) -> DiffusionPipeline:
        """diffusers' own pipeline on the same files."""
        pipeline = DiffusionPipeline.from_pretrained(checkpoint, safety_checker=None, dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def test_latents_are_those_of_the_vae_scaled(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        pixels = _random(2, 3, 64, 64).clamp(-1, 1)
        ours = family.encode_images(pixels)
        with torch.no_grad():
            theirs = pipeline.vae.encode(pixels).latent_dist
        scale = pipeline.vae.config.scaling_factor
        side = 64 // family.latent_factor
        assert ours.mean.shape == ours.std.shape == (2, family.latent_channels, side, side)
        assert torch.equal(ours.mean, theirs.mean * scale) and torch.equal(ours.std, theirs.std * scale)

    def test_decoding_undoes_the_scale_and_gives_zero_to_one(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        latents = _latents(family)
        ours = family.decode_latents(latents)
        with torch.no_grad():
            theirs = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
        assert torch.equal(ours, (theirs / 2 + 0.5).clamp(0, 1))

    def test_text_embeddings_are_the_pipelines(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        with torch.no_grad():
            theirs, _ = pipeline.encode_prompt(PROMPTS, CPU, 1, do_classifier_free_guidance=False)
        assert torch.equal(family.encode_prompts(PROMPTS), theirs)

    def test_the_prediction_is_the_denoisers(self, family: ModelFamily, pipeline: DiffusionPipeline) -> None:
        latents, timesteps, text = _latents(family), torch.tensor([10, 900]), family.encode_prompts(PROMPTS)
        with torch.no_grad():
            theirs = pipeline.unet(latents, timesteps, encoder_hidden_states=text).sample
            assert torch.equal(family.predict(latents, timesteps, text), theirs)

    def test_the_noise_schedule_is_the_checkpoints(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        assert torch.equal(family.alphas_cumprod, pipeline.scheduler.alphas_cumprod)

    @pytest.mark.parametrize("guidance", [1.0, 3.0])
    def test_a_picture_is_the_one_that_diffusers_draws(
        self, family: ModelFamily, pipeline: DiffusionPipeline, guidance: float
    ) -> None:
        settings = DrawSettings(
            width=64,
            height=64,
            steps=4,
            guidance_scale=guidance,
            sampler=Sampler.ddim,
            negative_prompt="",
        )
        (ours,) = draw_pictures(family, PROMPTS[:1], [5], settings)
        side = 64 // family.latent_factor
        noise = picture_noise(PROMPTS[0], 5, (family.latent_channels, side, side))[None]
        size = {"width": 64, "height": 64, "num_inference_steps": 4}
        theirs = pipeline(PROMPTS[0], latents=noise, guidance_scale=guidance, **size).images[0]
        assert theirs.tobytes() == ours.image.tobytes()

    def test_the_base_is_frozen_and_a_lora_on_each_group_gets_a_gradient(self, family: ModelFamily) -> None:
        layers = family.adaptable_layers()
        groups = list(dict.fromkeys(layer.group for layer in layers))
        network = attach_lora(LoRAConfig(rank=2, layers=groups), layers, seed=0, device=CPU)
        try:
            text = family.encode_prompts(PROMPTS)
            family.predict(_latents(family), torch.tensor([10, 900]), text).square().mean().backward()
            for attached in network.layers:
                gradient = attached.layer.matrices.up.grad  # up is zero at first: down has no gradient yet
                assert gradient is not None and bool(gradient.abs().sum() > 0), attached.key
                assert not any(parameter.requires_grad for parameter in attached.layer.base.parameters())
        finally:
            network.detach()

    def test_adaptable_layers_exist_and_come_once_in_the_models_order(self, family: ModelFamily) -> None:
        layers = family.adaptable_layers()
        names = [(layer.component, layer.name) for layer in layers]
        assert len(set(names)) == len(names) > 0
        for component in {layer.component for layer in layers}:
            own = [layer for layer in layers if layer.component == component]
            order = [name for name, _ in own[0].root.named_modules()]
            assert [layer.name for layer in own] == sorted((one.name for one in own), key=order.index)

    def test_a_second_load_gives_the_model_that_is_there(
        self, family: ModelFamily, config: ModelConfig
    ) -> None:
        assert load_family(config, device=CPU, dtype=torch.float32) is family

    def test_a_checkpoint_that_lacks_weights_is_refused_by_name(
        self, checkpoint: Path, config: ModelConfig, tmp_path: Path
    ) -> None:
        broken = _copy_without_a_weight(checkpoint, tmp_path / "broken")
        with pytest.raises(ConfigError, match=r"unet lacks 1 weights, the first: conv_in\.weight"):
            load_family(_at(config, str(broken)), device=CPU, dtype=torch.float32)

    @pytest.mark.parametrize("name", ["no/such", "nowhere", None])
    def test_a_checkpoint_that_is_not_there_is_refused(self, config: ModelConfig, name: str | None) -> None:
        with pytest.raises(ConfigError, match=r"model\.checkpoint="):
            load_family(_at(config, name), device=CPU, dtype=torch.float32)


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def _latents(family: ModelFamily) -> Tensor:
    side = 64 // family.latent_factor
    return _random(2, family.latent_channels, side, side)


def _at(config: ModelConfig, checkpoint: str | None) -> ModelConfig:
    from dataclasses import replace

    return replace(config, checkpoint=checkpoint)


def _copy_without_a_weight(checkpoint: Path, folder: Path) -> Path:
    import shutil

    shutil.copytree(checkpoint, folder)
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_in.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    return folder
