"""The files around the code: what they name exists, and the exact versions are those in use."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/coverage.md",
    "docs/demo.md",
    "docs/log.md",
)
UNTESTED = ("8bit", "torchao")  # extras that the tests are not installed with: tens of MB, for a GPU


def constraints() -> list[Requirement]:
    return [Requirement(line) for line in (PROJECT / "constraints.txt").read_text().splitlines()]


def test_every_constraint_is_one_exact_version_that_any_build_satisfies() -> None:
    for line in constraints():
        assert re.fullmatch(r"==[^+*,]+", str(line.specifier)), line
    names = [line.name for line in constraints()]
    assert len(names) == len(set(names))


def extras() -> dict[str, list[Requirement]]:
    """The packages of each extra of pyproject.toml."""
    table = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = table["project"]["optional-dependencies"]
    return {name: [Requirement(line) for line in packages] for name, packages in lines.items()}


@pytest.mark.parametrize("extra", UNTESTED)
def test_the_version_of_an_extra_that_the_tests_go_without_is_one_that_it_takes(extra: str) -> None:
    exact = {line.name: next(iter(line.specifier)).version for line in constraints()}
    assert all(wanted.specifier.contains(exact[wanted.name]) for wanted in extras()[extra])
    tested = {wanted.name for wanted in extras()["test"]}
    assert not tested & {wanted.name for wanted in extras()[extra]}


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in constraints()
        if line.name not in {wanted.name for extra in UNTESTED for wanted in extras()[extra]}
    ],
    ids=lambda line: line.name,
)
def test_the_tests_run_with_the_exact_versions(line: Requirement) -> None:
    """A failure here means: installed without `-c constraints.txt`."""
    installed = Version(version(line.name)).public
    assert line.specifier.contains(installed, prereleases=True), f"{line.name} {installed} is installed"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_pictures_of_a_document_exist(document: str) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    folder = (PROJECT / document).parent
    assert [link for link in links if not (folder / link).exists()] == []


def test_the_map_of_the_readme_names_only_what_exists_and_all_of_it() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8").split("## Map")[1]
    lines = re.findall(r"^ {4}( {2})?(\S+)  +\S", text, flags=re.MULTILINE)
    named, top = set(), ""
    for inner, name in lines:
        top = top if inner else name
        named.add(f"{top}{name}" if inner else name)
    assert {"train.py", "engine/", "engine/config/", "engine/validation.py"} <= named
    assert [name for name in sorted(named) if not (PROJECT / name).exists()] == []
    packages = [p for p in PROJECT.iterdir() if (p / "__init__.py").is_file()]
    rooms = [p for p in (PROJECT / "engine").iterdir() if (p / "__init__.py").is_file()]
    expected = {f"{p.name}/" for p in packages} | {f"engine/{p.name}/" for p in rooms}
    assert expected - named == set()
