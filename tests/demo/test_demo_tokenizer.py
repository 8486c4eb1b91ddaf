"""The tokenizer: one token a word, as transformers reads the committed vocabulary."""

from pathlib import Path

import pytest

from demo.folder import WEIGHTS
from demo.text_tower import load_tokenizer, tokenize
from demo.tokenizer import MAX_LENGTH, learn_merges, write_tokenizer
from demo.words import caption, split_words, world_words


def test_merges_of_two_words_are_the_most_frequent_pairs_first() -> None:
    # "ab</w>" and "cb</w>" hold no common pair: the first in the alphabet is merged first.
    assert learn_merges(("ab", "cb")) == [("a", "b</w>"), ("c", "b</w>")]
    # "aab": the pair a+a comes once, a+b</w> twice (with "ab").
    assert learn_merges(("aab", "ab")) == [("a", "b</w>"), ("a", "ab</w>")]


@pytest.mark.parametrize("word", world_words())
def test_every_word_of_the_world_is_one_token(word: str) -> None:
    tokenizer = load_tokenizer(WEIGHTS / "tokenizer")
    assert len(tokenizer(word, add_special_tokens=False).input_ids) == 1


def test_trigger_words_are_words_of_the_vocabulary() -> None:
    assert {"sks", "night", "bright", "style", "creature"} <= set(world_words())


def test_a_caption_is_start_words_end_and_padding_with_end() -> None:
    tokenizer = load_tokenizer(WEIGHTS / "tokenizer")
    text = "a small red star at the top left, dark blue striped background"
    ids = tokenize(tokenizer, [text])[0].tolist()
    num_words = len(split_words(text))
    assert len(ids) == MAX_LENGTH
    assert ids[0] == tokenizer.bos_token_id
    assert ids[1 + num_words :] == [tokenizer.eos_token_id] * (MAX_LENGTH - 1 - num_words)
    assert tokenizer.eos_token_id not in ids[: 1 + num_words]


def test_foreign_text_falls_to_bytes_and_comes_back() -> None:
    tokenizer = load_tokenizer(WEIGHTS / "tokenizer")
    ids = tokenizer("zébra 7", add_special_tokens=False).input_ids
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids).strip() == "zébra 7"


def test_the_committed_vocabulary_is_what_the_words_give(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / name).read_bytes() == (WEIGHTS / "tokenizer" / name).read_bytes()


def test_the_longest_caption_fits() -> None:
    from demo.world import Background, Scene, Thing

    things = (Thing("star", "red", "small", "top left"), Thing("ring", "blue", "small", "bottom right"))
    text = caption(Scene(things, Background("gray", "dark", "striped")))
    assert len(split_words(text)) + 2 <= MAX_LENGTH
