"""All scored runs of a folder: what is found, what sets them apart, what must be known before comparing."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import CIRCLE, full_material, full_tools, tools_of_toys

from engine.compose.record import make_record, write_run_yaml
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.outputs import write_outputs
from evaluation.reports.report import comparable, read_runs, report_lines, report_page, write_report
from evaluation.score import score_material
from tests.compose.toys import composed


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored folder, to be copied."""
    folder = tmp_path_factory.mktemp("scored")
    write_outputs(score_material(full_material(folder.parent / "circle"), full_tools()), folder)
    return folder


def add_run(
    folder: Path, scored: Path | None, options: Sequence[str] = (), *, outcome: str = "completed"
) -> Path:
    """A run folder as training leaves it, with scores where it has some."""
    folder.mkdir(parents=True)
    record = make_record(
        composed(*options), Sources(pictures=folder), fingerprints={}, threads=1, device="cpu"
    )
    write_run_yaml(folder, record)
    (folder / "result.json").write_text(json.dumps({"outcome": outcome}))
    if scored is not None:
        for path in scored.iterdir():
            shutil.copy(path, folder)
    return folder


def test_runs_are_found_with_the_options_that_set_them_apart(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "b", scored, ["network.rank=4", "optimizer.lr=1e-3", "name=second"])
    add_run(tmp_path / "a", scored, ["network.rank=8", "optimizer.lr=1e-3", "name=first"])
    runs, problems = read_runs(tmp_path)
    assert problems == []
    assert [(run.name, dict(run.options)) for run in runs] == [
        ("a", {"network.rank": "8"}),
        ("b", {"network.rank": "4"}),
    ]
    assert comparable(runs) == []
    first, second = report_lines(runs, problems)
    assert first.split()[:2] == ["a", "likeness"] and first.endswith("network.rank=8")
    assert second.endswith("network.rank=4") and "health 1.000" in second


def test_folders_of_pictures_are_reported_by_their_outputs_below_them(tmp_path: Path, scored: Path) -> None:
    shutil.copytree(scored, tmp_path / "photos" / "evaluation")
    (tmp_path / "photos" / "evaluation" / "index.html").write_text("")
    ((run,), problems) = read_runs(tmp_path)
    assert (run.name, run.folder, dict(run.options), problems) == ("photos", tmp_path / "photos", {}, [])
    page = report_page(tmp_path, [run], problems, beside=tmp_path / "pages")
    assert page.runs[0].link == "../photos/evaluation/index.html"
    assert page.runs[0].outcome is None


def ask_something_else(material_at: Path, folder: Path, trigger: str = "prompt") -> Path:
    """Scores of another question in a folder."""
    material = full_material(material_at / "circle")
    tools = tools_of_toys(CIRCLE, {str(index): (1.0, 0.0) for index in range(6)})  # without the trigger
    folder.mkdir(parents=True, exist_ok=True)
    write_outputs(score_material(replace(material, trigger=trigger), tools), folder)
    return folder


def test_a_run_that_is_scored_is_reported_itself_with_what_was_drawn_of_it_again(
    tmp_path: Path, scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add_run(tmp_path / "a", scored)
    ((one,), problems) = read_runs(run)
    assert (one.name, one.folder, dict(one.options), problems) == ("a", run, {}, [])
    shutil.copytree(scored, run / "evaluation" / "confirm")
    (run / "evaluation" / "confirm" / "index.html").write_text("")
    (run / "evaluation" / "unscored").mkdir()
    runs, problems = read_runs(run)
    assert ([one.name for one in runs], problems) == (["a", "a, confirm"], [])
    page = report_page(run, runs, problems, beside=run)
    assert [(row.link, row.outcome) for row in page.runs] == [
        (None, "completed"),
        ("evaluation/confirm/index.html", "completed"),
    ]
    assert [one.name for one in read_runs(run / "evaluation")[0]] == ["confirm"]
    monkeypatch.chdir(run)
    runs, problems = read_runs(Path())
    assert [one.name for one in runs] == ["a", "a, confirm"]
    assert report_page(Path(), runs, problems, beside=run).title == "Runs of a"


def test_a_scored_folder_of_pictures_is_reported_once(tmp_path: Path, scored: Path) -> None:
    shutil.copytree(scored, tmp_path / "photos" / "evaluation")
    assert [one.name for one in read_runs(tmp_path / "photos")[0]] == ["photos"]
    assert [one.name for one in read_runs(tmp_path / "photos" / "evaluation")[0]] == ["evaluation"]


def test_what_was_drawn_again_stands_beside_runs_only_where_it_was_asked_the_same(
    tmp_path: Path, scored: Path
) -> None:
    for name in "ab":
        run = add_run(tmp_path / "runs" / name, scored)
        ask_something_else(tmp_path, run / "evaluation" / "confirm")
    runs, problems = read_runs(tmp_path / "runs")
    assert [one.name for one in runs] == ["a", "b"]  # of as many rows, those of runs' own pictures
    assert problems == [
        "2 scored folders were asked another question (other prompts, seeds, references or encoders) and "
        f"left out. See report={tmp_path}/runs/a/evaluation, report={tmp_path}/runs/b/evaluation"
    ]
    assert comparable(runs) == []
    ask_something_else(tmp_path, tmp_path / "runs" / "b")
    runs, problems = read_runs(tmp_path / "runs")
    assert [one.name for one in runs] == ["a, confirm", "b", "b, confirm"]
    assert problems[0].startswith("1 scored folder was asked another question")
    assert problems[0].endswith(f"left out. See report={tmp_path}/runs/a")


def test_a_link_to_a_folder_that_is_listed_is_left_out(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "runs" / "b", scored)
    add_run(tmp_path / "runs" / "c", None)
    add_run(tmp_path / "elsewhere", scored)
    for name, target in (("a", "b"), ("latest", "c"), ("far", "../elsewhere"), ("far2", "../elsewhere")):
        (tmp_path / "runs" / name).symlink_to(target)
    (tmp_path / "runs" / "loop").symlink_to(".")
    (tmp_path / "runs" / "lost").symlink_to("gone")
    runs, problems = read_runs(tmp_path / "runs")
    assert [one.name for one in runs] == ["b", "far"]
    assert problems == ["c: was not scored"]


def test_options_are_of_runs_alone_where_a_folder_of_pictures_stands_beside_them(
    tmp_path: Path, scored: Path
) -> None:
    shutil.copytree(scored, tmp_path / "photos" / "evaluation")
    add_run(tmp_path / "a", scored, ["network.rank=8"])
    assert [dict(one.options) for one in read_runs(tmp_path)[0]] == [{}, {}]
    add_run(tmp_path / "b", scored, ["network.rank=4"])
    assert [(one.name, dict(one.options)) for one in read_runs(tmp_path)[0]] == [
        ("a", {"network.rank": "8"}),
        ("b", {"network.rank": "4"}),
        ("photos", {}),
    ]


def test_a_run_without_scores_and_one_with_broken_ones_are_told(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "a", scored)
    add_run(tmp_path / "b", None)
    broken = add_run(tmp_path / "c", scored)
    (broken / "scores.json").write_text("{")
    (tmp_path / "no_run").mkdir()
    (tmp_path / "file.txt").write_text("")
    runs, problems = read_runs(tmp_path)
    assert [run.name for run in runs] == ["a"]
    assert problems[0] == "b: was not scored"
    assert problems[1].startswith(f"{broken / 'scores.json'}: cannot be read") and len(problems) == 2
    assert [line for line in report_lines(runs, problems) if line.startswith("  note: ")] == [
        f"  note: {problem}" for problem in problems
    ]


def test_a_folder_without_scored_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no scored run\. Score one"):
        read_runs(tmp_path)
    add_run(tmp_path / "a", None)
    with pytest.raises(ConfigError, match=r"holds no scored run\. a: was not scored\. Score one"):
        read_runs(tmp_path)
    with pytest.raises(ConfigError, match=r"no such folder\. Give the folder that holds the runs"):
        read_runs(tmp_path / "none")


def test_runs_that_were_asked_other_questions_are_told_apart(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "a", scored)
    ask_something_else(tmp_path.parent, add_run(tmp_path / "b", None))
    runs, problems = read_runs(tmp_path)
    assert ([run.name for run in runs], problems) == (["a", "b"], [])  # neither question is that of most
    (notice,) = comparable(runs)
    assert "not all were asked the same question" in notice


def test_broken_pictures_of_a_run_are_told(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "a", scored)
    other = add_run(tmp_path / "b", None)
    material = full_material(tmp_path.parent / "circle2")
    (tmp_path / "broken.png").write_bytes(b"")
    first, *others = material.pictures["final"]
    pictures = {**material.pictures, "final": [replace(first, path=tmp_path / "broken.png"), *others]}
    write_outputs(score_material(replace(material, pictures=pictures), full_tools()), other)
    runs, _ = read_runs(tmp_path)
    assert comparable(runs) == ["broken pictures were left out of b: see health"]


def test_the_page_has_objectives_first_and_an_axis_each(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "a", scored, ["network.rank=8"], outcome="diverged")
    add_run(tmp_path / "b", scored, ["network.rank=4"])
    (tmp_path / "a" / "index.html").write_text("")
    runs, problems = read_runs(tmp_path)
    page = report_page(tmp_path, runs, problems, beside=tmp_path)
    assert [metric.name for metric in page.metrics][:3] == ["likeness", "adherence", "health"]
    assert [metric.is_objective for metric in page.metrics][:3] == [True, True, False]
    assert page.axes == ("likeness", "adherence")
    assert [(run.name, run.link, run.outcome) for run in page.runs] == [
        ("a", "a/index.html", "diverged"),
        ("b", None, "completed"),
    ]
    likeness = runs[0].scores.row("likeness").final
    assert likeness is not None and page.runs[0].numbers["likeness"].value == likeness.value
    assert "frechet" not in page.runs[0].numbers


def test_the_report_is_written_where_it_is_wanted(tmp_path: Path, scored: Path) -> None:
    add_run(tmp_path / "runs" / "a", scored, ["network.rank=8"])
    add_run(tmp_path / "runs" / "b", scored, ["network.rank=4"])
    page, lines = write_report(tmp_path / "runs", tmp_path / "pages" / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "network.rank" in text and "Likeness to the concept" in text and len(lines) == 2


def test_a_damaged_result_has_no_outcome(tmp_path: Path, scored: Path) -> None:
    run = add_run(tmp_path / "a", scored)
    for content in ("", "[]", "{}", '{"outcome": null}'):
        (run / "result.json").write_text(content)
        runs, problems = read_runs(tmp_path)
        assert report_page(tmp_path, runs, problems, beside=tmp_path).runs[0].outcome is None
