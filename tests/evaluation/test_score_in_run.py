"""The scores as train.py asks for them: made by a hook, read back for its summary, told to trackers."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from score_toys import PROMPTS, full_material, full_tools, sources_of_toys, write_manifest, write_samples

from engine.config.errors import ConfigError
from evaluation.in_run import scorer_of, scores_of
from evaluation.material import FINAL
from evaluation.metrics.table import METRICS
from evaluation.records import (
    Combined,
    Difference,
    Direction,
    Excluded,
    Measurement,
    Scope,
    Score,
    Scores,
    Verdict,
    read_scores,
)
from evaluation.reports.summary import VERDICTS, score_lines
from evaluation.score import score_material
from evaluation.tracked import final_scores
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


def test_the_hook_scores_the_run_and_gives_the_trackers_numbers_and_pictures(
    run: Path, tiny_clip: Path
) -> None:
    manifest = write_manifest(run.parent / "true", {0: [10, 20], 1: [20, 10]})
    sources = sources_of_toys(run.parent, encoder=tiny_clip, manifest=manifest)
    score = scorer_of(composed(f"cache_dir={run.parent / 'cache'}"), sources, device="cpu")
    assert score is not None
    told = score(Result(run))
    read = scores_of(run)
    expected = {f"final/{metric}": pytest.approx(value, abs=1e-6) for metric, value in read.values.items()}
    assert told.values == expected
    names = ["likeness", "adherence", "health", "centroid_distance", "luminance"]
    assert list(read.values) == names
    assert read.lines == score_lines(read_scores(run / "scores.json"))
    assert [(row.prompt, row.seed, row.fault) for row in told.rows] == [
        (PROMPTS[0], 1, None),
        (PROMPTS[1], 1, None),
    ]
    assert told.rows[0].picture == run / "samples/final/p00_s1.png"
    assert told.rows[0].base == run / "samples/base/p00_s1.png"
    assert list(told.rows[0].scores) == ["likeness", "adherence", "health", "luminance"]
    assert [path for path in (run.parent / "cache/embeddings").rglob("*") if path.is_file()]


def test_a_metric_that_was_skipped_gives_no_number(run: Path) -> None:
    score = scorer_of(composed(), sources_of_toys(run.parent), device="cpu")
    assert score is not None
    assert score(Result(run)).values == {"final/health": 1.0}
    lines = scores_of(run).lines
    assert [line.split()[0] for line in lines[:2]] == ["health", "+0.000"]
    skipped = "\n".join(lines[2:])
    assert [metric for metric in METRICS if metric not in skipped] == ["health"]
    assert "not measured: adherence: no encoder is named that reads pictures and text" in skipped


def test_broken_pictures_are_told_to_trackers_without_numbers(tmp_path: Path) -> None:
    material = full_material(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"")
    first, *others = material.pictures[FINAL]
    broken = {**material.pictures, FINAL: [replace(first, path=tmp_path / "broken.png"), *others]}
    told = final_scores(score_material(replace(material, pictures=broken), full_tools()))
    assert (told.rows[0].fault, told.rows[0].picture) == ("unreadable", None)
    assert dict(told.rows[0].scores) == {"health": 0.0}
    assert told.rows[0].base == material.pictures["base"][0].path
    assert len(told.rows) == 12 and told.rows[1].scores["health"] == 1.0


def test_a_run_that_wants_no_scores_has_no_hook(run: Path) -> None:
    assert scorer_of(composed("evaluation.enabled=false"), sources_of_toys(run), device="cpu") is None


def test_a_folder_that_was_not_scored_has_no_lines_and_no_values(tmp_path: Path) -> None:
    read = scores_of(tmp_path)
    assert (read.lines, read.values) == ([], {})


def test_a_damaged_scores_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text("{")
    with pytest.raises(ConfigError, match=r"scores\.json: cannot be read"):
        scores_of(tmp_path)


ROW = Score(
    metric="likeness", title="Likeness", direction=Direction.higher, scope=Scope.image, scale="cosine"
)


def lines_of(row: Score) -> list[str]:
    return score_lines(Scores(rows=[row]))


def measured(value: float, spread: float | None) -> Measurement:
    return Measurement(value=value, n=32, num_prompts=16, spread=spread)


def change(value: float, spread: float | None, verdict: Verdict) -> Difference:
    low, high = (None, None) if spread is None else (value - spread, value + spread)
    return Difference(value=value, n=32, num_prompts=16, spread=spread, low=low, high=high, verdict=verdict)


def test_lines_say_before_after_change_and_how_sure() -> None:
    row = replace(
        ROW,
        base=measured(0.676, 0.02),
        final=measured(0.887, 0.01),
        real=measured(0.930, 0.01),
        difference=change(0.211, 0.03, Verdict.better),
        encoder="f" * 64,
    )
    assert lines_of(row) == [
        "  likeness          0.676 ± 0.020 -> 0.887 ± 0.010, true pictures 0.930   n=32, 16 prompts",
        "                    +0.211 ± 0.030: better than the base",
    ]


def test_a_line_without_base_or_interval_is_shorter() -> None:
    assert lines_of(replace(ROW, final=measured(0.5, None))) == [
        "  likeness          0.500   n=32, 16 prompts"
    ]
    assert lines_of(replace(ROW, skipped="no encoder")) == ["  not measured: likeness: no encoder"]
    whole = Measurement(value=0.5, n=60, num_prompts=0, spread=None)
    assert lines_of(replace(ROW, final=whole, scope=Scope.set)) == ["  likeness          0.500   n=60"]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_words(verdict: Verdict) -> None:
    row = replace(
        ROW, base=measured(0.6, None), final=measured(0.5, None), difference=change(-0.1, None, verdict)
    )
    assert lines_of(row) == [
        "  likeness          0.600 -> 0.500   n=32, 16 prompts",
        f"                    -0.100: {VERDICTS[verdict]}",
    ]


def test_what_concerns_all_metrics_comes_after_them() -> None:
    scores = Scores(
        rows=[
            replace(ROW, skipped="no encoder"),
            replace(ROW, metric="health", final=measured(1.0, 0.0)),
            replace(ROW, metric="adherence", skipped="no encoder"),
            replace(ROW, metric="copies", skipped="not known"),
        ],
        combined=Combined(value=0.5, spread=0.1),
        excluded=[Excluded(set_name="final", file="final/a.png", reason="black")],
        truncated_prompts=2,
        notices=["three prompts have no picture"],
    )
    assert score_lines(scores) == [
        "  health            1.000   n=32, 16 prompts",
        "  combined          0.500 ± 0.100   0 = base, 1 = true pictures",
        "  not measured: likeness: no encoder",
        "  not measured: adherence: no encoder",
        "  not measured: copies (the gallery says why)",
        "  excluded: final/a.png (black)",
        "  2 prompts were longer than the encoder reads and were cut",
        "  note: three prompts have no picture",
    ]
