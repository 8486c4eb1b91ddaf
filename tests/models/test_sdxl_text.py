"""Stable Diffusion XL: how captions, prompts and sizes are read, to the last bits of the reference."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from engine.config import ConfigError, Family, ModelConfig, Sampler
from engine.models.checkpoint import load_family
from engine.models.clip_text import encode_rows_and_pool, encode_rows_before_last, read_prompts
from engine.models.family import Conditioning, ModelFamily
from engine.models.parts import PartsFolder
from tests.models.clip_words import GOLDEN, PADDINGS, clip_text_model, clip_tokenizer
from tests.models.tiny_sdxl import POOLED, SIZE_CHANNELS, WIDTHS, write_tiny_sdxl

CPU = torch.device("cpu")
PROMPT = "a red star in the middle, blue background"
REFERENCE = json.loads((GOLDEN / "o_text_encode.json").read_text(encoding="utf-8"))["prompts"]
OUTPUTS = load_file(GOLDEN / "o_text_encode_sdxl_outputs.safetensors")
Load = Callable[..., ModelFamily]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny_sdxl"
    write_tiny_sdxl(folder)
    return folder


@pytest.fixture
def load(folder: Path) -> Load:
    def load(*, dtype: torch.dtype = torch.float32, **options: object) -> ModelFamily:
        config = ModelConfig(name="tiny_sdxl", family=Family.sdxl, checkpoint=str(folder))
        return load_family(replace(config, **options), device=CPU, dtype=dtype)  # type: ignore[arg-type]

    return load


@pytest.mark.parametrize(("length", "rows"), [("maxNone", 1), ("max225", 3)])
def test_both_encoders_and_the_pooled_text_are_the_references(length: str, rows: int) -> None:
    first, second = (read_prompts(REFERENCE, clip_tokenizer(one), rows=rows) for one in PADDINGS["sdxl"])
    with torch.no_grad():
        hidden = encode_rows_before_last(first, clip_text_model())
        hidden_2, pooled = encode_rows_and_pool(second, projected_text_model())
    found = {"hidden1": hidden, "hidden2": hidden_2, "pool2": pooled}
    for name, tensor in found.items():
        expected = OUTPUTS[f"{length}.{name}"]
        assert tensor.shape == expected.shape
        assert float((tensor - expected).abs().max()) <= 1e-6, name  # 0 measured


def test_sizes_become_the_references_numbers(load: Load) -> None:
    # Two pictures: height and width of the file, top and left of the cut, height and width of the bucket.
    sizes = torch.tensor([[1080.0, 1920, 12, 0, 384, 640], [512, 512, 0, 30, 512, 512]])
    family = load()
    text = family.encode_prompts([PROMPT, PROMPT])
    unet = next(layer.root for layer in family.adaptable_layers() if layer.component == "unet")
    kept: list[Tensor] = []
    hook = unet.add_embedding.register_forward_pre_hook(lambda module, given: kept.append(given[0]))
    try:
        with torch.no_grad():
            family.predict(
                torch.zeros(2, 4, 8, 8), torch.tensor([5, 5]), Conditioning(text=text, sizes=sizes)
            )
    finally:
        hook.remove()
    (given,) = kept
    assert given.shape == (2, POOLED + 6 * SIZE_CHANNELS)
    assert torch.equal(given[:, :POOLED], text["pooled"])
    assert float((given[:, POOLED:] - OUTPUTS["size_embeddings"]).abs().max()) <= 1e-6


def test_each_of_the_six_sizes_is_told(load: Load) -> None:
    family = load()
    text = family.encode_prompts([PROMPT] * 7)
    sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64]]).repeat(7, 1)
    sizes[range(6), range(6)] = 1000.0
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).repeat(7, 1, 1, 1)
    with torch.no_grad():
        told = family.predict(latents, torch.full((7,), 500), Conditioning(text=text, sizes=sizes))
    assert all(float((one - told[6]).abs().max()) > 1e-5 for one in told[:6])


def test_sizes_are_told_exactly_in_bfloat16(load: Load) -> None:
    family = load(dtype=torch.bfloat16)
    text = family.encode_prompts([PROMPT] * 2)
    sizes = torch.tensor(
        [[1333.0, 1000, 0, 0, 64, 64], [1332.0, 1000, 0, 0, 64, 64]]
    )  # one number in bfloat16
    with torch.no_grad():
        one, other = family.predict(
            torch.ones(2, 4, 8, 8), torch.tensor([5, 5]), Conditioning(text=text, sizes=sizes)
        )
    assert not torch.equal(one, other)


def test_a_longer_length_adds_rows_and_the_pooled_text_is_the_first_ones(load: Load) -> None:
    first, second = "red star " * 37 + "red", "blue heart " * 9  # 75 tokens and 18
    single = load().encode_prompts([first, "", second])
    for length, num_rows in ((150, 2), (225, 3)):
        both = load(token_length=length).encode_prompts([first + " " + second, first])
        assert both["hidden"].shape == (2, num_rows * 75 + 2, sum(WIDTHS))
        assert torch.allclose(both["hidden"][:, :76], single["hidden"][:1, :76].expand(2, -1, -1), atol=1e-6)
        assert torch.allclose(both["hidden"][0, 76:151], single["hidden"][2, 1:76], atol=1e-6)
        assert torch.allclose(both["hidden"][1, 76:151], single["hidden"][1, 1:76], atol=1e-6)
        assert torch.allclose(both["pooled"], single["pooled"][:1].expand(2, -1), atol=1e-6)


def test_weights_multiply_the_states_of_their_words_and_not_the_pooled_text(load: Load) -> None:
    plain = load().encode_prompts(["a red star", "a (red:1.5) star"])
    found = load(weighted_captions=True).encode_prompts(["a red star", "a (red:1.5) [star]"])
    assert torch.equal(found["hidden"][0], plain["hidden"][0])
    assert not torch.allclose(plain["hidden"][1], plain["hidden"][0], atol=1e-3)  # brackets are words
    strengths = torch.ones(77, 1)
    strengths[2], strengths[3] = 1.5, 1 / 1.1
    assert torch.allclose(found["hidden"][1], plain["hidden"][0] * strengths)
    assert torch.equal(found["pooled"][1], plain["pooled"][0])


def test_what_a_length_cuts_is_said_once_though_two_encoders_read_it(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    family = load()
    family.encode_prompts(["red star " * 40])
    family.encode_prompts(["red star " * 40])
    (record,) = caplog.records
    assert record.getMessage().startswith("cut after 75 tokens: red star")


def test_both_encoders_layers_can_be_named_by_a_file(load: Load) -> None:
    counts = [layer.component for layer in load().every_layer()]
    assert counts.count("text_encoder") == 3 * 6  # q, k, v, out and two of the feed forward, each layer
    assert counts.count("text_encoder_2") == 2 * 6 + 1  # and the projection


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("negatives", [None, ["", ""], ["a blue heart", "ugly"]])
def test_what_guidance_leads_away_from_is_what_diffusers_leads_away_from(
    load: Load, folder: Path, negatives: list[str] | None, dtype: torch.dtype
) -> None:
    """No negative prompt is zeros, and an empty one is encoded."""
    given = {
        "prompt": [PROMPT, "a red star"],
        "negative_prompt": negatives,
        "latents": torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0)).to(dtype),
        "num_inference_steps": 3,
        "guidance_scale": 3.0,
        "width": 96,
        "height": 64,
        "output_type": "latent",
    }
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    ours = load(dtype=dtype).sampling_pipeline(Sampler.ddim)(**given).images  # type: ignore[arg-type]
    theirs = pipeline(**given).images
    assert bool(theirs.isfinite().all()) and torch.equal(ours, theirs)


def test_guidance_away_from_nothing_and_from_the_empty_text_differ(load: Load) -> None:
    pictures = []
    for negatives in (None, [""], ["ugly"]):
        images = (
            load()
            .sampling_pipeline(Sampler.ddim)(
                prompt=[PROMPT],
                negative_prompt=negatives,
                latents=torch.ones(1, 4, 8, 8),
                num_inference_steps=2,
                guidance_scale=3.0,
                width=64,
                height=64,
                output_type="latent",
            )
            .images
        )
        pictures.append(images)
    assert not torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[1], pictures[2])


@pytest.mark.parametrize("options", [{"token_length": 225}, {"weighted_captions": True}])
def test_pictures_are_drawn_from_the_text_that_is_trained_on(load: Load, options: dict[str, object]) -> None:
    family = load(**options)
    settings = {
        "latents": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)),
        "num_inference_steps": 3,
        "guidance_scale": 3.0,
        "width": 64,
        "height": 64,
        "output_type": "latent",
    }
    prompts, negatives = ["a (red star:1.4), " * 9], ["(ugly:1.3)"]
    pipeline = family.sampling_pipeline(Sampler.ddim)
    ours = pipeline(prompt=prompts, negative_prompt=negatives, **settings).images  # type: ignore[arg-type]
    text, away = family.encode_prompts(prompts), family.encode_prompts(negatives)
    theirs = pipeline.pipeline(  # type: ignore[attr-defined]
        prompt_embeds=text["hidden"],
        pooled_prompt_embeds=text["pooled"],
        negative_prompt_embeds=away["hidden"],
        negative_pooled_prompt_embeds=away["pooled"],
        **settings,
    ).images
    plain = load().sampling_pipeline(Sampler.ddim)(
        prompt=prompts,
        negative_prompt=negatives,
        **settings,  # type: ignore[arg-type]
    )
    assert torch.equal(ours, theirs) and not torch.allclose(ours, plain.images, atol=1e-3)


def test_the_vae_is_float32_whatever_the_denoiser_is(load: Load) -> None:
    family = load(dtype=torch.bfloat16)
    vae = family.sampling_pipeline(Sampler.ddim).pipeline.vae  # type: ignore[attr-defined]
    assert vae.config.force_upcast and {one.dtype for one in vae.parameters()} == {torch.float32}
    assert family.encode_images(torch.zeros(1, 3, 64, 64)).mean.dtype == torch.float32


def test_a_vae_whose_channels_have_a_mean_of_their_own_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(folder)
    real = PartsFolder.model

    def other(self: PartsFolder, kind: type, name: str, **given: object) -> torch.nn.Module:
        part = real(self, kind, name, **given)  # type: ignore[arg-type]
        if name == "vae":
            part.register_to_config(latents_mean=[0.0] * 4, latents_std=[1.0] * 4)
        return part

    config = ModelConfig(name="playground", family=Family.sdxl, checkpoint=str(tmp_path / "model"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartsFolder, "model", other)
        patch.setattr("engine.models.checkpoint._loaded", {})
        with pytest.raises(ConfigError, match=r"as that of Playground v2\.5.*Give another checkpoint\.$"):
            load_family(config, device=CPU, dtype=torch.float32)


def projected_text_model() -> CLIPTextModelWithProjection:
    """The tiny second encoder of o_text_encode: 4 layers of width 8, 8 pooled numbers."""
    weights = load_file(GOLDEN / "o_text_encode_sdxl_model.safetensors")
    words = torch.zeros(49408, 8)
    words[weights.pop("embedding_ids")] = weights.pop("embedding_rows").float()
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        hidden_act="gelu",
        projection_dim=8,
        bos_token_id=0,
        eos_token_id=2,  # as the published file has it: the end is then the largest id
    )
    model = CLIPTextModelWithProjection(config).eval()
    state = {key: weight.float() for key, weight in weights.items()}
    model.load_state_dict({**state, "text_model.embeddings.token_embedding.weight": words})
    return model
