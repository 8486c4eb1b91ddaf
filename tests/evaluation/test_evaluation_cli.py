"""python -m evaluation: what it prints, writes and returns, and how it refuses."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from score_toys import save_picture, sources_of_toys, write_manifest, write_samples

from engine.compose.record import make_record, write_run_yaml
from evaluation.__main__ import main
from evaluation.arguments import COMMANDS, OPTIONS, parse_arguments
from evaluation.records import read_scores
from evaluation.reports.compare import compare_folders
from tests.compose.toys import PROJECT, composed

SETS = {"base": {0: [30, 40], 1: [30]}, "final": {0: [10, 20], 1: [20]}}
PRINTS = {"data": "a" * 64, "base": "b" * 64}
FILES = ["per_image.csv", "per_prompt.csv", "scores.json", "values.json"]


def record(run: Path, *, encoder: Path | None = None, manifest: Path | None = None) -> None:
    """run.yaml as training writes it."""
    config = composed(f"cache_dir={run.parent / 'cache'}")
    sources = sources_of_toys(run.parent / "learnt", encoder=encoder, manifest=manifest)
    write_run_yaml(run, make_record(config, sources, fingerprints=PRINTS, threads=1, device="cpu"))


@pytest.fixture
def run(tmp_path: Path, tiny_clip: Path) -> Path:
    """A run folder whose run.yaml names an encoder and a manifest."""
    folder = write_samples(tmp_path / "run", SETS)
    for number in (50, 60):
        save_picture(tmp_path / "learnt" / f"{number}.png", number, size=64).with_suffix(".txt").write_text(
            "a dog"
        )
    record(folder, encoder=tiny_clip, manifest=write_manifest(tmp_path / "true", {0: [10, 20], 1: [20, 10]}))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures with a caption beside each."""
    for place, number in enumerate((10, 20, 30, 40)):
        path = save_picture(tmp_path / "pictures" / f"{place}.png", number)
        path.with_suffix(".txt").write_text(f"a picture {place // 2}")
    return tmp_path / "pictures"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, what was printed, and what was complained of."""
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def names(folder: Path) -> list[str]:
    """The files of a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_run_is_scored_shown_and_its_pages_written(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, f"run={run}", "device=cpu")
    assert (code, err) == (0, "")
    scores = read_scores(run / "scores.json")
    likeness = scores.row("likeness")
    assert scores.objectives == ["likeness", "adherence"]
    assert likeness.base is not None and likeness.final is not None
    first = out.splitlines()[0]
    assert first.split()[0] == "likeness"
    assert f" {likeness.base.value:.3f} ± " in first and f" -> {likeness.final.value:.3f} ± " in first
    assert "n=3, 2 prompts" in first
    assert out.splitlines()[-2:] == [str(run / "scores.json"), str(run / "evaluation/index.html")]
    assert set(FILES) < set(names(run))
    assert "Likeness to the concept" in (run / "index.html").read_text()
    assert "a sks dog" in (run / "evaluation/index.html").read_text()


def test_embeddings_are_kept_and_a_second_scoring_gives_the_same_files(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, f"run={run}")
    first = {name: (run / name).read_bytes() for name in FILES}
    assert (run.parent / "cache" / "embeddings").is_dir()
    told(capsys, f"run={run}", "batch_size=1")
    assert {name: (run / name).read_bytes() for name in FILES} == first


def test_a_wanted_difference_is_answered_with_prompts_and_pictures(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = told(capsys, f"run={run}", "difference=0.5")
    lines = [line for line in out.splitlines() if "a difference of 0.5 in " in line]
    assert [line.split()[5] for line in lines] == ["likeness", "adherence"]
    assert all(re.search(r"takes \d+ prompts, \d+ pictures$", line) for line in lines)
    _, out, _ = told(capsys, f"run={run}", "difference=0.05")
    smaller = [line for line in out.splitlines() if "a difference of 0.05 in " in line]
    count = [[int(re.findall(r"(\d+) prompts", line)[0]) for line in of] for of in (lines, smaller)]
    assert all(few < many for few, many in zip(*count, strict=True))


def test_a_strength_without_anything_to_draw_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = told(capsys, f"run={run}", "strength=0.5")
    assert code == 2 and "strength=0.5: the run's pictures are drawn already. Add preset=" in err


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
    line = (f"encoder={encoder}", "image_encoder=pixels", f"refs={manifest}", "trigger=dog")
    code, _, err = told(capsys, f"run={run}", *line)
    scores = read_scores(run / "scores.json")
    assert (code, err) == (0, "")
    assert {role: facts.name for role, facts in scores.encoders.items()} == {
        "text_image": "another",
        "image": "pixels",
    }
    assert [len(files) for files in scores.references.values()] == [1]


def test_a_folder_of_references_takes_the_place_of_the_runs_manifest(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(tmp_path / "refs" / "a.png", 10)
    save_picture(tmp_path / "refs" / "b.png", 20)
    code, _, _ = told(capsys, f"run={run}", f"refs={tmp_path / 'refs'}")
    row = read_scores(run / "scores.json").row("likeness")
    assert code == 0
    assert row.note is not None and row.note.startswith(
        "compared with 2 true pictures of no particular prompt"
    )


def test_what_was_not_named_is_skipped_without_complaint(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(run)
    code, out, err = told(capsys, f"run={run}")
    assert (code, err) == (0, "")
    assert "  not measured: likeness: no encoder is named" in out
    assert "health            1.000 -> 1.000" in out


def test_an_objective_that_could_not_be_computed_is_exit_code_one(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = told(capsys, f"run={run}", "objectives=health,preference")
    assert code == 1
    assert err.startswith(
        "preference is an objective and could not be computed: no preference model is named"
    )
    assert err.count("objective") == 1
    assert read_scores(run / "scores.json").row("adherence").final is not None  # the others are there
    assert told(capsys, f"run={run}", "objectives=[health, adherence]")[0] == 0


def test_an_objective_without_a_healthy_picture_is_exit_code_one(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (run / "samples" / "final").iterdir():
        path.write_bytes(b"no picture")
    code, _, err = told(capsys, f"run={run}")
    assert code == 1
    assert "likeness is an objective and could not be computed: no healthy picture is left" in err


def test_references_of_other_prompts_are_refused_and_nothing_is_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(tmp_path / "house.png", 10)
    text = json.dumps({"schema": 1, "prompts": [{"prompt": "a house", "references": ["house.png"]}]})
    (tmp_path / "other.json").write_text(text)
    before = names(run)
    code, _, err = told(capsys, f"run={run}", f"refs={tmp_path / 'other.json'}")
    assert code == 2
    assert "none of its 1 prompts is a prompt of the pictures" in err
    assert names(run) == before


def test_a_folder_of_anybodys_pictures_is_scored(
    pictures: Path, tiny_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(tmp_path / "refs" / "true.png", 10)
    line = (
        f"images={pictures}",
        f"encoder={tiny_clip}",
        f"refs={tmp_path / 'refs'}",
        f"cache_dir={tmp_path}",
    )
    code, out, err = told(capsys, *line)
    scores = read_scores(pictures / "evaluation/scores.json")
    assert (code, err) == (0, "")
    assert names(pictures / "evaluation") == ["index.html", *FILES]
    assert scores.objectives == ["likeness", "adherence"] and scores.run_id is None
    assert scores.num_pictures == {"base": 0, "final": 4, "real": 0}
    assert "a picture 1" in (pictures / "evaluation/index.html").read_text()
    assert "training is not given: copies are looked for among" in out
    code, _, _ = told(capsys, *line, f"out={tmp_path / 'elsewhere'}")
    assert (code, names(tmp_path / "elsewhere")) == (0, ["index.html", *FILES])


def test_pictures_alone_are_looked_at_and_the_rest_is_said(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = told(capsys, f"images={pictures}", f"cache_dir={tmp_path}")
    assert (code, err) == (0, "")
    assert "  health            1.000" in out
    assert "  not measured: likeness: no encoder is named" in out


def test_scores_of_another_program_are_a_metric_and_may_be_an_objective(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{place}.png,{place / 4}\n" for place in range(4))
    (tmp_path / "scores.csv").write_text(f"path,sharpness\n{rows}")
    line = (f"images={pictures}", f"cache_dir={tmp_path}", f"external_scores={tmp_path / 'scores.csv'}")
    assert told(capsys, *line, "objectives=sharpness")[0] == 0
    row = read_scores(pictures / "evaluation/scores.json").row("sharpness")
    assert row.final is not None and row.final.value == pytest.approx(0.375)
    code, _, err = told(capsys, *line, "objectives=sharpnes")
    assert code == 2 and "sharpnes: unknown metric (did you mean sharpness?)" in err
    (tmp_path / "scores.csv").write_text(f"path,sharpness\n{rows}".replace("0.25", "nan"))
    before = (pictures / "evaluation/scores.json").read_bytes()
    code, _, err = told(capsys, *line)
    assert code == 2 and "line 3" in err
    assert (pictures / "evaluation/scores.json").read_bytes() == before


def test_two_scorings_are_compared_and_all_are_reported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    save_picture(other / "samples/final/p00_s1.png", 40)
    for folder in (run, other):
        assert told(capsys, f"run={folder}")[0] == 0
    page = tmp_path / "compare.html"
    code, out, err = told(capsys, f"compare=[{run},{other}]", f"out={page}")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "run, other: 3 pictures of the same prompts and seeds"
    assert out.splitlines()[-1] == str(page) and "Likeness to the concept" in page.read_text()
    code, out, _ = told(capsys, f"report={tmp_path}")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["other", "run"]
    assert (tmp_path / "report.html").is_file()


def test_a_page_goes_where_out_says_and_overwrites_nothing_else(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    for folder in (run, other):
        assert told(capsys, f"run={folder}")[0] == 0
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    code, _, err = told(capsys, f"compare=[{run},{other}]", f"out={notes}")
    assert (code, notes.read_text()) == (2, "mine")
    assert f"out={notes}: is a file and no page. Give a folder, or a name that ends in .html." in err
    assert told(capsys, f"compare=[{run},{other}]", f"out={tmp_path / 'pages'}")[0] == 0
    assert (tmp_path / "pages" / "compare.html").is_file()
    assert told(capsys, f"compare=[{run},{other}]")[0] == 0
    assert (tmp_path / "compare.html").is_file()
    code, _, err = told(capsys, f"compare=[{run},{other}]", "out=/proc/nowhere/c.html")
    assert code == 2 and "/proc/nowhere/c.html: cannot be written" in err


def test_outputs_elsewhere_know_where_their_pictures_are(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, f"run={run}")[0] == 0
    out = tmp_path / "far" / "out"
    line = (f"images={run / 'samples/final'}", f"cache_dir={tmp_path / 'cache'}", f"out={out}")
    assert told(capsys, *line)[0] == 0
    compared = compare_folders([run, out]).folders
    for one in compared:
        finals = [picture for picture in one.stored.pictures if picture.set_name == "final"]
        assert finals and all((one.pictures / picture.file).is_file() for picture in finals)


def test_a_page_in_the_way_leaves_the_old_scores(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "evaluation" / "index.html" / "within").mkdir(parents=True)
    code, _, err = told(capsys, f"images={pictures}", f"cache_dir={tmp_path}")
    assert code == 2 and "the scores cannot be written" in err
    assert names(pictures / "evaluation") == ["index.html"]


def test_a_comparison_of_what_was_not_scored_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = told(capsys, f"compare=[{run},{run.parent / 'none'}]")
    assert code == 2
    assert "was not scored yet" in err and "no such folder" in err


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (["rnu=x"], ["rnu: unknown option (did you mean run?)"]),
        (["run=none", "zzz=1"], ["zzz: unknown option (there are images, run", "run=none: no such folder."]),
        (["outputs/x"], ["outputs/x: not of the form key=value. Did you mean images=outputs/x?"]),
        (["device=cpu"], ["nothing to score: give one of images=, run=, lora=, compare=, report="]),
        (["images=.", "run=."], ["images and run: are different things to do. Give one of them."]),
        (["images=.", "images=."], ["images: given twice. Give it once."]),
        (["images="], ["images=: has no value. images is a folder of pictures, whoever made them."]),
        (["images=.", "preset=quick"], ["preset=quick: means nothing to images=. It belongs to run, lora."]),
        (["images=.", "device=gpu"], ["device=gpu: not a device. Use auto, cpu, cuda, cuda:1 or mps."]),
        (
            ["images=.", "difference=0"],
            ["difference=0: not a difference. Give a number above 0"],
        ),
        (["images=.", "batch_size=0"], ["batch_size=0: not a number of pictures."]),
        (["images=.", "objectives=likenes"], ["likenes: unknown metric (did you mean likeness?)"]),
        (["compare=[a]"], ["compare=[a]: names one folder. Give two or more: compare=[A,B]."]),
        (["lora=none.safetensors"], ["lora=none.safetensors: give model=, the recipe that it is for"]),
        (["lora=none.safetensors", "model=demo"], ["lora=none.safetensors: no such file."]),
        (["images=.", "encoder=no/encoder"], ["encoder=no/encoder: not on this machine."]),
        (["report=none"], ["report=none: no such folder."]),
    ],
)
def test_bad_words_are_refused_all_at_once(
    words: list[str], sentences: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = told(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("This scoring cannot be done:\n")
    for sentence in sentences:
        assert f"  - {sentence}" in err


def test_a_run_without_pictures_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "samples")
    code, _, err = told(capsys, f"run={run}")
    assert code == 2
    assert f"  - run={run}: holds no samples/samples.json." in err
    assert names(run) == ["run.yaml"]


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_names_every_option(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, word)
    assert code == 0
    assert out.startswith("Usage: python -m evaluation images=DIR | run=RUN_DIR")
    assert [line.split()[0] for line in out.splitlines()[1:] if line] == [*COMMANDS, *OPTIONS]


def test_nothing_typed_prints_the_usage_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys)
    assert code == 2
    assert out.startswith("Usage: ")


def test_every_option_is_read() -> None:
    texts = dict.fromkeys(OPTIONS, "1") | {"device": "cpu", "objectives": "health"}
    source = "".join((PROJECT / "evaluation" / name).read_text() for name in ("commands.py", "arguments.py"))
    for command in COMMANDS:
        taken = {key: text for key, text in texts.items() if command in OPTIONS[key][1]}
        value = {"compare": "[a,b]", "images": ".", "run": "."}.get(command, "x")
        read = parse_arguments([f"{command}={value}", *(f"{key}={text}" for key, text in taken.items())])
        assert (read.command, read.target, dict(read.given)) == (command, value, taken)
    for key in OPTIONS:
        assert source.count(f'"{key}"') >= 2, f"{key} is parsed and never read"


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
    assert done.stderr.startswith("This scoring cannot be done:\n  - encoder=none")
