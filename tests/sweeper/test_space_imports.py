"""The files of the sweeper import one another one way only, for types and inside functions too."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in (ROOT / "sweeper").glob("*/__init__.py"))
)
def test_no_file_of_a_package_imports_one_that_imports_it(package: str) -> None:
    files = {f"sweeper.{package}.{path.stem}": path for path in (ROOT / "sweeper" / package).glob("*.py")}
    graph = {name: {one for one in imports_of(path) if one in files} for name, path in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
