"""Weights written into a prompt: (strong), (exact:1.3), [weak], nested; no torch."""

import math
import re
from dataclasses import dataclass

_STRONGER = 1.1
_WEAKER = 1 / 1.1
_LONGEST_PLACE = 60  # characters of the prompt that an error quotes

# A word of letters that closes a round bracket is caught beside the reference's numbers: (a:abc), (a:inf).
_PIECE = re.compile(
    r"""
    \\[()\[\]\\]? |
    :(?P<number>[+-]?[.\d]+)\) |
    :(?P<word>[+-]?[^\W\d_]+)\) |
    [()\[\]] |
    [^\\()\[\]:]+ |
    :
    """,
    re.VERBOSE,
)


@dataclass(slots=True, frozen=True)
class WeightedText:
    """A piece of a prompt, without its brackets."""

    text: str
    weight: float  # finite; 1 = as it is


def parse_weights(prompt: str) -> list[WeightedText]:
    r"""The pieces of a prompt and how strongly each counts; neighbours of one weight are one piece.

    (a) 1.1, (a:1.3) 1.3, [a] 1/1.1; brackets multiply; one left open reaches to the end, one that closes
    nothing is text; \( \) \[ \] \\ are the characters themselves.
    raises  ValueError for (a:abc), (a:1.2.3) and a weight that is not finite, quoting the bracket
    Source: AUTOMATIC1111's grammar, as parse_prompt_attention of kohya's sd-scripts reads it, which takes
    (a:abc) for text.
    """
    pieces = _Pieces(prompt)
    for match in _PIECE.finditer(prompt):
        piece = match.group()
        if piece[0] == "\\":
            pieces.add(piece[1:])
        elif piece in ("(", "["):
            pieces.open(piece, match.start())
        elif piece == "]" and pieces.opened["["]:
            pieces.close("[", match.end(), factor=_WEAKER)
        elif piece[-1] == ")" and pieces.opened["("]:
            written = match["number"] or match["word"]
            pieces.close("(", match.end(), factor=_STRONGER if written is None else written)
        else:
            pieces.add(piece)
    return pieces.finish()


class _Pieces:
    """The pieces read so far and the brackets that are still open."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self.texts: list[str] = []
        self.weights: list[float] = []
        # of each sort: (first piece inside, character where it opens)
        self.opened: dict[str, list[tuple[int, int]]] = {"(": [], "[": []}

    def add(self, text: str) -> None:
        self.texts.append(text)
        self.weights.append(1.0)

    def open(self, bracket: str, start: int) -> None:
        self.opened[bracket].append((len(self.texts), start))

    def close(self, bracket: str, end: int, *, factor: float | str) -> None:
        """Multiply what is inside the bracket opened last; a factor in words as it stands in the prompt."""
        first, start = self.opened[bracket].pop()
        self._multiply(first, factor, place=self.prompt[start:end])

    def finish(self) -> list[WeightedText]:
        """Brackets left open reach to the end; neighbours of one weight are joined."""
        for bracket, factor in (("(", _STRONGER), ("[", _WEAKER)):
            for first, start in self.opened[bracket]:
                self._multiply(first, factor, place=self.prompt[start:])
        joined: list[WeightedText] = []
        for text, weight in zip(self.texts, self.weights, strict=True):
            if joined and joined[-1].weight == weight:
                joined[-1] = WeightedText(joined[-1].text + text, weight)
            else:
                joined.append(WeightedText(text, weight))
        return joined or [WeightedText("", 1.0)]

    def _multiply(self, first: int, factor: float | str, *, place: str) -> None:
        number = _finite(factor)
        if number is None:
            raise ValueError(_complaint(place, str(factor)))
        for index in range(first, len(self.weights)):
            self.weights[index] *= number
            if not math.isfinite(self.weights[index]):
                raise ValueError(_complaint(place, str(self.weights[index])))


def _finite(factor: float | str) -> float | None:
    """The number; None where it is none, or infinite."""
    try:
        number = float(factor)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _complaint(place: str, number: str) -> str:
    return (
        f"{_shortened(place)}: {_shortened(number)} is not a weight. "
        r"Write a number, as in (text:1.2), or \( and \) where the brackets are text."
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_PLACE else text[: _LONGEST_PLACE - 3] + "..."
