"""The scores as train.py asks for them: made by a hook, read back for its summary."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from score_toys import sources_of_toys, write_manifest, write_samples

from engine.config.errors import ConfigError
from evaluation.in_run import scorer_of, scores_of
from evaluation.records import Verdict, read_scores, write_scores
from evaluation.summary import VERDICTS, score_lines
from tests.compose.toys import composed

SETS = {"base": {0: [30], 1: [40]}, "final": {0: [10], 1: [20]}}


@dataclass
class Result:
    """What training gives back, as far as it is read."""

    folder: Path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with base and final pictures."""
    return write_samples(tmp_path / "run", SETS)


def test_the_hook_scores_the_run_and_gives_the_trackers_numbers(run: Path, tiny_clip: Path) -> None:
    manifest = write_manifest(run.parent / "true", {0: [10, 20], 1: [20, 10]})
    sources = sources_of_toys(run.parent, encoder=tiny_clip, manifest=manifest)
    score = scorer_of(composed(f"cache_dir={run.parent / 'cache'}"), sources, device="cpu")
    assert score is not None
    numbers = score(Result(run))
    read = scores_of(run)
    assert numbers == {
        f"final/{metric}": pytest.approx(value, abs=1e-6) for metric, value in read.values.items()
    }
    assert list(numbers) == ["final/likeness", "final/adherence", "final/health"]
    assert read.lines == score_lines(read_scores(run / "scores.json"))
    assert len(list((run.parent / "cache/embeddings").rglob("*.safetensors"))) == 4


def test_a_metric_that_was_skipped_gives_no_number(run: Path) -> None:
    score = scorer_of(composed(), sources_of_toys(run.parent), device="cpu")
    assert score is not None
    assert score(Result(run)) == {"final/health": 1.0}
    lines = scores_of(run).lines
    assert [line.split()[0] for line in lines] == ["likeness", "adherence", "health", "+0.000"]
    assert "skipped" in lines[0] and "skipped" in lines[1]


def test_a_run_that_wants_no_scores_has_no_hook(run: Path) -> None:
    assert scorer_of(composed("evaluation.enabled=false"), sources_of_toys(run), device="cpu") is None


def test_a_folder_that_was_not_scored_has_no_lines_and_no_values(tmp_path: Path) -> None:
    read = scores_of(tmp_path)
    assert (read.lines, read.values) == ([], {})


def test_a_damaged_scores_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text("{")
    with pytest.raises(ConfigError, match=r"scores\.json: cannot be read"):
        scores_of(tmp_path)


def lines_of(tmp_path: Path, **fields: object) -> list[str]:
    """The line of one row, from a scores file that says so."""
    row: dict[str, object] = {
        "metric": "likeness",
        "title": "Likeness",
        "direction": "higher",
        "scope": "image",
        "scale": "",
        "base": None,
        "real": None,
        "final": None,
        "difference": None,
        **fields,
    }
    empty = {"run_id": None, "encoder": None, "num_pictures": {}, "references": {}, "environment": {}}
    content = {"schema": 1, "rows": [row], "excluded": [], "truncated_prompts": 0, **empty}
    (tmp_path / "scores.json").write_text(json.dumps(content))
    scores = read_scores(tmp_path / "scores.json")
    write_scores(scores, tmp_path / "again.json")
    assert read_scores(tmp_path / "again.json") == scores
    return score_lines(scores)


def measured(value: float, spread: float | None) -> dict[str, object]:
    return {"value": value, "n": 32, "num_prompts": 16, "spread": spread}


def test_lines_say_before_after_change_and_how_sure(tmp_path: Path) -> None:
    difference = {**measured(0.211, 0.03), "low": 0.181, "high": 0.241, "verdict": "better"}
    lines = lines_of(
        tmp_path,
        base=measured(0.676, 0.02),
        final=measured(0.887, 0.01),
        real=measured(0.930, 0.01),
        difference=difference,
        encoder="f" * 64,
    )
    assert lines == [
        "  likeness    0.676 ± 0.020 -> 0.887 ± 0.010, true pictures 0.930   n=32, 16 prompts",
        "              +0.211 ± 0.030: better than the base",
    ]


def test_a_line_without_base_or_interval_is_shorter(tmp_path: Path) -> None:
    assert lines_of(tmp_path, final=measured(0.5, None)) == ["  likeness    0.500   n=32, 16 prompts"]
    assert lines_of(tmp_path, skipped="no encoder") == ["  likeness    skipped: no encoder"]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_words(tmp_path: Path, verdict: Verdict) -> None:
    difference = {**measured(-0.1, None), "low": None, "high": None, "verdict": verdict.value}
    lines = lines_of(tmp_path, base=measured(0.6, None), final=measured(0.5, None), difference=difference)
    assert lines == [
        "  likeness    0.600 -> 0.500   n=32, 16 prompts",
        f"              -0.100: {VERDICTS[verdict]}",
    ]
