"""The files around the code: what they name exists, and the exact versions are those in use."""

import re
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


def constraints() -> list[Requirement]:
    return [Requirement(line) for line in (PROJECT / "constraints.txt").read_text().splitlines()]


def test_every_constraint_is_one_exact_version_that_any_build_satisfies() -> None:
    for line in constraints():
        assert re.fullmatch(r"==[^+*,]+", str(line.specifier)), line
    names = [line.name for line in constraints()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("line", constraints(), ids=lambda line: line.name)
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
