"""A run folder scored end to end: its rows, its files, and what is refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from score_toys import PROMPTS, ToyEncoder, sources_of_toys, write_manifest, write_samples

import evaluation.score
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.metrics.table import METRICS
from evaluation.records import Verdict, read_scores, write_atomically, write_scores
from evaluation.score import score_run

VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0), 40: (-0.6, 0.8)}
TEXTS = {"a animal dog": (1.0, 0.0), "a animal cat": (0.6, 0.8), "a red star": (0.0, 1.0)}
SETS = {
    "base": {0: [40, 40], 1: [30, 40], 2: [30, 30]},
    "step000010": {0: [10]},
    "final": {0: [20, 10], 1: [20, 20], 2: [30, 30]},
}
REFERENCES = {0: [10, 20], 1: [20, 20], 2: [30, 30]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with base and final pictures."""
    return write_samples(tmp_path / "run", SETS)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Sources with a manifest and an encoder of known vectors."""
    monkeypatch.setattr(evaluation.score, "load_encoder", lambda name, device: ToyEncoder(VECTORS, TEXTS))
    manifest = write_manifest(tmp_path / "material", REFERENCES)
    return sources_of_toys(tmp_path, encoder=Path("toy"), manifest=manifest)


def files_of(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir())


def blacken(path: Path) -> None:
    Image.new("RGB", (16, 16)).save(path)


def test_likeness_of_a_run_by_hand(run: Path, sources: Sources) -> None:
    row = score_run(run, sources=sources).row("likeness")
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
    row = score_run(run, sources=sources).row("adherence")
    assert row.final is not None and row.base is not None and row.real is not None
    assert row.final.value == pytest.approx((0.8 + 1 + 1) / 3)
    assert row.base.value == pytest.approx((-0.6 + (0.8 + 0.28) / 2 + 1) / 3)
    assert row.real.value == pytest.approx((0.8 + 1 + 1) / 3)
    assert (row.final.n, row.final.num_prompts) == (6, 3)


def test_health_of_a_run_counts_all_pictures(run: Path, sources: Sources) -> None:
    blacken(run / "samples/final/p00_s1.png")
    row = score_run(run, sources=sources).row("health")
    assert row.final is not None and row.base is not None
    assert (row.final.value, row.final.n) == (pytest.approx(5 / 6), 6)
    assert row.base.value == 1.0
    assert row.encoder is None and row.anchored is None and row.note is None


def test_a_faulty_picture_is_named_and_left_out_of_the_other_metrics(run: Path, sources: Sources) -> None:
    blacken(run / "samples/final/p00_s1.png")
    (run / "samples/base/p01_s2.png").write_bytes(b"no picture")
    scores = score_run(run, sources=sources)
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
    scores = score_run(run, sources=sources)
    assert {row.metric: row.skipped for row in scores.rows} == {
        "likeness": "no picture that it could be measured on",
        "adherence": "no picture that it could be measured on",
        "health": None,
    }
    health = scores.row("health").final
    assert health is not None and health.value == 0.0


def test_a_run_without_base_pictures_has_values_but_nothing_to_compare(
    tmp_path: Path, sources: Sources
) -> None:
    run = write_samples(tmp_path / "run", {"final": SETS["final"]})
    row = score_run(run, sources=sources).row("likeness")
    assert row.final is not None
    assert (row.base, row.difference, row.anchored) == (None, None, None)


def test_without_references_or_encoder_the_rows_say_what_to_set(run: Path, sources: Sources) -> None:
    without = score_run(run, sources=replace(sources, manifest=None))
    assert without.row("likeness").skipped == (
        "no true pictures of these prompts: set evaluation.references to a manifest that names them"
    )
    assert without.row("adherence").skipped is None
    bare = score_run(run, sources=replace(sources, encoder=None))
    assert {row.metric for row in bare.rows if row.skipped and "evaluation.encoder" in row.skipped} == {
        "likeness",
        "adherence",
    }
    assert bare.encoder is None and bare.row("health").skipped is None


def test_a_prompt_longer_than_the_encoder_reads_is_counted(
    tmp_path: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    long = " ".join(["word"] * 11)
    monkeypatch.setattr("score_toys.PROMPTS", [long, *PROMPTS[1:]])
    run = write_samples(tmp_path / "long", SETS)
    encoder = ToyEncoder(VECTORS, {**TEXTS, long: (1.0, 0.0)})
    monkeypatch.setattr(evaluation.score, "load_encoder", lambda name, device: encoder)
    assert score_run(run, sources=sources).truncated_prompts == 1
    assert "1 prompts are longer than the encoder reads" in caplog.text


def test_the_scores_file_holds_what_was_returned(run: Path, sources: Sources) -> None:
    (run / "result.json").write_text(json.dumps({"schema": 1, "run_id": "0123abcd"}))
    scores = score_run(run, sources=sources)
    data = json.loads((run / "scores.json").read_text())
    assert (data["schema"], data["run_id"]) == (1, "0123abcd")
    assert [row["metric"] for row in data["rows"]] == list(METRICS)
    spread = pytest.approx(1.270620, abs=2e-6)
    assert data["rows"][0]["final"] == {"value": 0.9, "n": 4, "num_prompts": 2, "spread": spread}
    assert data["rows"][0]["direction"] == "higher"
    assert data["encoder"] == {"name": "toy", "fingerprint": "f" * 64, "preprocessing": "none"}
    assert set(data["environment"]) == {"python", "numpy", "pillow", "torch", "transformers"}
    again = read_scores(run / "scores.json")
    assert replace(again, rows=[]) == replace(scores, rows=[])
    write_scores(again, run / "copy.json")
    assert (run / "copy.json").read_bytes() == (run / "scores.json").read_bytes()


def test_the_scores_file_names_the_true_pictures_as_seen_from_the_run(run: Path, sources: Sources) -> None:
    references = score_run(run, sources=sources).references
    assert references[PROMPTS[0]] == [f"../material/references/00_{place}.png" for place in (0, 1)]
    assert all((run / name).is_file() for names in references.values() for name in names)


def test_the_same_pictures_give_the_same_bytes_whatever_was_cached(run: Path, sources: Sources) -> None:
    contents = []
    for _ in range(2):
        score_run(run, sources=sources, cache_dir=run.parent / "cache")
        contents.append([(run / name).read_bytes() for name in ("scores.json", "per_image.csv")])
    score_run(run, sources=sources)
    contents.append([(run / name).read_bytes() for name in ("scores.json", "per_image.csv")])
    assert contents[0] == contents[1] == contents[2]


def test_per_image_has_a_line_a_picture(run: Path, sources: Sources) -> None:
    blacken(run / "samples/final/p00_s1.png")
    score_run(run, sources=sources)
    with (run / "per_image.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["set"] for row in rows] == ["base"] * 6 + ["final"] * 6 + ["real"] * 6
    faulty, healthy, plain = rows[6], rows[7], rows[10]
    assert (faulty["file"], faulty["fault"]) == ("samples/final/p00_s1.png", "black")
    assert [faulty[metric] for metric in METRICS] == ["", "", "0.000000"]
    assert (healthy["prompt"], healthy["seed"], healthy["fault"]) == (PROMPTS[0], "2", "")
    assert [healthy[metric] for metric in METRICS] == ["0.800000", "1.000000", "1.000000"]
    assert [plain[metric] for metric in METRICS] == ["", "1.000000", "1.000000"]  # of a plain prompt


def test_a_prompt_with_commas_and_quotes_stays_in_its_column(
    tmp_path: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = 'a "red", star\nand =1+1'
    monkeypatch.setattr("score_toys.PROMPTS", [*PROMPTS[:2], odd])
    run = write_samples(tmp_path / "odd", {"final": {2: [30]}})
    score_run(run, sources=replace(sources, encoder=None))
    with (run / "per_image.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["prompt"], row["health"]) == (odd, "1.000000")


def test_scoring_leaves_its_two_files_and_no_others(run: Path, sources: Sources) -> None:
    score_run(run, sources=sources)
    assert files_of(run) == ["per_image.csv", "samples", "scores.json"]


def test_a_scoring_that_fails_on_the_way_leaves_the_old_files(
    run: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_run(run, sources=sources)
    before = [(run / name).read_bytes() for name in ("scores.json", "per_image.csv")]
    blacken(run / "samples/final/p00_s1.png")
    broken = ToyEncoder({number: (float("nan"), 0.0) for number in VECTORS}, TEXTS)
    monkeypatch.setattr(evaluation.score, "load_encoder", lambda name, device: broken)
    with pytest.raises(ConfigError, match="not a number"):
        score_run(run, sources=sources)
    assert [(run / name).read_bytes() for name in ("scores.json", "per_image.csv")] == before
    assert files_of(run) == ["per_image.csv", "samples", "scores.json"]


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    write_atomically(tmp_path / "scores.json", "old")
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "scores.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("scores.json", "old")]


def test_a_tiny_clip_scores_a_run_whatever_the_batch_size(
    run: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(tmp_path / "material", REFERENCES)
    sources = sources_of_toys(tmp_path, encoder=tiny_clip, manifest=manifest)
    together = score_run(run, sources=sources, device="cpu")
    one = evaluation.score.Embedder
    monkeypatch.setattr(
        evaluation.score,
        "Embedder",
        lambda encoder, cache_dir: one(encoder, cache_dir=cache_dir, batch_size=1),
    )
    alone = score_run(run, sources=sources, device="cpu")
    for row, other in zip(together.rows, alone.rows, strict=True):
        for name in ("base", "final", "real"):
            assert getattr(row, name).value == pytest.approx(getattr(other, name).value, abs=1e-5)
    assert together.encoder is not None and together.encoder.name == tiny_clip.name  # no path of this machine
