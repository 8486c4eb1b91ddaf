"""The tokens of a prompt in rows as long as a CLIP text encoder reads at once, on plain numbers; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

ROW_TOKENS = 75  # of a prompt, in one row of the published encoders; 77 with its begin and end


@dataclass(kw_only=True, slots=True, frozen=True)
class RowForm:
    """How rows are written; begin, end and padding are ids of the tokenizer."""

    begin: int
    end: int
    padding: int  # what follows the end: the end again (SD1), or id 0 (SD2, SDXL's second encoder)
    width: int = ROW_TOKENS + 2  # ids in a row
    rows: int = 1

    @property
    def capacity(self) -> int:
        """Tokens of a prompt that all rows hold together."""
        return self.rows * (self.width - 2)


def num_rows(token_length: int) -> int:
    """1, 2 or 3 rows for 75, 150 or 225 tokens."""
    return token_length // ROW_TOKENS


def chunk_tokens(tokens: Sequence[int], form: RowForm) -> list[list[int]]:
    """The rows of one prompt, each with a begin of its own; tokens beyond them are cut.

    tokens   of the whole prompt, without begin and end
    returns  [rows][width]; the end follows the last token, full rows have it too, the rest are empty prompts
    Source: kohya's sd-scripts 0.10.1, TokenizeStrategy._get_input_ids.
    """
    kept = list(tokens[: form.capacity])
    filled = [*kept, form.end, *[form.padding] * (form.capacity - len(kept))]  # with the last row's end
    step = form.width - 2
    rows = [
        [form.begin, *filled[start : start + step], filled[-1]] for start in range(0, form.capacity, step)
    ]
    return rows if form.rows == 1 else [_ended(row, form) for row in rows]


def chunk_weights(weights: Sequence[float], form: RowForm) -> list[list[float]]:
    """The weights of the same rows, 1 where no token of the prompt stands.

    weights  one for each token of the prompt
    returns  [rows][width]
    """
    kept = list(weights[: form.capacity])
    filled = [*kept, *[1.0] * (form.capacity - len(kept))]
    step = form.width - 2
    return [[1.0, *filled[start : start + step], 1.0] for start in range(0, form.capacity, step)]


def _ended(row: list[int], form: RowForm) -> list[int]:
    """An end after a full row's last token, and at the start of a row that has none.

    As there, a token that is the padding's id counts as padding: SD2's "!".
    """
    begin, *inner, last = row
    if inner[-1] not in (form.end, form.padding):
        last = form.end
    if inner[0] == form.padding:
        inner[0] = form.end
    return [begin, *inner, last]
