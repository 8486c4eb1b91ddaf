"""DINOv2 and bare pixels as encoders of pictures: transformers' class token, and no words."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from score_toys import save_tiny_dino
from transformers import Dinov2Model
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from engine.config.errors import ConfigError
from evaluation.encoders.encoder import EncoderKind
from evaluation.encoders.load import load_encoder

OPTION = "evaluation.image_encoder"


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_dino(tmp_path_factory.mktemp("dino"))


def pictures() -> list[Image.Image]:
    pixels = np.random.default_rng(0).integers(0, 256, size=(7, 20, 30, 3)).astype(np.uint8)
    return [Image.fromarray(picture) for picture in pixels]


def test_vectors_are_the_class_token_after_the_last_norm(dino: Path) -> None:
    encoder = load_encoder(str(dino), "cpu", option=OPTION)
    pixels = BitImageProcessorPil.from_pretrained(dino)(pictures(), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        tokens = Dinov2Model.from_pretrained(dino).eval()(pixels).last_hidden_state[:, 0]
    expected = tokens / tokens.norm(dim=-1, keepdim=True)
    np.testing.assert_allclose(encoder.embed_images(pictures()), expected, atol=1e-6)
    assert encoder.kinds == {EncoderKind.image}


def test_the_batch_size_changes_nothing(dino: Path) -> None:
    encoder = load_encoder(str(dino), "cpu", option=OPTION)
    alone = np.concatenate([encoder.embed_images([picture]) for picture in pictures()])
    np.testing.assert_allclose(encoder.embed_images(pictures()), alone, atol=1e-5)


def test_weights_with_the_prefix_of_a_classifier_are_found(dino: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(dino, tmp_path / "dino")
    weights = {f"dinov2.{key}": value for key, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    expected = load_encoder(str(dino), "cpu", option=OPTION).embed_images(pictures())
    found = load_encoder(str(folder), "cpu", option=OPTION).embed_images(pictures())
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("part", ["layernorm.", "encoder.layer.1.mlp"])
def test_random_weights_never_serve(dino: Path, tmp_path: Path, part: str) -> None:
    folder = shutil.copytree(dino, tmp_path / "dino")
    weights = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in weights.items() if not key.startswith(part)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ConfigError, match=r"image_encoder=.*(its weights lack layernorm|4 weights are missing)"
    ):
        load_encoder(str(folder), "cpu", option=OPTION).embed_images(pictures())


def test_in_the_place_of_a_clip_it_is_refused(dino: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_encoder(str(dino), "cpu")
    (problem,) = refusal.value.problems
    assert problem == (
        f"evaluation.encoder={dino}: is a dinov2 model, not a CLIP or SigLIP. Set evaluation.encoder to a "
        "CLIP or SigLIP as save_pretrained writes it."
    )


@pytest.mark.parametrize("name", ["dino", "pixels"])
def test_texts_are_refused_with_what_to_use(dino: Path, name: str) -> None:
    encoder = load_encoder(str(dino) if name == "dino" else name, "cpu", option=OPTION)
    for ask in (
        lambda: encoder.embed_texts(["a"]),
        lambda: encoder.count_truncated(["a"]),
        encoder.logit_scale,
    ):
        with pytest.raises(ConfigError, match=r"reads pictures alone\. Use a CLIP or SigLIP for texts\."):
            ask()


def test_pixels_are_the_correlation_of_small_pictures() -> None:
    encoder = load_encoder("pixels", option=OPTION)
    left = np.zeros((32, 32, 3), dtype=np.uint8)
    left[:, :16] = 200
    mirrored = left[:, ::-1]
    brighter = left // 2 + 100
    other = np.random.default_rng(0).integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
    same, opposite, lighter, unlike = encoder.embed_images(
        [Image.fromarray(np.ascontiguousarray(pixels)) for pixels in (left, mirrored, brighter, other)]
    )
    assert same @ opposite == pytest.approx(-1)
    assert same @ lighter == pytest.approx(1)
    expected = np.corrcoef(left.ravel().astype(float), other.ravel().astype(float))[0, 1]
    assert same @ unlike == pytest.approx(expected, abs=1e-6)


def test_pixels_are_areas_and_one_grey_is_nothing() -> None:
    encoder = load_encoder("pixels", option=OPTION)
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
    large = small.repeat(4, axis=0).repeat(3, axis=1)
    one, other, grey = encoder.embed_images(
        [Image.fromarray(small), Image.fromarray(large), Image.new("RGB", (50, 40), (9, 9, 9))]
    )
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(grey, np.zeros(3072, dtype=np.float32))


def test_pixels_do_not_read_text_and_are_refused_as_the_encoder_of_texts() -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.encoder=pixels: .* CLIP or SigLIP"):
        load_encoder("pixels")
