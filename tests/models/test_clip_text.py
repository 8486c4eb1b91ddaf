"""Prompts through a CLIP text encoder: by hand, and to the last bit as the reference."""

import json
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPTextModel

from engine.models.clip_text import encode_rows, join_rows, read_prompts
from tests.models.clip_words import GOLDEN, PADDINGS, clip_text_model, clip_tokenizer

CHUNKS = json.loads((GOLDEN / "k_token_chunks.json").read_text(encoding="utf-8"))
PROMPTS = json.loads((GOLDEN / "o_text_encode.json").read_text(encoding="utf-8"))["prompts"]
OUTPUTS = load_file(GOLDEN / "o_text_encode_outputs.safetensors")


@pytest.fixture(scope="module")
def model() -> CLIPTextModel:
    return clip_text_model()


@pytest.mark.parametrize("key", sorted(OUTPUTS))
def test_embeddings_are_the_references_to_the_last_bit(model: CLIPTextModel, key: str) -> None:
    name, length, skip, *weighted = key.split(".")  # sd1.max150.clip_skip2.weighted
    expected = OUTPUTS[key]
    (padding,) = PADDINGS[name]
    rows = read_prompts(
        PROMPTS[: len(expected)],
        clip_tokenizer(padding),
        rows={"maxNone": 1, "max150": 2, "max225": 3}[length],
        weighted=bool(weighted),
    )
    with torch.no_grad():
        found = encode_rows(rows, model, clip_skip={"clip_skipNone": 1, "clip_skip2": 2}[skip])
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-6  # 0 measured


def test_tokens_are_the_references_with_weights_asked_for_and_without() -> None:
    for case in CHUNKS["cases"]:
        prompt, rows = CHUNKS["prompts"][case["prompt"]], (case["max_token_length"] or 75) // 75
        encoders = zip(
            PADDINGS[case["model"]], case["input_ids"], case["weighted_ids_equal_plain"], strict=True
        )
        for padding, ids, is_equal in encoders:
            plain, weighted = (
                read_prompts([prompt], clip_tokenizer(padding), rows=rows, weighted=weighted)
                for weighted in (False, True)
            )
            assert plain.ids[0].tolist() == ids
            assert is_equal and torch.equal(weighted.ids, plain.ids)
            assert bool((weighted.weights == 1).all())


def test_weights_are_those_of_the_tokens_and_brackets_are_none() -> None:
    tokenizer = clip_tokenizer("<|endoftext|>")
    rows = read_prompts(["a (red dog:2) [cat]"], tokenizer, weighted=True)
    assert torch.equal(rows.ids, read_prompts(["a red dog cat"], tokenizer).ids)
    assert torch.allclose(rows.weights[0, 0], torch.tensor([1, 1, 2, 2, 1 / 1.1] + [1.0] * 72))
    plain = read_prompts(["(red)"], tokenizer)  # three tokens and the end
    assert int((plain.ids != 49407).sum()) == 4 and bool((plain.weights == 1).all())


def test_a_weighted_piece_goes_on_in_the_next_row() -> None:
    words = "cat " * 74
    rows = read_prompts([f"{words}(red dog blue:3) cat"], clip_tokenizer("!"), rows=2, weighted=True)
    assert rows.weights[0, 0].tolist() == [1.0] * 75 + [3.0, 1.0]
    assert rows.weights[0, 1].tolist() == [1.0, 3.0, 3.0] + [1.0] * 74


def test_a_prompt_is_cut_where_the_rows_end() -> None:
    tokenizer = clip_tokenizer("<|endoftext|>")
    prompts = ["cat " * 150, "cat " * 151, "(cat:2) " * 151]
    rows = read_prompts(prompts, tokenizer, rows=2, weighted=True)
    assert rows.cut == prompts[1:] and rows.capacity == 150
    assert torch.equal(rows.ids[0], rows.ids[1]) and torch.equal(rows.ids[0], rows.ids[2])
    assert read_prompts(prompts, tokenizer, rows=3).cut == prompts[2:]  # its brackets and numbers are words


def test_a_bad_weight_is_an_error_where_weights_are_read() -> None:
    tokenizer = clip_tokenizer("<|endoftext|>")
    with pytest.raises(ValueError, match=r"\(red:1\.2\.3\): 1\.2\.3 is not a weight"):
        read_prompts(["cat", "a (red:1.2.3) dog"], tokenizer, weighted=True)
    assert read_prompts(["a (red:1.2.3) dog"], tokenizer).cut == []


def test_rows_are_joined_with_one_begin_and_one_end() -> None:
    states = torch.arange(8.0).reshape(1, 2, 4, 1)  # two rows: 0 1 2 3, 4 5 6 7
    weights = torch.tensor([[[1.0, 2, 1, 1], [1, 1, 0.5, 1]]])
    assert join_rows(states, weights).flatten().tolist() == [0, 2, 2, 5, 3, 7]
    one = torch.arange(4.0).reshape(1, 1, 4, 1)
    assert join_rows(one, torch.ones(1, 1, 4)).flatten().tolist() == [0, 1, 2, 3]


def test_each_layer_can_be_taken_and_they_differ(model: CLIPTextModel) -> None:
    rows = read_prompts(["a red cat"], clip_tokenizer("<|endoftext|>"))
    with torch.no_grad():
        found = [encode_rows(rows, model, clip_skip=skip) for skip in range(1, 13)]
        first_layer = model(rows.ids[0], output_hidden_states=True).hidden_states[1]
        assert torch.equal(found[11], model.final_layer_norm(first_layer))
    assert all(not torch.allclose(one, other) for one, other in pairwise(found))
