"""Weights written into a prompt: by hand, as the reference reads them, and over made prompts."""

import itertools
import json
import math
import random
from pathlib import Path

import pytest

from engine.models.prompt_weights import WeightedText, parse_weights

GOLDEN = Path(__file__).parents[1] / "golden" / "i_prompt_attention.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
WEIGHTS = ("0.5", "1.3", "2", "-1.5", "+.7", "0", "3.")


def test_round_brackets_strengthen_and_square_ones_weaken() -> None:
    assert parse_weights("a (b) [c]") == [
        WeightedText("a ", 1.0),
        WeightedText("b", 1.1),
        WeightedText(" ", 1.0),
        WeightedText("c", 1 / 1.1),
    ]


def test_brackets_multiply_with_those_around_them() -> None:
    outer, inner, rest = parse_weights("(a (b:1.5) c:2)")
    assert (outer.text, inner.text, rest.text) == ("a ", "b", " c")
    assert (outer.weight, inner.weight, rest.weight) == (2.0, 3.0, 2.0)


@pytest.mark.parametrize("case", [case for case in CASES if "out" in case], ids=lambda case: case["text"])
def test_prompts_are_read_as_the_reference_reads_them(case: dict[str, list[tuple[str, float]]]) -> None:
    found = parse_weights(str(case["text"]))
    assert [[part.text, part.weight] for part in found] == case["out"]


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["text"])
def test_what_the_reference_stops_at_is_an_error(case: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="weight"):
        parse_weights(case["text"])


def test_both_sorts_of_reference_cases_are_there() -> None:
    assert sum("out" in case for case in CASES) == 18
    assert sum("error" in case for case in CASES) == 1


@pytest.mark.parametrize(
    ("prompt", "place", "number"),
    [
        ("a cat, (red:abc) hat", "(red:abc)", "abc"),
        ("(a:1.2.3)", "(a:1.2.3)", "1.2.3"),
        ("b (a:.) c", "(a:.)", "."),
        ("b (a:-) c (d:+..)", "(d:+..)", "+.."),
        ("[b (a:inf) c]", "(a:inf)", "inf"),
        ("((a:-nan))", "(a:-nan)", "-nan"),
        ("(a [b:높게) c]", "(a [b:높게)", "높게"),
    ],
)
def test_an_error_quotes_the_bracket_and_its_weight(prompt: str, place: str, number: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_weights(prompt)
    assert str(caught.value).startswith(f"{place}: {number} is not a weight. ")
    assert "\\(" in str(caught.value), "says how to write a bracket that is none"


@pytest.mark.parametrize("prompt", ["(a:" + "9" * 400 + ")", "((a:" + "9" * 300 + "):" + "9" * 20 + ")"])
def test_a_weight_beyond_all_numbers_is_an_error_with_a_short_place(prompt: str) -> None:
    with pytest.raises(ValueError, match="weight") as caught:
        parse_weights(prompt)
    assert "(a:9999" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_brackets_that_are_never_closed_may_run_beyond_all_numbers_too() -> None:
    with pytest.raises(ValueError, match="weight"):
        parse_weights("(" * 8000 + "a")


def test_a_word_after_a_colon_is_text_where_no_round_bracket_is_open() -> None:
    assert parse_weights("re:zero) [re:zero]") == [
        WeightedText("re:zero) ", 1.0),
        WeightedText("re:zero", 1 / 1.1),
    ]
    assert parse_weights(r"rem \(re:zero\)") == [WeightedText("rem (re:zero)", 1.0)]


def test_any_prompt_gives_finite_weights_or_an_error_that_names_a_weight() -> None:
    random_state = random.Random(5)
    num_read = 0
    for _ in range(20_000):
        prompt = "".join(random_state.choices("ab ()[]:\\.,19+-가\n", k=random_state.randrange(25)))
        try:
            parts = parse_weights(prompt)
        except ValueError as error:
            assert "is not a weight" in str(error), prompt
            continue
        num_read += 1
        assert parts, prompt
        assert all(math.isfinite(part.weight) for part in parts), prompt
        assert _letters("".join(part.text for part in parts)) == _letters(prompt), prompt
        assert all(one.weight != two.weight for one, two in itertools.pairwise(parts)), prompt
    assert num_read > 15_000


def test_text_without_brackets_comes_back_whole() -> None:
    random_state = random.Random(6)
    for _ in range(2_000):
        prompt, _ = _made(random_state, depth=4, written=("",))
        plain = prompt.translate(str.maketrans("", "", "()[]"))
        assert "".join(part.text for part in parse_weights(prompt)) == plain, prompt


def test_every_letter_has_the_product_of_the_weights_around_it() -> None:
    random_state = random.Random(7)
    for _ in range(2_000):
        prompt, expected = _made(random_state, depth=4, written=("", *WEIGHTS))
        found = [(letter, part.weight) for part in parse_weights(prompt) for letter in part.text]
        assert [letter for letter, _ in found] == [letter for letter, _ in expected], prompt
        assert [weight for _, weight in found] == pytest.approx([weight for _, weight in expected]), prompt


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter in "ab 가,\n")


def _made(
    random_state: random.Random, *, depth: int, written: tuple[str, ...]
) -> tuple[str, list[tuple[str, float]]]:
    """A prompt of nested brackets, and the weight of each of its letters."""
    prompt, letters = "", []
    for _ in range(random_state.randrange(1, 4)):
        text = "".join(random_state.choices("ab ,가", k=random_state.randrange(4)))
        prompt, letters = prompt + text, letters + [(letter, 1.0) for letter in text]
        if depth == 0:
            continue
        inside, theirs = _made(random_state, depth=depth - 1, written=written)
        weight = random_state.choice(written)
        if random_state.random() < 0.3:
            prompt, factor = f"{prompt}[{inside}]", 1 / 1.1
        else:
            prompt, factor = f"{prompt}({inside}{':' * bool(weight)}{weight})", float(weight or 1.1)
        letters += [(letter, old * factor) for letter, old in theirs]
    return prompt, letters
