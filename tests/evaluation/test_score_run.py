"""A run folder scored end to end: its rows, its files, and what is refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from score_toys import PROMPTS, ToyEncoder, sources_of_toys, write_manifest, write_samples

import evaluation.score_run
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.encoders.embedder import Embedder
from evaluation.metrics.table import METRICS
from evaluation.records import Scores, Verdict, read_scores
from evaluation.score_run import gallery_path, score_run
from evaluation.tools import Role, Tools

VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0), 40: (-0.6, 0.8)}
TEXTS = {"a animal dog": (1.0, 0.0), "a animal cat": (0.6, 0.8), "a red star": (0.0, 1.0)}
SETS = {
    "base": {0: [40, 40], 1: [30, 40], 2: [30, 30]},
    "step000010": {0: [10]},
    "final": {0: [20, 10], 1: [20, 20], 2: [30, 30]},
}
REFERENCES = {0: [10, 20], 1: [20, 20], 2: [30, 30]}
FILES = ["evaluation", "per_image.csv", "per_prompt.csv", "samples", "scores.json", "values.json"]
TABLES = [name for name in FILES if "." in name]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with base and final pictures."""
    return write_samples(tmp_path / "run", SETS)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Sources with a manifest and an encoder of known vectors."""
    use(monkeypatch, ToyEncoder(VECTORS, TEXTS))
    manifest = write_manifest(tmp_path / "material", REFERENCES)
    return sources_of_toys(tmp_path, encoder=Path("toy"), manifest=manifest)


def use(monkeypatch: pytest.MonkeyPatch, encoder: ToyEncoder) -> None:
    """Whatever sources name is this encoder; what they do not name is not there."""

    def load(*, encoder: str | None = None, cache_dir: Path | None = None, **others: object) -> Tools:
        embedder = Embedder(toy, cache_dir=cache_dir)
        return Tools({} if encoder is None else {Role.text_image: embedder, Role.image: embedder})

    toy = encoder
    monkeypatch.setattr(evaluation.score_run, "load_tools", load)


def scores_of_run(run: Path, sources: Sources, **options: Path) -> Scores:
    return score_run(run, sources=sources, **options).scores  # type: ignore[arg-type]


def files_of(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir())


def blacken(path: Path) -> None:
    Image.new("RGB", (16, 16)).save(path)


def test_likeness_of_a_run_by_hand(run: Path, sources: Sources) -> None:
    row = scores_of_run(run, sources).row("likeness")
    assert row.final is not None and row.base is not None and row.real is not None
    # Prompt 0: .6 with 10 and 1 with 20 -> .8; 1 and .6 -> .8. Prompt 1: 1. Prompt 2 is plain.
    assert (row.final.value, row.final.n, row.final.num_prompts) == (pytest.approx(0.9), 4, 2)
    # Prompt 0: -.6 and .28 -> -.16, twice. Prompt 1: .8 and .28 -> .54.
    assert (row.base.value, row.base.n) == (pytest.approx(0.19), 4)
    # Prompt 0: each other -> .6. Prompt 1: 1.
    assert (row.real.value, row.real.n) == (pytest.approx(0.8), 4)
    assert row.final.spread == pytest.approx(12.7062047 * 0.1)
    assert row.difference is not None
    assert row.difference.value == pytest.approx(0.71)  # of .96 and .46
    assert row.difference.spread == pytest.approx(12.7062047 * 0.25)
    assert row.difference.verdict is Verdict.within_noise
    assert row.anchored is None and row.note is not None and "within the noise" in row.note
    assert row.encoder == "f" * 64 and row.skipped is None


def test_adherence_of_a_run_by_hand(run: Path, sources: Sources) -> None:
    row = scores_of_run(run, sources).row("adherence")
    assert row.final is not None and row.base is not None and row.real is not None
    assert row.final.value == pytest.approx((0.8 + 1) / 2)  # the third prompt is plain
    assert row.base.value == pytest.approx((-0.6 + (0.8 + 0.28) / 2) / 2)
    assert row.real.value == pytest.approx((0.8 + 1) / 2)
    assert (row.final.n, row.final.num_prompts) == (4, 2)


def test_preservation_of_a_run_by_hand(run: Path, sources: Sources) -> None:
    row = scores_of_run(run, sources).row("preservation")
    assert row.final is not None  # of the plain prompt: drawn as the base draws it
    assert (row.final.value, row.final.n, row.final.num_prompts, row.final.spread) == (1.0, 2, 1, None)
    assert (row.base, row.real, row.difference) == (None, None, None)


def test_health_of_a_run_counts_all_pictures(run: Path, sources: Sources) -> None:
    blacken(run / "samples/final/p00_s1.png")
    row = scores_of_run(run, sources).row("health")
    assert row.final is not None and row.base is not None
    assert (row.final.value, row.final.n) == (pytest.approx(5 / 6), 6)
    assert row.base.value == 1.0
    assert row.encoder is None and row.anchored is None and row.note is None


def test_a_faulty_picture_is_named_and_left_out_of_the_other_metrics(run: Path, sources: Sources) -> None:
    blacken(run / "samples/final/p00_s1.png")
    (run / "samples/base/p01_s2.png").write_bytes(b"no picture")
    scores = scores_of_run(run, sources)
    assert [(row.set_name, row.file, row.reason) for row in scores.excluded] == [
        ("base", "samples/base/p01_s2.png", "unreadable"),
        ("final", "samples/final/p00_s1.png", "black"),
    ]
    likeness = scores.row("likeness")
    assert likeness.final is not None and likeness.base is not None and likeness.difference is not None
    assert (likeness.final.n, likeness.base.n) == (3, 3)
    assert likeness.difference.n == 2  # the pairs of which both are left
    assert scores.num_pictures == {"base": 6, "final": 6, "real": 6}


def test_a_run_of_faulty_pictures_only_has_health_and_says_why_nothing_else(
    run: Path, sources: Sources
) -> None:
    for path in (run / "samples/final").iterdir():
        blacken(path)
    scores = scores_of_run(run, sources)
    assert [row.metric for row in scores.rows if row.final is not None] == ["health"]
    for metric in ("likeness", "adherence"):
        assert scores.row(metric).skipped == "no healthy picture is left"
    health = scores.row("health").final
    assert health is not None and health.value == 0.0
    assert [row.metric for row in scores.failed()] == ["likeness", "adherence"]


def test_a_run_without_base_pictures_has_values_but_nothing_to_compare(
    tmp_path: Path, sources: Sources
) -> None:
    run = write_samples(tmp_path / "run", {"final": SETS["final"]})
    row = scores_of_run(run, sources).row("likeness")
    assert row.final is not None
    assert (row.base, row.difference, row.anchored) == (None, None, None)


def test_without_references_or_encoder_the_rows_say_what_to_give(run: Path, sources: Sources) -> None:
    without = scores_of_run(run, replace(sources, manifest=None))
    assert without.row("likeness").skipped == "no true pictures to compare with: give references"
    assert without.row("adherence").skipped is None
    assert without.notices == ["there is no run.yaml, so the pictures that were trained on are not known"]
    bare = scores_of_run(run, replace(sources, encoder=None))
    assert (bare.row("likeness").skipped or "").startswith(
        "no encoder is named: set encoder or image_encoder"
    )
    assert (bare.row("adherence").skipped or "").startswith(
        "no encoder is named that reads pictures and text"
    )
    assert bare.encoders == {} and bare.row("health").skipped is None


def test_a_prompt_longer_than_the_encoder_reads_is_counted(
    tmp_path: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    long = " ".join(["word"] * 11)
    monkeypatch.setattr("score_toys.PROMPTS", [long, *PROMPTS[1:]])
    run = write_samples(tmp_path / "long", SETS)
    encoder = ToyEncoder(VECTORS, {**TEXTS, long: (1.0, 0.0)})
    use(monkeypatch, encoder)
    assert scores_of_run(run, sources).truncated_prompts == 1
    assert "1 prompts are longer than the encoder reads" in caplog.text


def test_the_scores_file_holds_what_was_returned(run: Path, sources: Sources) -> None:
    (run / "result.json").write_text(json.dumps({"schema": 1, "run_id": "0123abcd"}))
    scores = scores_of_run(run, sources)
    data = json.loads((run / "scores.json").read_text())
    assert (data["schema"], data["run_id"], scores.run_id) == (2, "0123abcd", "0123abcd")
    assert [row["metric"] for row in data["rows"]] == list(METRICS)
    spread = pytest.approx(1.270620, abs=2e-6)
    assert data["rows"][0]["final"] == {"value": 0.9, "n": 4, "num_prompts": 2, "spread": spread}
    assert data["rows"][0]["direction"] == "higher"
    toy = {"name": "toy", "fingerprint": "f" * 64, "preprocessing": "none"}
    assert data["encoders"] == {"text_image": toy, "image": toy}
    assert set(data["environment"]) == {"python", "numpy", "pillow", "torch", "transformers"}
    again = read_scores(run / "scores.json")
    assert replace(again, rows=[], combined=scores.combined) == replace(scores, rows=[])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"run_id": null}'])
def test_a_damaged_result_costs_no_scores(run: Path, sources: Sources, content: str) -> None:
    (run / "result.json").write_text(content)
    assert scores_of_run(run, sources).run_id is None


def test_the_scores_file_names_the_true_pictures_as_seen_from_the_run(run: Path, sources: Sources) -> None:
    references = scores_of_run(run, sources).references
    assert references[PROMPTS[0]] == [f"../material/references/00_{place}.png" for place in (0, 1)]
    assert all((run / name).is_file() for names in references.values() for name in names)


def test_the_same_pictures_give_the_same_bytes_whatever_was_cached(run: Path, sources: Sources) -> None:
    contents = []
    for cache_dir in (run.parent / "cache", run.parent / "cache", None):
        score_run(run, sources=sources, cache_dir=cache_dir)
        contents.append([(run / name).read_bytes() for name in TABLES])
    assert contents[0] == contents[1] == contents[2]


def test_the_gallery_lies_below_the_run_and_shows_its_pictures(run: Path, sources: Sources) -> None:
    scores_of_run(run, sources)
    assert gallery_path(run) == run / "evaluation" / "index.html"
    page = gallery_path(run).read_text(encoding="utf-8")
    assert PROMPTS[0] in page and "Likeness to the concept" in page and "../index.html" in page


def test_pictures_that_were_drawn_for_another_preset_get_the_outputs(
    run: Path, tmp_path: Path, sources: Sources
) -> None:
    drawn = write_samples(tmp_path / "drawn", {"final": {0: [10]}})
    scores = scores_of_run(run, sources, drawn=drawn)
    assert scores.num_pictures == {"base": 0, "final": 1, "real": 2}
    assert files_of(drawn) == ["index.html", *(name for name in FILES if name != "evaluation")]
    assert files_of(run) == ["samples"]


def test_per_image_has_a_line_a_picture(run: Path, sources: Sources) -> None:
    blacken(run / "samples/final/p00_s1.png")
    scores_of_run(run, sources)
    with (run / "per_image.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["set"] for row in rows] == ["base"] * 6 + ["final"] * 6 + ["real"] * 6
    faulty, healthy, plain = rows[6], rows[7], rows[10]
    metrics = ("likeness", "adherence", "health", "preservation")
    assert (faulty["file"], faulty["fault"]) == ("samples/final/p00_s1.png", "black")
    assert [faulty[metric] for metric in metrics] == ["", "", "0.000000", ""]
    assert (healthy["prompt"], healthy["seed"], healthy["fault"]) == (PROMPTS[0], "2", "")
    assert [healthy[metric] for metric in metrics] == ["0.800000", "1.000000", "1.000000", ""]
    assert [plain[metric] for metric in metrics] == ["", "", "1.000000", "1.000000"]  # of a plain prompt


def test_scoring_leaves_its_files_and_no_others(run: Path, sources: Sources) -> None:
    scores_of_run(run, sources)
    assert files_of(run) == FILES


def test_a_scoring_that_fails_on_the_way_leaves_the_old_files(
    run: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores_of_run(run, sources)
    before = [(run / name).read_bytes() for name in TABLES]
    blacken(run / "samples/final/p00_s1.png")
    use(monkeypatch, ToyEncoder({number: (float("nan"), 0.0) for number in VECTORS}, TEXTS))
    with pytest.raises(ConfigError, match="not a number"):
        scores_of_run(run, sources)
    assert [(run / name).read_bytes() for name in TABLES] == before
    assert files_of(run) == FILES


def test_a_tiny_clip_scores_a_run_whatever_the_batch_size(run: Path, tiny_clip: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "material", REFERENCES)
    sources = sources_of_toys(tmp_path, encoder=tiny_clip, manifest=manifest)
    together = score_run(run, sources=sources, device="cpu").scores
    alone = score_run(run, sources=sources, device="cpu", batch_size=1).scores
    assert together.row("likeness").final is not None and together.row("adherence").final is not None
    for row, other in zip(together.rows, alone.rows, strict=True):
        assert (row.metric, row.skipped) == (other.metric, other.skipped)
        if row.final is not None and other.final is not None:
            assert row.final.value == pytest.approx(other.final.value, abs=1e-5)
    assert together.encoders["image"].name == tiny_clip.name  # no path of this machine
