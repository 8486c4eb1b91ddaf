"""What an encoder is asked about a prompt that holds trigger words."""

import pytest

from evaluation.prompts import strip_trigger


@pytest.mark.parametrize(
    ("prompt", "trigger", "class_word", "text"),
    [
        ("a sks dog in the snow", "sks", None, "a dog in the snow"),
        ("a sks dog in the snow", "sks", "dog", "a dog in the snow"),
        ("a dog sks in the snow", "sks", "dog", "a dog in the snow"),
        ("sks in the snow", "sks", "dog", "dog in the snow"),
        ("SKS in the snow", "sks", "dog", "dog in the snow"),
        ("a sks and a sks", "sks", "dog", "a dog and a dog"),
        ("a big sks creature on blue", "sks", "creature", "a big creature on blue"),
        ("a red circle, night style", "night", "style", "a red circle, style"),
        ("a red circle, sks", "sks", None, "a red circle"),
        ("sks, a red circle", "sks", None, "a red circle"),
        ("a red circle, sks, on blue", "sks", None, "a red circle, on blue"),
        ("a sks xyz dog", "sks, xyz", None, "a dog"),
        ("a sks xyz dog", "sks xyz", "dog", "a dog"),
        ("photo of ohwx man, sks", "sks, ohwx man", "person", "photo of person, person"),
        ("a sks dog", "sks, sks dog", "animal", "a animal"),
        ("a (sks) dog", "(sks)", None, "a dog"),
        ("a sks \\1 dog", "sks", "\\g<0>", "a \\g<0> \\1 dog"),
    ],
)
def test_trigger_words_are_taken_out_or_replaced_by_the_class_word(
    prompt: str, trigger: str, class_word: str | None, text: str
) -> None:
    assert strip_trigger(prompt, trigger, class_word) == text


@pytest.mark.parametrize(
    "prompt", ["a sksy dog", "a masks dog", "a cat", "1,000 people ,  in two  rows", "a doggy day"]
)
def test_a_prompt_without_the_whole_trigger_word_stays_as_it_is(prompt: str) -> None:
    assert strip_trigger(prompt, "sks", "dog") == prompt


def test_numbers_with_a_comma_stay_whole_beside_a_trigger() -> None:
    assert strip_trigger("sks with 1,000 people", "sks", "dog") == "dog with 1,000 people"


@pytest.mark.parametrize("prompt", ["sks", "sks, sks", " sks "])
def test_a_prompt_of_nothing_but_trigger_words_stays_as_it_is(prompt: str) -> None:
    assert strip_trigger(prompt, "sks", None) == prompt


@pytest.mark.parametrize("trigger", [None, "", " , "])
def test_without_a_trigger_nothing_changes(trigger: str | None) -> None:
    assert strip_trigger("a sks dog", trigger, "dog") == "a sks dog"
