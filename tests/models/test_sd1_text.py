"""Stable Diffusion 1: how captions and prompts are read, by the options of a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from engine.config import ConfigError, Family, ModelConfig, Sampler
from engine.models import checkpoint as loading
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.models.parts import PartsFolder
from engine.sampling.draw import DrawSettings, draw_pictures
from tests.models.tiny_sd1 import write_tiny_model

CPU = torch.device("cpu")
PROMPT = "a red star in the middle, blue background"
Load = Callable[..., ModelFamily]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


@pytest.fixture
def load(folder: Path) -> Load:
    def load(*, dtype: torch.dtype = torch.float32, **options: object) -> ModelFamily:
        config = replace(ModelConfig(name="tiny", checkpoint=str(folder)), **options)  # type: ignore[arg-type]
        return load_family(config, device=CPU, dtype=dtype)

    return load


def test_clip_skip_of_two_reads_as_an_encoder_without_its_last_layer_does(load: Load, folder: Path) -> None:
    prompts = [PROMPT, "", "a red star, " * 60]
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    del pipeline.text_encoder.encoder.layers[-1]  # diffusers' own clip_skip fails with transformers 5.23
    with torch.no_grad():
        theirs, _ = pipeline.encode_prompt(prompts, CPU, 1, False)
    ours = hidden(load(clip_skip=2), prompts)
    assert torch.equal(ours, theirs)
    assert not torch.allclose(ours, hidden(load(), prompts), atol=1e-3)


def test_a_layer_that_the_encoder_lacks_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    words = r"^model\.clip_skip=3: the text encoder has 2 layers\. Give at most 2\.$"
    monkeypatch.setattr(loading, "_loaded", {})
    with pytest.raises(ConfigError, match=words):
        load(clip_skip=3)
    load(clip_skip=2)
    with pytest.raises(ConfigError, match=words):  # from memory, too
        load(clip_skip=3)


def test_a_longer_length_adds_rows_that_read_the_rest(load: Load) -> None:
    first, second = "red star " * 37 + "red", "blue heart " * 9  # 75 tokens and 18
    short, empty, rest = hidden(load(), [first, "", second])
    for length, num_rows in ((150, 2), (225, 3)):
        both, alone = hidden(load(token_length=length), [first + " " + second, first])
        assert both.shape == (num_rows * 75 + 2, 16)
        assert torch.allclose(both[:76], short[:76], atol=1e-6)
        assert torch.allclose(both[76:151], rest[1:76], atol=1e-6)
        assert torch.allclose(alone[76:151], empty[1:76], atol=1e-6)
        assert torch.allclose(both[-1], (rest if num_rows == 2 else empty)[-1], atol=1e-6)


def test_what_a_length_cuts_is_said_once(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    family = load(token_length=150)
    fits, cut = hidden(family, ["red star " * 75, "red star " * 80])
    family.encode_prompts(["red star " * 80])
    assert torch.equal(fits, cut)
    (record,) = caplog.records
    words = "red star " * 80
    said = f"cut after 150 tokens: {words}. Shorten it, or raise model.token_length."
    assert record.getMessage() == said


def test_weights_multiply_the_embeddings_of_their_words(load: Load) -> None:
    plain = hidden(load(), ["a red star", "a (red:1.5) star"])
    found = hidden(load(weighted_captions=True), ["a red star", "a (red:1.5) [star]"])
    assert torch.equal(found[0], plain[0])  # not a bit where there is no bracket
    assert not torch.allclose(plain[1], plain[0], atol=1e-3)  # without the option brackets are words
    strengths = torch.ones(77, 1)
    strengths[2], strengths[3] = 1.5, 1 / 1.1
    assert torch.allclose(found[1], plain[0] * strengths)


def test_a_bad_weight_is_an_error_with_its_place(load: Load) -> None:
    with pytest.raises(ValueError, match=r"\(red:1\.2\.3\): 1\.2\.3 is not a weight"):
        load(weighted_captions=True).encode_prompts([PROMPT, "a (red:1.2.3) star"])
    load().encode_prompts(["a (red:1.2.3) star"])


def test_runs_that_differ_share_the_weights_and_read_by_their_own_options(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    real = loading.LOADERS[Family.sd1]

    def noting(config: ModelConfig, source: PartsFolder, **options: object) -> ModelFamily:
        reads.append(source.folder)
        return real(config, source, **options)

    monkeypatch.setattr(loading, "LOADERS", {Family.sd1: noting})
    monkeypatch.setattr(loading, "_loaded", {})
    one = load()
    before = hidden(one, [PROMPT])
    other = load(clip_skip=2)
    assert len(reads) == 1
    assert one.adaptable_layers()[0].root is other.adaptable_layers()[0].root
    assert (one.config.clip_skip, other.config.clip_skip) == (1, 2)
    assert not torch.allclose(hidden(other, [PROMPT]), before, atol=1e-3)
    assert torch.equal(hidden(one, [PROMPT]), before)
    assert torch.equal(hidden(load(), [PROMPT]), before)  # and back again
    assert load() is load() and len(reads) == 1


def test_what_is_on_the_base_stays_when_a_run_with_other_options_takes_it(load: Load) -> None:
    family = load()
    layer = family.adaptable_layers()[0]
    module = layer.root.get_submodule(layer.name)
    module.learning = torch.nn.Parameter(torch.zeros(1))
    try:
        load(clip_skip=2)
        assert module.learning.requires_grad
    finally:
        del module.learning


@pytest.mark.parametrize(
    "options",
    [
        {"clip_skip": 2},
        {"token_length": 225},
        {"weighted_captions": True},
        {"clip_skip": 2, "token_length": 150, "weighted_captions": True},
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pictures_are_drawn_from_the_text_that_is_trained_on(
    load: Load, options: dict[str, object], dtype: torch.dtype
) -> None:
    family = load(dtype=dtype, **options)
    prompts, negatives = ["a (red star:1.4), " * 9, "[blue] heart"], ["(ugly:1.3)"] * 2
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    settings = {
        "latents": latents,
        "num_inference_steps": 3,
        "guidance_scale": 3.0,
        "width": 64,
        "height": 64,
        "output_type": "latent",
    }
    pipeline = family.sampling_pipeline(Sampler.ddim)
    ours = pipeline(prompt=prompts, negative_prompt=negatives, **settings).images  # type: ignore[arg-type]
    text = hidden(family, prompts), hidden(family, negatives)
    theirs = pipeline.pipeline(  # type: ignore[attr-defined]
        prompt_embeds=text[0], negative_prompt_embeds=text[1], **settings
    ).images
    assert torch.equal(ours, theirs)
    assert not torch.allclose(ours, _default(load(dtype=dtype), prompts, negatives, settings), atol=1e-3)


def test_without_a_negative_prompt_guidance_leads_away_from_the_empty_one(load: Load) -> None:
    settings = DrawSettings(
        width=64, height=64, steps=2, guidance_scale=3.0, sampler=Sampler.ddim, negative_prompt=""
    )
    family = load(token_length=150)
    (expected,) = draw_pictures(family, [PROMPT], [1], settings)
    pipeline = family.sampling_pipeline

    class Unsaid:
        """The family, asked without a negative prompt."""

        def __getattr__(self, name: str) -> object:
            return getattr(family, name)

        def sampling_pipeline(self, sampler: Sampler) -> Callable[..., object]:
            return lambda **given: pipeline(sampler)(**{**given, "negative_prompt": None})

    (found,) = draw_pictures(Unsaid(), [PROMPT], [1], settings)  # type: ignore[arg-type]
    assert found.image.tobytes() == expected.image.tobytes()


def hidden(family: ModelFamily, prompts: list[str]) -> Tensor:
    """The text encoder's states, [B, L, D]."""
    (states,) = family.encode_prompts(prompts).values()
    return states


def _default(
    family: ModelFamily, prompts: list[str], negatives: list[str], settings: dict[str, object]
) -> Tensor:
    pipeline = family.sampling_pipeline(Sampler.ddim)
    return pipeline(prompt=prompts, negative_prompt=negatives, **settings).images  # type: ignore[arg-type]
