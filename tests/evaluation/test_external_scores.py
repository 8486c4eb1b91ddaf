"""Scores that other programs gave: read for each picture, or refused with the file and the line."""

from pathlib import Path

import pytest
from folder_toys import numbered, picture, put, read
from hypothesis import given, settings
from hypothesis import strategies as st
from score_toys import write_samples

from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.reading.external_scores import read_external_scores
from evaluation.reading.folder import add_external_scores
from evaluation.reading.picture_folder import PictureNames
from evaluation.reading.run_material import read_run_material
from evaluation.records import Direction


def refusal(folder: Path, text: str | bytes) -> list[str]:
    """What is said of a table beside two pictures, one name of which stands twice; without the path."""
    put(folder / "p", numbered("a.png", "sub/b.png", "twin/b.png"))
    put(folder, {"e.csv": text})
    with pytest.raises(ConfigError) as caught:
        read(folder / "p", external_scores=folder / "e.csv")
    start = f"external_scores={folder}/e.csv"
    assert all(problem.startswith((start, "and ")) for problem in caught.value.problems)
    return [problem.removeprefix(start).replace(str(folder), "HERE") for problem in caught.value.problems]


ALL = "sub/b.png,1\ntwin/b.png,2\n"


def test_columns_are_metrics_with_a_direction_for_every_picture(tmp_path: Path) -> None:
    put(tmp_path / "p", numbered("a.png", "sub/b.png"))
    text = f"\ufeffpath,score, IR.v1:lower \r\na.png,1.5,-2e-1\r\n\r\n{tmp_path}/p/sub/b.png,.5,+3\r\n"
    put(tmp_path, {"e.csv": text})
    external = read(tmp_path / "p", external_scores=tmp_path / "e.csv").external
    assert list(external) == ["external", "IR.v1"]
    assert [scores.direction for scores in external.values()] == [Direction.higher, Direction.lower]
    first, second = tmp_path / "p/a.png", tmp_path / "p/sub/b.png"
    assert external["external"].by_path == {first: 1.5, second: 0.5}
    assert external["IR.v1"].by_path == {first: -0.2, second: 3.0}


def test_a_bare_name_is_enough_where_only_one_picture_has_it(tmp_path: Path) -> None:
    put(tmp_path / "p", numbered("x/a.png"))
    put(tmp_path, {"e.csv": "path,score\na.png,1"})
    external = read(tmp_path / "p", external_scores=tmp_path / "e.csv").external
    assert external["external"].by_path == {tmp_path / "p/x/a.png": 1.0}


def test_base_pictures_may_be_scored_all_or_none(tmp_path: Path) -> None:
    put(tmp_path / "p", numbered("a.png", "b.png"))
    put(tmp_path / "base", numbered("a.png", "b.png", first=5))
    put(tmp_path, {"e.csv": "path,score\na.png,1\nb.png,2\n../base/a.png,3\n../base/b.png,4\n"})
    scores = read(tmp_path / "p", base=tmp_path / "base", external_scores=tmp_path / "e.csv").external[
        "external"
    ]
    assert scores.by_path[tmp_path / "base/b.png"] == 4.0 and scores.by_path[tmp_path / "p/b.png"] == 2.0
    put(tmp_path, {"e.csv": "path,score\na.png,1\nb.png,2\n../base/a.png,3\n"})
    with pytest.raises(ConfigError, match=r"1 of 2 pictures have no score, the first: .*base/b\.png"):
        read(tmp_path / "p", base=tmp_path / "base", external_scores=tmp_path / "e.csv")


@pytest.mark.parametrize("start", ["samples/final/", "final/"])
def test_the_pictures_of_a_run_are_named_within_it_or_within_its_samples(tmp_path: Path, start: str) -> None:
    run = write_samples(tmp_path / "run", {"base": {0: [30]}, "final": {0: [10], 1: [20]}})
    put(tmp_path, {"e.csv": f"path,score\n{start}p00_s1.png,1\n{start}p01_s1.png,2\n"})
    material = read_run_material(run, Sources(pictures=tmp_path))
    external = add_external_scores(material, tmp_path / "e.csv", folder=run).external["external"]
    assert external.by_path == {
        run / "samples/final/p00_s1.png": 1.0,
        run / "samples/final/p01_s1.png": 2.0,
    }


def test_a_picture_that_cannot_be_opened_needs_no_score(tmp_path: Path) -> None:
    put(tmp_path / "p", {"a.png": picture(), "bad.png": picture()[:45], "none.png": b""})
    put(tmp_path, {"e.csv": "path,score\na.png,1\n"})
    external = read(tmp_path / "p", external_scores=tmp_path / "e.csv").external
    assert list(external["external"].by_path) == [tmp_path / "p/a.png"]


COMPLETE = "Score them too, or take them out."
NO_NAME = "is no name for a metric. Use letters, digits and _ . + - beginning with a letter."
NUMBER = "Write a number, or take the picture out of the folder."


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (f"path,score\na.png,nan\n{ALL}", [f", line 2: score is NaN, not a number. {NUMBER}"]),
        (f"path,score\na.png,-inf\n{ALL}", [f", line 2: score is infinite. {NUMBER}"]),
        (f"path,score\na.png,1e999\n{ALL}", [f", line 2: score is infinite. {NUMBER}"]),
        (f"path,score\na.png,\n{ALL}", [f", line 2: score is empty. {NUMBER}"]),
        (f"path,score\n\na.png,good\n{ALL}", [f", line 3: score is no number (good). {NUMBER}"]),
        (f"path,score\na.png,1_0\n{ALL}", [f", line 2: score is no number (1_0). {NUMBER}"]),
        (f"path,score\na.png,0x1\n{ALL}", [f", line 2: score is no number (0x1). {NUMBER}"]),
        (
            f"path,score\na.png,0,5\n{ALL}",
            [
                ", line 2: holds 3 cells; the header has 2. Put a text with commas into double quotes, and "
                'write numbers with a point: "a dog, running",0.5.'
            ],
        ),
        (
            f"path,score\na.png,1\nz.png,1\n{ALL}",
            [", line 3: z.png is no picture that is scored. Write its path within HERE/p."],
        ),
        (f"path,score\na.png,1\n,1\n{ALL}", [", line 3: names no picture. Write its path within HERE/p."]),
        (
            f"path,score\na.png,1\nb.png,1\n{ALL}",
            [", line 3: b.png fits 2 pictures. Write its path within HERE/p."],
        ),
        (
            f"path,score\na.png,1\n./a.png,1\n{ALL}",
            [", line 3: ./a.png has its scores in line 2 already. Keep one line."],
        ),
        (
            "path,score\na.png,1\n",
            [f": 2 of 3 pictures have no score, the first: HERE/p/sub/b.png. {COMPLETE}"],
        ),
        (
            f"a.png,1\n{ALL}",
            [": its first line is no header (a.png,1). Begin with path,score."],
        ),
        ("path;score\na.png;1\n", [": its columns are separated by semicolons. Use commas: path,score."]),
        ("path\tscore\na.png\t1\n", [": its columns are separated by tabs. Use commas: path,score."]),
        ("path\na.png\n", [": holds no scores. Begin with path,score, or path and the names of metrics."]),
        ("path,score\n", [": holds a header and no rows. Write a line for each picture."]),
        ("", [": is empty."]),
        (b"\xff\xfep\0a\0", [": is UTF-16. Save it as UTF-8."]),
        (b"path,score\na\0.png,1", [": is no text file (it holds zero bytes). Give a UTF-8 text."]),
        (b"path,score\na\xe9.png,1", [": is not UTF-8. Save it as UTF-8."]),
        (
            f"path,likeness\na.png,1\n{ALL}",
            [": likeness is the name of a metric of our own. Give the column another name."],
        ),
        (
            f"path,fault\na.png,1\n{ALL}",
            [": fault is the name of a column of our own. Give the column another name."],
        ),
        (f"path,x,x\na.png,1,1\n{ALL}", [": its header names x twice. Keep one column."]),
        ("path,x,x:lower\na.png,1,1\n", [": its header names x twice. Keep one column."]),
        ("path,score,external\na.png,1,1\n", [": its header names external twice. Keep one column."]),
        ("path,\na.png,1\n", [": column 2 of its header has no name. Write path,score."]),
        ("path,x:down\na.png,1\n", [": x:down does not end in :higher or :lower."]),
        (
            "path,<b>\na.png,1\n",
            [f": <b> {NO_NAME}"],
        ),
        ('path,score\n"a.png,1\n', [", line 2: is not CSV (unexpected end of data). Correct it."]),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str | bytes, sentences: list[str]
) -> None:
    assert refusal(tmp_path, text) == sentences


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "p", numbered("a.png"))
    for file, sentence in (
        (tmp_path / "e.csv", "no such file. Check the path."),
        (tmp_path, "a folder. Give a file."),
    ):
        with pytest.raises(ConfigError) as caught:
            read(tmp_path / "p", external_scores=file)
        assert caught.value.problems == [f"external_scores={file}: {sentence}"]


def test_many_problems_are_counted_not_listed(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,x\n" for number in range(40))
    found = refusal(tmp_path, f"path,score\n{rows}")
    assert len(found) == 6 and found[-1] == "and 35 more problems of this kind."


CELLS = st.sampled_from(
    ["path", "score", "a.png", "1", "-0", "1e3", "nan", "", '"', ",", ";", "\n", "\r", "😀"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CELLS | st.characters(codec="utf-8"), max_size=30).map("".join))
def test_any_text_is_refused_or_gives_finite_numbers(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    file = folder / "fuzz.csv"
    file.write_bytes(("path,score\n" + text).encode())
    names = PictureNames(folder=folder, by_name={"a.png": folder / "a.png"})
    try:
        found = read_external_scores(file, names, scored=[[folder / "a.png"]], taken=())
    except ConfigError as error:
        assert error.problems and all("\n" not in problem for problem in error.problems)
        return
    assert all(abs(score) < float("inf") for one in found.values() for score in one.by_path.values())
