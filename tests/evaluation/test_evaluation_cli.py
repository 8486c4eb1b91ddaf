"""python -m evaluation: what it prints, writes and returns, and how it refuses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from score_toys import sources_of_toys, write_manifest, write_samples

from engine.compose.record import make_record, write_run_yaml
from evaluation.__main__ import main
from evaluation.arguments import KEYS, parse_arguments
from evaluation.metrics.table import METRICS
from evaluation.records import read_scores
from tests.compose.toys import PROJECT, composed

SETS = {"base": {0: [30, 40], 1: [30]}, "final": {0: [10, 20], 1: [20]}}
PRINTS = {"data": "a" * 64, "base": "b" * 64}


def record(run: Path, *, encoder: Path | None = None, manifest: Path | None = None) -> None:
    """run.yaml as training writes it."""
    config = composed(f"cache_dir={run.parent / 'cache'}")
    sources = sources_of_toys(run.parent, encoder=encoder, manifest=manifest)
    write_run_yaml(run, make_record(config, sources, fingerprints=PRINTS, threads=1, device="cpu"))


@pytest.fixture
def run(tmp_path: Path, tiny_clip: Path) -> Path:
    """A run folder whose run.yaml names an encoder and a manifest."""
    folder = write_samples(tmp_path / "run", SETS)
    record(folder, encoder=tiny_clip, manifest=write_manifest(tmp_path / "true", {0: [10, 20], 1: [20, 10]}))
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, what was printed, and what was complained of."""
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_run_is_scored_shown_and_its_page_written(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, f"run={run}", "device=cpu")
    assert (code, err) == (0, "")
    scores = read_scores(run / "scores.json")
    likeness = scores.row("likeness")
    assert likeness.base is not None and likeness.final is not None
    first = out.splitlines()[0]
    assert first.split()[0] == "likeness"
    assert f"likeness    {likeness.base.value:.3f} ± " in first
    assert f" -> {likeness.final.value:.3f} ± " in first
    assert "n=3, 2 prompts" in first
    assert [line.split()[0] for line in out.splitlines()[:6:2]] == list(METRICS)
    assert out.splitlines()[-2:] == [str(run / "scores.json"), str(run / "index.html")]
    assert (run / "per_image.csv").is_file()
    assert "Likeness to the concept" in (run / "index.html").read_text()


def test_embeddings_are_kept_where_the_run_kept_its_own(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, f"run={run}")
    # The numbers 10, 20, 30, 40 make four different pictures, true ones and copies included.
    assert len(list((run.parent / "cache/embeddings").rglob("*.safetensors"))) == 4
    told(capsys, f"run={run}", f"cache_dir={run.parent / 'other'}")
    assert len(list((run.parent / "other/embeddings").rglob("*.safetensors"))) == 4


def test_faulty_pictures_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "samples/final/p00_s1.png").write_bytes(b"no picture")
    code, out, _ = told(capsys, f"run={run}")
    assert code == 0
    assert "  excluded: samples/final/p00_s1.png (unreadable)" in out.splitlines()


def test_words_on_the_line_stand_above_the_runs_own(
    run: Path, tiny_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = shutil.copytree(tiny_clip, tmp_path / "another")
    manifest = write_manifest(tmp_path / "others", {0: [10]})
    code, _, _ = told(capsys, f"run={run}", f"encoder={encoder}", f"references={manifest}")
    scores = read_scores(run / "scores.json")
    assert code == 0
    assert scores.encoder is not None and scores.encoder.name == "another"
    assert [len(names) for names in scores.references.values()] == [1]


def test_what_was_not_named_is_skipped_without_complaint(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(run)
    code, out, err = told(capsys, f"run={run}")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("  likeness    skipped: no encoder is named")
    assert out.splitlines()[2].startswith("  health      1.000 ± 0.000 -> 1.000 ± 0.000")


def test_a_run_without_true_pictures_is_not_asked_for_likeness(
    run: Path, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(run, encoder=tiny_clip)
    code, out, err = told(capsys, f"run={run}")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("  likeness    skipped: no true pictures of these prompts")
    assert read_scores(run / "scores.json").row("adherence").final is not None


def test_what_was_asked_for_and_could_not_be_computed_is_exit_code_one(
    run: Path, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(run, encoder=tiny_clip)
    code, _, err = told(capsys, f"run={run}", "metrics=health,likeness")
    assert code == 1
    assert err.startswith(
        "likeness was asked for and could not be computed: no true pictures of these prompts"
    )
    assert err.count("asked for") == 1
    assert read_scores(run / "scores.json").row("adherence").final is not None  # the others are there
    assert told(capsys, f"run={run}", "metrics=[health, adherence]")[0] == 0


def test_a_manifest_of_other_prompts_is_exit_code_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"schema": 1, "prompts": [{"prompt": "a house"}]}))
    code, _, err = told(capsys, f"run={run}", f"references={tmp_path / 'other.json'}")
    assert code == 1
    assert "likeness was asked for and could not be computed" in err


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (["rnu=x"], ["rnu: unknown option (did you mean run?)"]),
        (["run=none", "zzz=1"], ["zzz: unknown option (there are run, encoder", "run=none: no such folder."]),
        (["outputs/x"], ["outputs/x: not of the form key=value. Did you mean run=outputs/x?"]),
        (["device=cpu"], ["run: missing."]),
        (["run=none", "run=none"], ["run: given twice. Give it once.", "run=none: no such folder."]),
        (["run="], ["run=: has no value. run is the folder of a run."]),
        (["run=.", "metrics=likenes"], ["likenes: unknown metric (did you mean likeness?)"]),
        (["run=.", "device=gpu"], ["device=gpu: not a device. Use auto, cpu, cuda"]),
        (["run=."], ["run.yaml: no such file. Give the folder of a run."]),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused_with_all_its_problems(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentences: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = told(capsys, *words)
    assert (code, out) == (2, "")
    head, *problems = err.splitlines()
    assert head == "This scoring cannot be done:"
    for sentence in sentences:
        assert any(line.startswith("  - ") and sentence in line for line in problems), err
    assert sum(line.startswith("  - ") for line in problems) == len(sentences)
    assert list(tmp_path.iterdir()) == []


def test_everything_that_the_sources_lack_is_told_at_once_and_nothing_is_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in run.iterdir())
    code, _, err = told(capsys, f"run={run}", "encoder=none", f"references={tmp_path / 'none.json'}")
    assert code == 2
    assert "  - evaluation.encoder=none: no such folder." in err
    assert f"  - evaluation.references={tmp_path / 'none.json'}: not a manifest (FileNotFoundError" in err
    assert sorted(path.name for path in run.iterdir()) == before


def test_a_run_without_pictures_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "samples")
    code, _, err = told(capsys, f"run={run}")
    assert code == 2
    assert f"  - run={run}: holds no samples/samples.json." in err
    assert [path.name for path in run.iterdir()] == ["run.yaml"]


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_names_every_option(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, word)
    assert code == 0
    assert out.startswith("Usage: python -m evaluation run=RUN_DIR")
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(KEYS)


def test_nothing_typed_prints_the_usage_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys)
    assert code == 2
    assert out.startswith("Usage: ")


def test_every_option_is_read(tmp_path: Path) -> None:
    given = {"encoder": "e", "references": "r", "cache_dir": "c", "device": "cuda:1", "metrics": "health"}
    read = parse_arguments([f"run={tmp_path}", *(f"{key}={value}" for key, value in given.items())])
    assert {"run", *given} == set(KEYS)
    assert (read.run, read.encoder, read.references) == (tmp_path, "e", Path("r"))
    assert (read.cache_dir, read.device, read.metrics) == (Path("c"), "cuda:1", ("health",))


def test_a_refusal_imports_nothing_heavy_and_is_the_exit_code_of_the_process(run: Path) -> None:
    program = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_module('evaluation', run_name='__main__')\n"
        "finally:\n"
        "    print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program, f"run={run}", "encoder=none"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stdout.strip() == "[]"
    assert done.stderr.startswith("This scoring cannot be done:\n  - evaluation.encoder=none")
