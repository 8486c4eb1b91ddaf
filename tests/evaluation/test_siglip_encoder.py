"""SigLIP as an encoder: transformers' own features, texts as it was trained on them, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from score_toys import save_tiny_siglip
from transformers import PreTrainedTokenizerFast, SiglipModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from engine.config.errors import ConfigError
from evaluation.encoders.encoder import EncoderKind
from evaluation.encoders.load import load_encoder

TEXTS = ["a dog", "cat", "abcdefghij"]  # with the space before and the end 7, 5 and 12 tokens; 8 are read


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_siglip(tmp_path_factory.mktemp("siglip"))


def pictures() -> list[Image.Image]:
    pixels = np.random.default_rng(0).integers(0, 256, size=(7, 20, 30, 3)).astype(np.uint8)
    return [Image.fromarray(picture) for picture in pixels]


def lengths_of_one(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def test_pictures_are_transformers_features_at_length_one(siglip: Path) -> None:
    encoder = load_encoder(str(siglip), "cpu")
    pixels = SiglipImageProcessorPil.from_pretrained(siglip)(pictures(), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        features = SiglipModel.from_pretrained(siglip).eval().get_image_features(pixels).pooler_output
    np.testing.assert_allclose(encoder.embed_images(pictures()), lengths_of_one(features), atol=1e-6)
    assert encoder.kinds == set(EncoderKind)


def test_texts_are_transformers_features_padded_to_the_whole_length(siglip: Path) -> None:
    encoder = load_encoder(str(siglip), "cpu")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(siglip)
    tokens = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=8, return_tensors="pt")
    with torch.no_grad():
        model = SiglipModel.from_pretrained(siglip).eval()
        features = model.get_text_features(tokens["input_ids"]).pooler_output
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), lengths_of_one(features), atol=1e-6)


def test_the_batch_size_changes_nothing(siglip: Path) -> None:
    encoder = load_encoder(str(siglip), "cpu")
    alone = np.concatenate([encoder.embed_images([picture]) for picture in pictures()])
    np.testing.assert_allclose(encoder.embed_images(pictures()), alone, atol=1e-5)
    texts = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), texts, atol=1e-5)


def test_capitals_punctuation_and_spaces_mean_nothing_to_the_first_siglip(siglip: Path) -> None:
    encoder = load_encoder(str(siglip), "cpu")
    plain, loud = encoder.embed_texts(["a cab", " A   cab!-"])
    np.testing.assert_array_equal(plain, loud)


def test_siglip_2_reads_small_letters_and_punctuation(tmp_path: Path) -> None:
    encoder = load_encoder(str(save_tiny_siglip(tmp_path / "two", tokenizer_class="GemmaTokenizer")), "cpu")
    plain, loud, marked = encoder.embed_texts(["a cab", "A CAB", "a cab!"])
    np.testing.assert_array_equal(plain, loud)
    assert np.abs(plain - marked).max() > 1e-4


def test_a_text_that_is_too_long_loses_its_last_words_and_keeps_its_end(siglip: Path) -> None:
    encoder = load_encoder(str(siglip), "cpu")
    assert encoder.count_truncated(TEXTS) == 1
    assert encoder.count_truncated(["abcdef"]) == 0  # the space before, 6 letters and the end: just fits
    cut, other, whole, different = encoder.embed_texts(["abcdefghij", "abcdefzz", "abcdef", "abcdezghij"])
    np.testing.assert_array_equal(cut, other)
    np.testing.assert_array_equal(cut, whole)
    assert np.abs(cut - different).max() > 1e-4


def test_a_tokenizer_that_forgets_the_end_is_given_one(siglip: Path, tmp_path: Path) -> None:
    folder = save_tiny_siglip(tmp_path / "siglip")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    expected = load_encoder(str(siglip), "cpu").embed_texts(TEXTS)
    np.testing.assert_array_equal(load_encoder(str(folder), "cpu").embed_texts(TEXTS), expected)


def test_its_logit_scale_is_that_of_the_model(siglip: Path) -> None:
    model = SiglipModel.from_pretrained(siglip)
    assert load_encoder(str(siglip), "cpu").logit_scale() == pytest.approx(model.logit_scale.exp().item())


def test_without_tokenizer_json_it_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_siglip(tmp_path / "siglip")
    (folder / "tokenizer.json").rename(folder / "spiece.model")
    with pytest.raises(
        ConfigError, match=r"holds no tokenizer .tokenizer\.json.\. Set evaluation\.encoder to"
    ):
        load_encoder(str(folder), "cpu")


def test_as_a_preference_model_it_is_refused(siglip: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_encoder(str(siglip), "cpu", option="evaluation.preference")
    (problem,) = refusal.value.problems
    assert problem.startswith(f"evaluation.preference={siglip}: is a siglip model, not a CLIP as PickScore")
