"""Rows of tokens: by hand, as the reference cuts them, and over made prompts."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from engine.config.model import TOKEN_LENGTHS
from engine.models.text_chunks import RowForm, chunk_tokens, chunk_weights, num_rows
from tests.models.clip_words import GOLDEN, PADDINGS, clip_tokenizer

GOLDENS = json.loads((GOLDEN / "k_token_chunks.json").read_text(encoding="utf-8"))
SD1 = RowForm(begin=1, end=2, padding=2, width=5, rows=2)
SD2 = replace(SD1, padding=0)


@pytest.mark.parametrize(
    ("tokens", "rows"),
    [
        ([], [[1, 2, 2, 2, 2], [1, 2, 2, 2, 2]]),
        ([7, 8], [[1, 7, 8, 2, 2], [1, 2, 2, 2, 2]]),
        ([7, 8, 9], [[1, 7, 8, 9, 2], [1, 2, 2, 2, 2]]),
        ([7, 8, 9, 4], [[1, 7, 8, 9, 2], [1, 4, 2, 2, 2]]),
        ([7, 8, 9, 4, 5, 6, 3], [[1, 7, 8, 9, 2], [1, 4, 5, 6, 2]]),
    ],
)
def test_each_row_has_a_begin_and_an_end(tokens: list[int], rows: list[list[int]]) -> None:
    assert chunk_tokens(tokens, SD1) == rows


@pytest.mark.parametrize(
    ("tokens", "rows"),
    [
        ([], [[1, 2, 0, 0, 0], [1, 2, 0, 0, 0]]),
        ([7, 8], [[1, 7, 8, 2, 0], [1, 2, 0, 0, 0]]),
        ([7, 8, 9], [[1, 7, 8, 9, 2], [1, 2, 0, 0, 0]]),
        ([7, 8, 9, 4], [[1, 7, 8, 9, 2], [1, 4, 2, 0, 0]]),
        ([7, 8, 9, 4, 5, 6, 3], [[1, 7, 8, 9, 2], [1, 4, 5, 6, 2]]),
    ],
)
def test_where_another_id_pads_a_full_row_and_an_empty_one_still_have_their_end(
    tokens: list[int], rows: list[list[int]]
) -> None:
    assert chunk_tokens(tokens, SD2) == rows


def test_a_token_that_is_the_padding_stays_where_there_is_one_row() -> None:
    assert chunk_tokens([0, 8], replace(SD2, rows=1)) == [[1, 0, 8, 2, 0]]
    assert chunk_tokens([0, 8], SD2) == [[1, 2, 8, 2, 0], [1, 2, 0, 0, 0]]  # as the reference has it


def test_weights_stand_where_their_tokens_do() -> None:
    assert chunk_weights([0.5, 2.0, 3.0, 4.0], SD1) == [[1, 0.5, 2.0, 3.0, 1], [1, 4.0, 1, 1, 1]]
    assert chunk_weights([], SD1) == [[1] * 5, [1] * 5]
    assert chunk_weights([2.0] * 9, SD1) == [[1, 2, 2, 2, 1]] * 2


def test_rows_are_those_of_the_reference() -> None:
    cases = GOLDENS["cases"]
    assert len(cases) == 72
    for case in cases:
        prompt, length = GOLDENS["prompts"][case["prompt"]], case["max_token_length"] or 75
        for padding, rows in zip(PADDINGS[case["model"]], case["input_ids"], strict=True):
            tokenizer = clip_tokenizer(padding)
            form = RowForm(
                begin=49406, end=49407, padding=tokenizer.pad_token_id, width=77, rows=num_rows(length)
            )
            tokens = tokenizer(prompt, add_special_tokens=False).input_ids
            assert chunk_tokens(tokens, form) == rows, (case["model"], length, case["prompt"])


def test_every_length_is_a_number_of_rows() -> None:
    assert [num_rows(length) for length in TOKEN_LENGTHS] == [1, 2, 3]


def test_rows_hold_the_prompt_in_its_order_whatever_its_length() -> None:
    draw = random.Random(0)
    for _ in range(300):
        form = RowForm(
            begin=1, end=2, padding=draw.choice((2, 0)), width=draw.randint(3, 9), rows=draw.randint(1, 4)
        )
        tokens = [draw.randint(3, 99) for _ in range(draw.randint(0, form.capacity + 3))]
        rows = chunk_tokens(tokens, form)
        assert len(rows) == form.rows and {len(row) for row in rows} == {form.width}
        assert all(row[0] == 1 and 2 in row for row in rows)
        assert [token for row in rows for token in row if token > 2] == tokens[: form.capacity]
        weights = chunk_weights([float(token) for token in tokens], form)
        found = [pair for row in zip(rows, weights, strict=True) for pair in zip(*row, strict=True)]
        assert all(weight == (token if token > 2 else 1) for token, weight in found)


def test_rows_are_cut_without_torch() -> None:
    code = "import sys, engine.models.text_chunks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
