"""A checkpoint in one file holds what its folder holds; parts that are given take the place of its own."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from original_layout import clip, every_part, kl_vae, part_weights, settings_of, write_original
from safetensors.torch import load_file, save_file

from engine.compose.checkpoint import checkpoint_problems, read_checkpoint
from engine.config import ConfigError, Family, ModelConfig, Prediction
from engine.models.checkpoint import fingerprints_of, load_family
from engine.models.facts import FAMILIES, PART_OPTIONS
from engine.models.family import Conditioning, ModelFamily
from engine.models.layouts import layout_of
from tests.models.tiny_flux import write_tiny_flux
from tests.models.tiny_sd1 import write_tiny_model
from tests.models.tiny_sd2 import write_tiny_sd2
from tests.models.tiny_sd3 import write_tiny_sd3
from tests.models.tiny_sdxl import write_tiny_sdxl

CPU = torch.device("cpu")
PROMPTS = ["a red star", "heart"]
WRITERS: dict[str, tuple[Family, Callable[[Path], None]]] = {
    "sd1": (Family.sd1, write_tiny_model),
    "sd2": (Family.sd2, write_tiny_sd2),
    "sdxl": (Family.sdxl, write_tiny_sdxl),
    "sd3": (Family.sd3, write_tiny_sd3),
    "sd3 without T5": (Family.sd3, partial(write_tiny_sd3, with_t5=False)),
    "sd35": (Family.sd3, partial(write_tiny_sd3, is_35=True)),
    "flux dev": (Family.flux, write_tiny_flux),
    "flux schnell": (Family.flux, partial(write_tiny_flux, is_dev=False)),
}


_MORE = ("sd3 without T5", "sd35", "flux schnell")  # of families that are there already


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow if name in _MORE else ()) for name in WRITERS],
)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Family, Path, Path]:
    """The family, a folder, and the same weights in one file."""
    family, write = WRITERS[request.param]
    folder = tmp_path_factory.mktemp("pair") / "folder"
    write(folder)
    write_original(folder, family, folder.with_suffix(".safetensors"))
    return family, folder, folder.with_suffix(".safetensors")


def as_file(family: Family, folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """The recipe of a file: the toy's settings in the place of the published ones, its tokenizers given."""
    configs = folder.parent / "configs"
    for layout in {family.value, *(layout_of(family, names) for names in _LAYOUT_NAMES)}:
        shutil.copytree(
            folder, configs / layout, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True
        )
    monkeypatch.setattr("engine.models.places.CONFIGS", configs)
    return replace(config_of(family, file), tokenizers=str(folder))


_LAYOUT_NAMES: list[dict[str, tuple[int, ...]]] = [{}, {"x.attn2.": ()}, {"x": ()}]  # that tell layouts apart


def config_of(family: Family, checkpoint: Path) -> ModelConfig:
    prediction = Prediction.flow if FAMILIES[family].is_flow else Prediction.epsilon
    return ModelConfig(name="toy", family=family, checkpoint=str(checkpoint), prediction=prediction)


def loaded(config: ModelConfig) -> ModelFamily:
    return load_family(config, device=CPU, dtype=torch.float32)


def all_weights(family: ModelFamily) -> dict[str, torch.Tensor]:
    """Of every component that layers are in, biases and norms too."""
    roots = {layer.component: layer.root for layer in family.every_layer()}
    return {
        f"{component} {name}": weight
        for component, root in roots.items()
        for name, weight in root.state_dict().items()
    }


def seen(family: ModelFamily) -> dict[str, torch.Tensor]:
    """What comes of every part: text, latents, a prediction, a picture."""
    generator = torch.Generator().manual_seed(0)
    text = family.encode_prompts(PROMPTS)
    noisy = torch.randn(2, family.latent_channels, 8, 8, generator=generator)
    sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)
    latents = family.encode_images(torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1)
    with torch.no_grad():
        predicted = family.predict(noisy, torch.tensor([20.0, 700.0]), Conditioning(text=text, sizes=sizes))
    return {
        **text,
        "predicted": predicted,
        "mean": latents.mean,
        "std": latents.std,
        "picture": family.decode_latents(noisy[:1]),
    }


def test_a_file_of_the_original_layout_holds_the_same_weights(
    pair: tuple[Family, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    family, folder, file = pair
    whole = loaded(config_of(family, folder))
    weights, results = all_weights(whole), seen(whole)
    single = loaded(as_file(family, folder, file, monkeypatch))
    assert single is not whole
    found = all_weights(single)
    assert set(found) == set(weights) and all(torch.equal(found[name], weights[name]) for name in weights)
    again = seen(single)
    assert set(again) == set(results) and all(torch.equal(again[name], results[name]) for name in results)


def test_the_plan_of_a_file_has_the_layers_of_its_folder(
    pair: tuple[Family, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    family, folder, file = pair
    config = as_file(family, folder, file, monkeypatch)
    assert checkpoint_problems(config) == []
    whole, single = read_checkpoint(config_of(family, folder)), read_checkpoint(config)
    by_name = lambda layers: sorted((one.name, one.group.name, one.shape) for one in layers)  # noqa: E731
    assert by_name(single.layers) == by_name(whole.layers) and len(whole.layers) > 0
    assert single.latent_factor == whole.latent_factor
    assert single.folder == file


def test_a_part_of_its_own_takes_the_place_of_the_checkpoints(
    pair: tuple[Family, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, folder, file = pair
    other = _disturbed(folder, tmp_path / "other")
    written = {"vae": kl_vae, "clip_l": clip, "clip_g": clip, "t5xxl": lambda weights, _: weights}
    config = as_file(family, folder, file, monkeypatch)
    before = seen(loaded(config))
    fingerprints = fingerprints_of(config)
    for option, part in PART_OPTIONS[family].items():
        if not (folder / part).is_dir():
            continue
        one = tmp_path / f"{option}.safetensors"
        weights = written[option](part_weights(other / part), settings_of(other / part))
        save_file({name: weight.contiguous() for name, weight in weights.items()}, one)
        changed = [
            _with(config_of(family, folder), option, one),
            _with(config_of(family, folder), option, other),
            _with(config, option, other / part),
            _with(config, option, one),
        ]
        results = [seen(loaded(each)) for each in changed]
        assert all(checkpoint_problems(each) == [] for each in changed)
        for name in before:
            assert all(torch.equal(results[0][name], each[name]) for each in results), (option, name)
        differing = {name for name in before if not torch.equal(before[name], results[0][name])}
        assert differing and ("mean" in differing) is (option == "vae")
        now = fingerprints_of(changed[-1])
        assert now.base != fingerprints.base
        assert (now.vae != fingerprints.vae, now.text != fingerprints.text) == (
            option == "vae",
            option != "vae",
        )


def test_tokenizers_are_taken_from_the_folder_that_is_given(
    pair: tuple[Family, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, folder, file = pair
    config = as_file(family, folder, file, monkeypatch)
    before = loaded(config)
    other = tmp_path / "words"
    for part in FAMILIES[family].tokenizers:
        if (folder / part).is_dir():
            shutil.copytree(folder / part, other / part)
    words = json.loads((other / "tokenizer/tokenizer.json").read_text())
    vocabulary = words["model"]["vocab"]
    vocabulary["star</w>"], vocabulary["heart</w>"] = vocabulary["heart</w>"], vocabulary["star</w>"]
    (other / "tokenizer/tokenizer.json").write_text(json.dumps(words))
    for base in (config, config_of(family, folder)):
        changed = loaded(replace(base, tokenizers=str(other)))
        first, second = (one.encode_prompts(["star", "heart"]) for one in (before, changed))
        assert any(not torch.equal(first[name], second[name]) for name in first)
    assert changed.fingerprints.text != before.fingerprints.text


def test_words_by_kind_are_set_as_the_layout_says(
    pair: tuple[Family, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, folder, file = pair
    config = as_file(family, folder, file, monkeypatch)
    before = seen(loaded(config))
    kinds = {"tokenizer": "clip", "tokenizer_3": "t5", "tokenizer_2": "t5"}
    for part, kind in kinds.items():
        if (folder / part).is_dir() and not (tmp_path / kind).exists():
            shutil.copytree(folder / part, tmp_path / kind)
    again = seen(loaded(replace(config, tokenizers=str(tmp_path))))
    assert all(torch.equal(again[name], before[name]) for name in before)


def test_a_file_that_lacks_a_weight_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_sdxl(tmp_path / "folder")
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    write_original(tmp_path / "folder", Family.sdxl, whole)
    config = as_file(Family.sdxl, tmp_path / "folder", broken, monkeypatch)
    for name, lost in {
        "model.diffusion_model.out.2.bias": "unet lacks 1 weights, the first: conv_out.bias",
        "first_stage_model.decoder.norm_out.bias": "vae lacks 1 weights, the first: decoder.conv_norm_out",
        "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias": (
            "text_encoder lacks 1 weights, the first: final_layer_norm.bias"
        ),
        "conditioner.embedders.1.model.ln_final.bias": (
            "text_encoder_2 lacks 1 weights, the first: text_model.final_layer_norm.bias"
        ),
        "conditioner.embedders.1.model.text_projection": "text_encoder_2 lacks 1 weights, the first: text_p",
    }.items():
        weights = load_file(whole)
        del weights[name]
        save_file(weights, broken)
        with pytest.raises(ConfigError) as refusal:
            loaded(config)
        assert f"broken.safetensors: {lost}" in refusal.value.problems[0]


def test_stable_diffusion_3_reads_clip_l_without_a_projection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_sd3(tmp_path / "folder", with_t5=False)
    (own,) = (tmp_path / "folder/text_encoder").glob("*.safetensors")
    weights = load_file(own)
    weights["text_projection.weight"] = torch.eye(len(weights["text_projection.weight"]))
    save_file(weights, own, {"format": "pt"})
    file = tmp_path / "m.safetensors"
    write_original(tmp_path / "folder", Family.sd3, file)
    weights = load_file(file)
    del weights["text_encoders.clip_l.transformer.text_projection.weight"]
    save_file(weights, file)
    whole = loaded(config_of(Family.sd3, tmp_path / "folder")).encode_prompts(PROMPTS)
    single = loaded(as_file(Family.sd3, tmp_path / "folder", file, monkeypatch)).encode_prompts(PROMPTS)
    assert all(torch.equal(single[name], whole[name]) for name in whole)


def test_a_file_of_another_shape_than_the_published_is_refused(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "folder")
    file = tmp_path / "m.safetensors"
    write_original(tmp_path / "folder", Family.sd1, file)
    config = replace(config_of(Family.sd1, file), tokenizers=str(tmp_path / "folder"))
    with pytest.raises(ConfigError) as refusal:
        loaded(config)
    (problem,) = refusal.value.problems
    assert problem.startswith(f"model.checkpoint={file}: its vae is not of the published shape (")
    assert problem.endswith("). Give it as a diffusers folder.") and len(problem) < 500


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_8_bit_floats_are_read_for_what_they_are(
    dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_flux(tmp_path / "folder")
    write_original(tmp_path / "folder", Family.flux, tmp_path / "m.safetensors")
    weights = {name: one.to(dtype) for name, one in load_file(tmp_path / "m.safetensors").items()}
    save_file(weights, tmp_path / "m.safetensors")
    found = all_weights(
        loaded(as_file(Family.flux, tmp_path / "folder", tmp_path / "m.safetensors", monkeypatch))
    )
    expected = all_weights(loaded(config_of(Family.flux, tmp_path / "folder")))
    assert all(torch.equal(found[name], one.to(dtype).float()) for name, one in expected.items())


def _with(config: ModelConfig, option: str, path: Path) -> ModelConfig:
    return replace(config, **{option: str(path)})


def _disturbed(folder: Path, other: Path) -> Path:
    """The same model with other weights."""
    shutil.copytree(folder, other)
    for part in every_part(other):
        (file,) = part.glob("*.safetensors")
        save_file({name: weight * 1.1 for name, weight in load_file(file).items()}, file, {"format": "pt"})
    return other
