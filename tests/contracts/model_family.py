"""What every model family must hold to: its tests subclass ModelFamilyContract and give a checkpoint."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.compose.checkpoint import checkpoint_problems, read_checkpoint
from engine.config import ConfigError, LayerGroup, LoRAConfig, ModelConfig, Sampler
from engine.diffusion.discrete import DiscreteSchedule
from engine.diffusion.flow import FlowSchedule
from engine.diffusion.seeding import picture_noise
from engine.models.checkpoint import load_family
from engine.models.family import AdaptableLayer, Conditioning, ModelFamily
from engine.networks.lora import LoRANetwork, attach_lora
from engine.sampling.draw import DrawSettings, draw_pictures

CPU = torch.device("cpu")
PROMPTS = ["a red star in the middle, blue background", "a sks creature"]
SCHEDULERS = {
    Sampler.ddim: diffusers.DDIMScheduler,
    Sampler.euler: diffusers.EulerDiscreteScheduler,
    Sampler.dpmpp_2m: diffusers.DPMSolverMultistepScheduler,
}


class ModelFamilyContract:
    """Subclasses give `checkpoint` (a diffusers folder) and `config` as fixtures.

    What a family's pipeline does differently from Stable Diffusion's stands in the methods their_...,
    which a subclass overrides; its class attributes say which samplers and timesteps it has.
    """

    samplers: Sequence[Sampler] = (Sampler.ddim, Sampler.euler, Sampler.dpmpp_2m)
    timesteps: Sequence[float] = (10, 900)
    side = 64  # pixels of the pictures that are encoded, predicted and drawn
    has_negative_prompt = True
    unread: str = "$."  # pattern of the LoRA's keys on text layers behind the one that is read: no gradient

    def their_text(self, pipeline: DiffusionPipeline, prompts: list[str]) -> dict[str, Tensor]:
        """What the pipeline makes of prompts, by the names of the family's text."""
        embeddings, _ = pipeline.encode_prompt(prompts, CPU, 1, do_classifier_free_guidance=False)
        return {"hidden": embeddings}

    def their_latents(self, pipeline: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation as the pipeline's own training scripts scale them."""
        found, scale = pipeline.vae.encode(pixels).latent_dist, pipeline.vae.config.scaling_factor
        return found.mean * scale, found.std * scale

    def their_pixels(self, pipeline: DiffusionPipeline, latents: Tensor) -> Tensor:
        """What the pipeline decodes latents to, before it is cut to [0, 1]."""
        return pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample / 2 + 0.5

    def their_prediction(
        self, pipeline: DiffusionPipeline, latents: Tensor, timesteps: Tensor, told: Conditioning
    ) -> Tensor:
        """The denoiser's own answer, from what the pipeline encodes of PROMPTS."""
        text = self.their_text(pipeline, PROMPTS)
        return pipeline.unet(latents, timesteps, encoder_hidden_states=text["hidden"]).sample

    def their_scheduler(self, pipeline: DiffusionPipeline, sampler: Sampler) -> object:
        """The scheduler that a sampler stands for."""
        return SCHEDULERS[sampler].from_config(pipeline.scheduler.config)

    def their_picture(
        self, pipeline: DiffusionPipeline, prompt: str, noise: Tensor, settings: DrawSettings
    ) -> Image.Image:
        """A picture drawn by the pipeline itself, from noise [1, C, h, w]."""
        steering = {"negative_prompt": settings.negative_prompt} if self.has_negative_prompt else {}
        return pipeline(
            prompt,
            latents=noise,
            guidance_scale=settings.guidance_scale,
            num_inference_steps=settings.steps,
            width=settings.width,
            height=settings.height,
            **steering,
        ).images[0]

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

    def latents(self, family: ModelFamily) -> Tensor:
        """Of two pictures."""
        side = self.side // family.latent_factor
        return random_tensor(2, family.latent_channels, side, side)

    def told(self, family: ModelFamily) -> Conditioning:
        """PROMPTS, and sizes of two pictures of which one was cut."""
        sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64], [48.0, 96, 0, 16, 64, 64]])
        return Conditioning(text=family.encode_prompts(PROMPTS), sizes=sizes)

    def gradients(self, family: ModelFamily, network: LoRANetwork) -> dict[str, Tensor]:
        """Of the up matrices: they are zero at first, so that down has no gradient yet."""
        network.zero_grad()
        answer = family.predict(self.latents(family), torch.tensor(self.timesteps), self.told(family))
        answer.square().mean().backward()
        return {
            attached.key: torch.cat([layer.matrices.up.grad.flatten() for _, layer in attached.modules])
            for attached in network.layers
        }

    def test_latents_are_those_of_the_vae_scaled(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        pixels = random_tensor(2, 3, self.side, self.side).clamp(-1, 1)
        ours = family.encode_images(pixels)
        with torch.no_grad():
            mean, std = self.their_latents(pipeline, pixels)
        side = self.side // family.latent_factor
        assert ours.mean.shape == ours.std.shape == (2, family.latent_channels, side, side)
        assert torch.equal(ours.mean, mean) and torch.equal(ours.std, std)

    def test_decoding_undoes_the_scale_and_gives_zero_to_one(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        latents = self.latents(family)
        ours = family.decode_latents(latents)
        with torch.no_grad():
            theirs = self.their_pixels(pipeline, latents)
        assert torch.equal(ours, theirs.clamp(0, 1))

    def test_text_embeddings_are_the_pipelines(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        prompts = [*PROMPTS, "", "a red star, " * 60]  # the last is longer than the model's text
        with torch.no_grad():
            theirs = self.their_text(pipeline, prompts)
        ours = family.encode_prompts(prompts)
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            assert torch.equal(tensor, theirs[name]), name

    def test_the_prediction_is_the_denoisers(self, family: ModelFamily, pipeline: DiffusionPipeline) -> None:
        latents, timesteps, told = self.latents(family), torch.tensor(self.timesteps), self.told(family)
        with torch.no_grad():
            theirs = self.their_prediction(pipeline, latents, timesteps, told)
            assert torch.equal(family.predict(latents, timesteps, told), theirs)

    def test_the_noise_schedule_is_the_checkpoints(
        self, family: ModelFamily, pipeline: DiffusionPipeline
    ) -> None:
        """Flow models have none in their files."""
        if isinstance(family.schedule, DiscreteSchedule):
            assert torch.equal(family.schedule.alphas_cumprod, pipeline.scheduler.alphas_cumprod)
        else:
            assert isinstance(family.schedule, FlowSchedule) and Sampler.flow_euler in self.samplers

    @pytest.mark.parametrize("guidance", [1.0, 3.0])
    def test_a_picture_is_the_one_that_diffusers_draws(
        self, family: ModelFamily, pipeline: DiffusionPipeline, guidance: float
    ) -> None:
        for sampler in self.samplers:
            settings = DrawSettings(
                width=self.side,
                height=self.side,
                steps=4,
                guidance_scale=guidance,
                sampler=sampler,
                negative_prompt="a blue heart" if self.has_negative_prompt else "",
            )
            (ours,) = draw_pictures(family, PROMPTS[:1], [5], settings)
            side = self.side // family.latent_factor
            noise = picture_noise(PROMPTS[0], 5, (family.latent_channels, side, side))[None]
            pipeline.scheduler = self.their_scheduler(pipeline, sampler)
            theirs = self.their_picture(pipeline, PROMPTS[0], noise, settings)
            assert theirs.tobytes() == ours.image.tobytes(), sampler

    def test_in_bfloat16_it_answers_in_float32_and_nearly_the_same(
        self, family: ModelFamily, config: ModelConfig
    ) -> None:
        timesteps = torch.tensor(self.timesteps)
        half = load_family(config, device=CPU, dtype=torch.bfloat16)
        assert half is not family
        told, told_half = self.told(family), self.told(half)
        with torch.no_grad():
            exact = family.predict(self.latents(family), timesteps, told)
            rounded = half.predict(self.latents(half), timesteps, told_half)
        numbers = [tensor for tensor in told_half.text.values() if tensor.is_floating_point()]
        assert numbers and all(tensor.dtype == torch.float32 for tensor in (*numbers, rounded))
        assert 0 < float((rounded - exact).abs().mean()) < 0.03 * float(exact.abs().mean())

    def test_nothing_of_the_base_can_be_trained(self, family: ModelFamily) -> None:
        parts = family.sampling_pipeline(self.samplers[0]).pipeline.components.values()  # type: ignore[attr-defined]
        parameters = [p for part in parts if isinstance(part, torch.nn.Module) for p in part.parameters()]
        assert parameters and not any(parameter.requires_grad for parameter in parameters)
        assert not any(part.training for part in parts if isinstance(part, torch.nn.Module))

    def test_a_lora_on_every_group_gets_a_gradient_and_recomputing_gives_the_same(
        self, family: ModelFamily
    ) -> None:
        layers = family.adaptable_layers()
        groups = list(dict.fromkeys(layer.group for layer in layers))
        lora, name = LoRAConfig(rank=2, layers=groups), family.config.family
        network = attach_lora(lora, layers, family=name, seed=0, device=CPU)
        calls: list[str] = []
        for one in network.layers:
            one.layer.register_forward_hook(lambda *_: calls.append(""))
        try:
            plain, num_plain = self.gradients(family, network), len(calls)
            family.set_gradient_checkpointing(True)
            recomputed, num_both = self.gradients(family, network), len(calls)
            family.set_gradient_checkpointing(False)
            self.gradients(family, network)
        finally:
            family.set_gradient_checkpointing(False)
            network.detach()
        assert num_plain == len(layers) < num_both - num_plain  # each layer once; then some of them again
        assert len(calls) - num_both == num_plain and not any(one.root.training for one in layers)
        assert len(plain) == len(layers)
        for key, gradient in plain.items():
            assert bool(gradient.abs().sum() > 0) == (re.match(self.unread, key) is None), key
            assert torch.allclose(gradient, recomputed[key], rtol=1e-4, atol=1e-9), key

    def test_adaptable_layers_exist_and_come_once_in_the_models_order(self, family: ModelFamily) -> None:
        layers = family.adaptable_layers()
        names = [(layer.component, layer.name) for layer in layers]
        assert len(set(names)) == len(names) > 0
        for component in {layer.component for layer in layers}:
            own = [layer for layer in layers if layer.component == component]
            order = [name for name, _ in own[0].root.named_modules()]
            assert [layer.name for layer in own] == sorted((one.name for one in own), key=order.index)

    def test_every_layer_holds_the_adaptable_ones_and_some_of_the_text_encoder(
        self, family: ModelFamily
    ) -> None:
        every = {(layer.component, layer.name) for layer in family.every_layer()}
        assert every > {(layer.component, layer.name) for layer in family.adaptable_layers()}
        assert any(component.startswith("text_encoder") for component, _ in every)

    def test_the_plan_reads_the_same_layers_from_the_files_alone(
        self, family: ModelFamily, config: ModelConfig
    ) -> None:
        read = read_checkpoint(config)
        loaded = family.adaptable_layers()
        assert read.latent_factor == family.latent_factor
        assert {(layer.name, layer.group, layer.shape) for layer in read.layers} == {
            (one.name, one.group, _shape(one)) for one in loaded
        }
        assert len(read.layers) == len(loaded)
        assert all(isinstance(layer.group, LayerGroup) for layer in loaded)

    def test_a_second_load_gives_the_model_that_is_there(
        self, family: ModelFamily, config: ModelConfig
    ) -> None:
        assert load_family(config, device=CPU, dtype=torch.float32) is family

    def test_a_run_with_other_options_gets_the_same_weights_under_its_own(
        self, family: ModelFamily, config: ModelConfig
    ) -> None:
        other = load_family(replace(config, name="other"), device=CPU, dtype=torch.float32)
        assert (other.config.name, family.config.name) == ("other", config.name)
        pairs = list(zip(other.adaptable_layers(), family.adaptable_layers(), strict=True))
        assert pairs and all(one.root is two.root for one, two in pairs)
        for name, tensor in other.encode_prompts(PROMPTS).items():
            assert torch.equal(tensor, family.encode_prompts(PROMPTS)[name]), name

    def test_a_checkpoint_that_lacks_a_weight_is_refused_by_name(
        self, checkpoint: Path, config: ModelConfig, tmp_path: Path
    ) -> None:
        for part, file in _weight_files(checkpoint).items():
            broken = _copy(checkpoint, tmp_path / part)
            weights = load_file(broken / file)
            first = min(weights)
            del weights[first]
            save_file(weights, broken / file, metadata={"format": "pt"})
            with pytest.raises(ConfigError) as refusal:
                load_family(_at(config, broken), device=CPU, dtype=torch.float32)
            (problem,) = refusal.value.problems
            assert f"{part} lacks 1 weights, the first: {first}. Get the checkpoint again." in problem

    def test_a_damaged_part_is_refused_with_a_sentence(
        self, checkpoint: Path, config: ModelConfig, tmp_path: Path
    ) -> None:
        for part, file in _weight_files(checkpoint).items():
            broken = _copy(checkpoint, tmp_path / part)
            (broken / file).write_bytes((checkpoint / file).read_bytes()[:-100])  # as a full disk leaves it
            with pytest.raises(ConfigError, match=r"cannot be loaded \(.*\)\. Get the checkpoint again\."):
                load_family(_at(config, broken), device=CPU, dtype=torch.float32)

    def test_weights_of_the_fp16_variant_alone_are_taken(
        self, family: ModelFamily, checkpoint: Path, config: ModelConfig, tmp_path: Path
    ) -> None:
        renamed = _copy(checkpoint, tmp_path / "fp16")
        for file in _weight_files(checkpoint).values():
            (renamed / file).rename(renamed / file.with_suffix(".fp16.safetensors"))
        other = _at(config, renamed)
        assert checkpoint_problems(other) == []
        found = load_family(other, device=CPU, dtype=torch.float32)
        for one, two in zip(found.adaptable_layers(), family.adaptable_layers(), strict=True):
            assert torch.equal(
                one.root.get_submodule(one.name).weight, two.root.get_submodule(two.name).weight
            )

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("no/such", "no such folder here, nor in the local hub cache. Give a diffusers folder"),
            ("nowhere", "no such folder here, nor in the local hub cache. Give a diffusers folder"),
            (None, "has no weights. Give a diffusers folder or a hub id."),
        ],
    )
    def test_a_checkpoint_that_is_not_there_is_refused(
        self, config: ModelConfig, name: str | None, words: str
    ) -> None:
        with pytest.raises(ConfigError) as refusal:
            load_family(replace(config, checkpoint=name), device=CPU, dtype=torch.float32)
        (problem,) = refusal.value.problems
        assert problem.startswith(f"model.checkpoint={name or 'null'}: ") and words in problem


def random_tensor(*shape: int) -> Tensor:
    """Unit Gaussian, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def _at(config: ModelConfig, checkpoint: Path) -> ModelConfig:
    return replace(config, checkpoint=str(checkpoint))


def _index(checkpoint: Path) -> Path:
    (file,) = checkpoint.glob("*model_index.json")  # modular_model_index.json of a modular pipeline
    return file


def _parts(checkpoint: Path) -> list[str]:
    rows = json.loads(_index(checkpoint).read_text())
    return [name for name, row in rows.items() if isinstance(row, list) and row[0] is not None]


def _shape(layer: AdaptableLayer) -> tuple[int, ...]:
    """Of its weight; the outputs of joined modules add up."""
    weights = [layer.root.get_submodule(name).weight for name in (layer.name, *layer.joined)]
    return (sum(len(weight) for weight in weights), *weights[0].shape[1:])


def _weight_files(checkpoint: Path) -> dict[str, Path]:
    files = {part: list((checkpoint / part).glob("*.safetensors")) for part in _parts(checkpoint)}
    return {part: found[0].relative_to(checkpoint) for part, found in files.items() if found}


def _copy(checkpoint: Path, folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(_index(checkpoint), folder)
    for part in _parts(checkpoint):
        shutil.copytree(checkpoint / part, folder / part)
    return folder
