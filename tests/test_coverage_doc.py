"""docs/coverage.md tells the truth: its keys, refusals, places and tests exist."""

import ast
import re
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest

from engine.config import LoRAConfig, NetworkConfig, RunConfig

PROJECT = Path(__file__).parents[1]
CHECKLIST = [f"0.{number}" for number in range(1, 12)] + [str(number) for number in range(1, 116)]
NETWORKS: tuple[type[NetworkConfig], ...] = (LoRAConfig,)


@dataclass(frozen=True, slots=True)
class Row:
    number: str
    capability: str
    answer: str
    test: str

    @property
    def is_missing(self) -> bool:
        return self.answer == "not yet"

    @property
    def keys(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.answer) if "built in:" not in self.answer else []

    @property
    def refusals(self) -> list[str]:
        return re.findall(r'refused: "([^"]+)"', self.answer)

    @property
    def places(self) -> list[str]:
        return re.findall(r"built in: `([^`]+)`", self.answer)


def read_rows() -> list[Row]:
    text = (PROJECT / "docs/coverage.md").read_text(encoding="utf-8")
    lines = [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| [\dGS]", line)]
    return [Row(*(cell.strip() for cell in cells)) for cells in lines]


ROWS = read_rows()


def option_names(config: type = RunConfig, prefix: str = "") -> set[str]:
    """Every option as the command line spells it."""
    hints, found = get_type_hints(config), set()
    for field in fields(config):
        kind = hints[field.name]
        if kind is NetworkConfig:
            found |= {
                name for network in NETWORKS for name in option_names(network, f"{prefix}{field.name}.")
            }
        elif is_dataclass(kind):
            assert isinstance(kind, type)
            found |= option_names(kind, f"{prefix}{field.name}.")
        else:
            found.add(prefix + field.name)
    return found


def written_texts() -> str:
    """Every string of the code that refuses, joined: what a user can get to read."""
    folders = ("engine/compose", "engine/data", "engine/optimizers", "engine/sampling")
    texts = [
        node.value
        for folder in folders
        for path in sorted((PROJECT / folder).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "\n".join(texts)


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_of_the_checklist_is_there() -> None:
    assert [row.number for row in ROWS if row.number != "GPU" and row.number[0] != "S"] == CHECKLIST


def test_every_row_has_an_answer_and_a_test_or_says_not_yet() -> None:
    wrong = [
        row.number
        for row in ROWS
        if not row.is_missing and not ((row.keys or row.refusals or row.places) and row.test)
    ]
    assert wrong == []


def test_every_key_is_an_option() -> None:
    names = option_names()
    assert {"network.rank", "seed", "optimizer.args"} <= names
    assert [(row.number, key) for row in ROWS for key in row.keys if key not in names] == []


def test_every_refusal_is_in_the_code() -> None:
    texts = written_texts()
    assert [(row.number, words) for row in ROWS for words in row.refusals if words not in texts] == []


def test_every_place_is_there() -> None:
    assert [
        (row.number, place) for row in ROWS for place in row.places if not (PROJECT / place).is_file()
    ] == []


def test_every_test_is_there() -> None:
    missing = []
    for row in ROWS:
        path, _, name = row.test.strip("`").partition("::")
        if row.test and (not (PROJECT / path).is_file() or name not in functions_in(PROJECT / path)):
            missing.append((row.number, row.test))
    assert missing == []


def test_the_gpu_row_says_that_cuda_was_not_run() -> None:
    (row,) = [row for row in ROWS if row.number == "GPU"]
    assert row.keys == ["training.device"]
    assert "not yet run" in row.answer


def test_what_is_not_there_yet_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    missing = [row.number for row in ROWS if row.is_missing]
    with capsys.disabled():
        print(f"\ncoverage: {len(ROWS) - len(missing)} of {len(ROWS)} rows there, {len(missing)} not yet")
    assert 0 < len(missing) < len(ROWS)
