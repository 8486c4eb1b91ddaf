"""CLIP as an encoder: transformers' own features, whatever the batch; and folders that are no whole CLIP."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from score_toys import save_tiny_clip
from transformers import CLIPModel, CLIPTokenizer

from engine.config.errors import ConfigError
from evaluation.encoders.encoder import EncoderKind
from evaluation.encoders.encoder_folder import find_encoder, fingerprint_folder
from evaluation.encoders.file_hashes import FileHashes
from evaluation.encoders.load import load_encoder
from evaluation.encoders.pictures import prepare, read_preprocessing

TEXTS = ["a dog", "cat", "abcdefghij"]  # with both ends 6, 5 and 12 tokens; 8 are read


def pictures() -> list[Image.Image]:
    pixels = np.random.default_rng(0).integers(0, 256, size=(7, 20, 30, 3)).astype(np.uint8)
    return [Image.fromarray(picture) for picture in pixels]


def test_vectors_are_transformers_features_at_length_one(tiny_clip: Path) -> None:
    encoder = load_encoder(str(tiny_clip), "cpu")
    model = CLIPModel.from_pretrained(tiny_clip).eval()
    tokens = CLIPTokenizer.from_pretrained(tiny_clip)(TEXTS[:2], padding=True, return_tensors="pt")
    pixels = np.stack([prepare(picture, read_preprocessing(tiny_clip)) for picture in pictures()])
    with torch.no_grad():
        output = model(pixel_values=torch.from_numpy(pixels), **tokens)
    np.testing.assert_allclose(encoder.embed_images(pictures()), output.image_embeds, atol=1e-6)
    np.testing.assert_allclose(encoder.embed_texts(TEXTS[:2]), output.text_embeds, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(encoder.embed_images(pictures()), axis=1), 1, atol=1e-6)


def test_an_encoder_says_what_it_is(tiny_clip: Path) -> None:
    encoder = load_encoder(str(tiny_clip), "cpu")
    assert encoder.name == str(tiny_clip)
    assert encoder.fingerprint == fingerprint_folder(tiny_clip)
    assert encoder.preprocessing == read_preprocessing(tiny_clip).id
    assert encoder.kinds == {EncoderKind.image, EncoderKind.text_image}


def test_the_batch_size_changes_nothing(tiny_clip: Path) -> None:
    encoder = load_encoder(str(tiny_clip), "cpu")
    together = encoder.embed_images(pictures())
    alone = np.concatenate([encoder.embed_images([picture]) for picture in pictures()])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    texts = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), texts, atol=1e-5)


def test_a_text_that_is_too_long_loses_its_last_words_and_keeps_its_end(tiny_clip: Path) -> None:
    encoder = load_encoder(str(tiny_clip), "cpu")
    assert encoder.count_truncated(TEXTS) == 1
    assert encoder.count_truncated(["abcdef"]) == 0  # 6 letters and both ends: just fits
    cut, other, different = encoder.embed_texts(["abcdefghij", "abcdefzzzz", "abcdezghij"])
    np.testing.assert_array_equal(cut, other)
    assert np.abs(cut - different).max() > 1e-4


def test_an_encoder_is_loaded_once_in_a_process(tiny_clip: Path) -> None:
    assert load_encoder(str(tiny_clip), "cpu") is load_encoder(str(tiny_clip), "cpu")


def test_a_folder_whose_weights_changed_is_loaded_again(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    before = load_encoder(str(folder), "cpu")
    vectors = before.embed_images(pictures())
    save_tiny_clip(folder, seed=1)
    after = load_encoder(str(folder), "cpu")
    assert after.fingerprint != before.fingerprint
    assert np.abs(after.embed_images(pictures()) - vectors).max() > 0.01


def test_the_fingerprint_is_of_the_content_not_of_the_place(tiny_clip: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_clip, tmp_path / "copy")
    assert fingerprint_folder(copy) == fingerprint_folder(tiny_clip)
    (copy / "README.md").write_text("Not a setting.")
    assert fingerprint_folder(copy) == fingerprint_folder(tiny_clip)
    (copy / "merges.txt").write_text("#version: 0.3\n")
    assert fingerprint_folder(copy) != fingerprint_folder(tiny_clip)


def test_a_device_that_is_not_here_is_refused(tiny_clip: Path) -> None:
    with pytest.raises(ConfigError, match=r"device=cuda:99: not on this machine\. Use device=auto"):
        load_encoder(str(tiny_clip), "cuda:99")


def without(*names: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return damage


def with_file(name: str, content: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_text(content)

    return damage


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def without_weights_of(beginning: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "model.safetensors"
        kept = {key: value for key, value in load_file(file).items() if not key.startswith(beginning)}
        save_file(kept, file, metadata={"format": "pt"})

    return damage


def with_another_shape(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    weights["visual_projection.weight"] = torch.zeros(5, 16)
    save_file(weights, file, metadata={"format": "pt"})


BROKEN_FOLDERS: list[tuple[str, Callable[[Path], None], str]] = [
    ("no config", without("config.json"), "holds no config.json"),
    ("config is no JSON", with_file("config.json", "{"), "config.json .*cannot be read"),
    ("config is a list", with_file("config.json", "[]"), "config.json .*cannot be read"),
    ("another model", with_file("config.json", '{"model_type": "bert"}'), "is a bert model, not a CLIP"),
    ("no weights", without("model.safetensors"), "holds no model.safetensors"),
    ("cut weights", cut_weights, "model.safetensors is damaged"),
    ("no text tower", without_weights_of("text_model."), r"its weights lack text_model\.\*"),
    ("no projection", without_weights_of("visual_proj"), r"its weights lack visual_projection\.\*"),
    ("no vocabulary", without("vocab.json"), "holds no tokenizer"),
    ("no preprocessing", without("preprocessor_config.json"), "holds no preprocessor_config.json"),
]


@pytest.mark.parametrize(
    ("damage", "sentence"), [row[1:] for row in BROKEN_FOLDERS], ids=[row[0] for row in BROKEN_FOLDERS]
)
def test_a_folder_that_is_no_whole_clip_is_refused_before_training(
    tiny_clip: Path, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    read_preprocessing(find_encoder(str(folder)))
    damage(folder)
    with pytest.raises(ConfigError) as refusal:  # of files and headers, as before hours of training
        read_preprocessing(find_encoder(str(folder)))
    (problem,) = refusal.value.problems
    assert problem.startswith(f"evaluation.encoder={folder}: ")
    assert re.search(sentence, problem)
    with pytest.raises(ConfigError, match=sentence):
        load_encoder(str(folder), "cpu")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (without_weights_of("text_model.final"), "2 weights are missing .first: text_model.final_layer_norm"),
        (with_another_shape, "cannot be loaded"),
    ],
)
def test_weights_that_only_show_in_loading_are_refused_by_name(
    tiny_clip: Path, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    damage(folder)
    with pytest.raises(ConfigError, match=sentence):
        load_encoder(str(folder), "cpu").embed_images(pictures())


def test_weights_in_several_files_are_looked_for_by_their_index(tiny_clip: Path, tmp_path: Path) -> None:
    CLIPModel.from_pretrained(tiny_clip).save_pretrained(tmp_path / "clip", max_shard_size="10KB")
    for name in ("vocab.json", "merges.txt", "preprocessor_config.json"):
        shutil.copy(tiny_clip / name, tmp_path / "clip" / name)
    assert not (tmp_path / "clip" / "model.safetensors").exists()
    whole = load_encoder(str(tmp_path / "clip"), "cpu").embed_images(pictures())
    np.testing.assert_array_equal(whole, load_encoder(str(tiny_clip), "cpu").embed_images(pictures()))
    index = json.loads((tmp_path / "clip" / "model.safetensors.index.json").read_text())
    (tmp_path / "clip" / index["weight_map"]["visual_projection.weight"]).unlink()
    with pytest.raises(ConfigError, match=r"holds no model-0000\d-of-0000\d\.safetensors"):
        find_encoder(str(tmp_path / "clip"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no/such/folder", "evaluation.encoder=no/such/folder: no such folder. Set evaluation.encoder to"),
        ("nobody/nothing", "evaluation.encoder=nobody/nothing: not on this machine. Run: hf download nobody"),
    ],
)
def test_an_encoder_that_is_not_here_is_one_sentence_and_no_download(name: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        find_encoder(name)


def test_weights_in_pytorchs_own_format_are_read_and_refused_alike(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    expected = load_encoder(str(tiny_clip), "cpu")
    found = load_encoder(str(folder), "cpu")
    np.testing.assert_array_equal(found.embed_images(pictures()), expected.embed_images(pictures()))
    assert found.logit_scale() == pytest.approx(expected.logit_scale())
    torch.save({k: v for k, v in weights.items() if "text_projection" not in k}, folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"1 weights are missing .first: text_projection\.weight"):
        load_encoder(str(folder), "cpu").embed_images(pictures())


def test_the_logit_scale_is_that_of_the_model(tiny_clip: Path) -> None:
    model = CLIPModel.from_pretrained(tiny_clip)
    assert load_encoder(str(tiny_clip), "cpu").logit_scale() == pytest.approx(model.logit_scale.exp().item())


def test_a_hub_id_of_the_wrong_kind_is_refused_with_where_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    monkeypatch.setattr("evaluation.encoders.encoder_folder.find_checkpoint", lambda name: tmp_path)
    with pytest.raises(ConfigError) as refusal:
        find_encoder("google/vit", "evaluation.image_encoder")
    (problem,) = refusal.value.problems
    assert problem == (
        f"evaluation.image_encoder=google/vit (at {tmp_path}): is a vit model, not a DINOv2, CLIP or SigLIP. "
        "Set evaluation.image_encoder to a DINOv2, CLIP or SigLIP as save_pretrained writes it, or to pixels."
    )


def test_unchanged_weights_are_not_read_again_for_their_fingerprint(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)  # files of less than 2 s are read each time
    first = fingerprint_folder(tiny_clip, FileHashes(tmp_path))
    opened: list[str] = []
    read = Path.open

    def note(path: Path, mode: str = "r") -> object:
        opened.append(path.suffix)
        return read(path, mode)

    monkeypatch.setattr(Path, "open", note)
    assert fingerprint_folder(tiny_clip, FileHashes(tmp_path)) == first
    assert opened == [".index"]
