"""What stands against a scoring is one sentence that names it; nothing is written then."""

from pathlib import Path

import pytest
from score_toys import sources_of_toys, write_manifest, write_samples

from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.check import check_sources
from evaluation.reading.run_material import read_manifest
from evaluation.score_run import score_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with base and final pictures."""
    return write_samples(tmp_path / "run", {"base": {0: [30], 1: [30]}, "final": {0: [10], 1: [20]}})


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Sources with a manifest and no encoder."""
    return sources_of_toys(tmp_path, manifest=write_manifest(tmp_path / "material", {0: [10], 1: [20]}))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "holds no samples/samples.json"),
        ("{", "cannot be read"),
        ('{"schema": 3, "sets": {}}', "is of schema 3, not 2"),
        ('{"schema": 1}', "cannot be read"),
        ('{"schema": 1, "sets": {"final": [{"prompt": "a"}]}}', "cannot be read"),
        ('{"schema": 1, "sets": {"final": []}}', "cannot be read .KeyError: 'prompts'"),
        ('{"schema": 1, "prompts": [], "sets": {"base": []}}', "has no final pictures to score"),
        ('{"schema": 2, "prompts": [{}], "sets": {"final": []}}', "cannot be read .KeyError: 'prompt'"),
        ('{"schema": 2, "prompts": [], "sets": {"final": []}}', "has no final pictures to score"),
    ],
)
def test_a_run_whose_pictures_are_not_listed_is_refused(
    run: Path, sources: Sources, content: str | None, sentence: str
) -> None:
    listing = run / "samples/samples.json"
    listing.unlink() if content is None else listing.write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        score_run(run, sources=sources)
    assert [path.name for path in run.iterdir()] == ["samples"]


def test_a_missing_picture_or_true_picture_is_named(run: Path, sources: Sources) -> None:
    assert sources.manifest is not None
    reference = sources.manifest.parent / "references/01_0.png"
    reference.unlink()
    with pytest.raises(ConfigError, match=r"pictures to score are missing \(1\): .*references/01_0\.png"):
        score_run(run, sources=sources)
    (problem,) = check_sources(sources)
    assert "names 1 pictures that are not there, the first: " in problem and str(reference) in problem
    (run / "samples/base/p00_s1.png").unlink()
    with pytest.raises(ConfigError, match=r"pictures to score are missing \(2\): .*base/p00_s1\.png"):
        score_run(run, sources=sources)


ROW = '{"prompt": "a", "references": ["a.png"]}'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read as a prompt file"),
        ("a dog\na cat\n", "is not JSON"),
        ("[]", "is not a manifest"),
        ('{"schema": 1}', "is not a manifest"),
        (f'{{"schema": 2, "prompts": [{ROW}]}}', r"schema 2 is not known\. Write 1\."),
        ('{"schema": 1, "prompts": [{"references": []}]}', '"prompt" is null. Give the text that is drawn'),
        (
            '{"schema": 1, "prompts": [{"prompt": "a", "references": "a.png"}]}',
            '"references" is not a list of files',
        ),
        (f'{{"schema": 1, "prompts": [{ROW}, {ROW}]}}', "the prompt 'a' stands twice"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_refused_before_training(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "prompts.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        read_manifest(path)
    (problem,) = check_sources(Sources(pictures=tmp_path, manifest=path))
    assert problem.startswith(f"evaluation.references: {path}: ")


def test_all_that_stands_against_scoring_is_told_at_once(tmp_path: Path) -> None:
    problems = check_sources(Sources(pictures=tmp_path, manifest=tmp_path / "no.json", encoder="no/encoder"))
    assert problems[0].startswith("evaluation.encoder=no/encoder: ")
    assert problems[1].startswith(f"evaluation.references: {tmp_path / 'no.json'}: ")
    assert len(problems) == 2
    assert check_sources(Sources(pictures=tmp_path)) == []
