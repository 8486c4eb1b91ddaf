"""kohya's folder form: names, parents, regularisation pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
from fingerprint_of import fingerprint_of
from picture_files import write_picture

from engine.config import DatasetConfig, Layout
from engine.data.kohya_folders import FolderName, parse_folder_name
from engine.data.layouts import scan_dataset
from engine.data.repeats import regularisation_repeats

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden/h_dataset.json").read_text())
WITH_REG = [case for case in GOLDEN["steps"] if case["reg"] and "--validation_split" not in case["argv"]]


@pytest.mark.parametrize("name", GOLDEN["folder_parsing"]["names"])
def test_a_folder_name_says_what_the_reference_reads_in_it(name: str) -> None:
    expected = GOLDEN["folder_parsing"]["names"][name]
    found = parse_folder_name(name)
    if expected is None:
        assert found is None
    else:
        assert found == FolderName(repeats=expected["num_repeats"], words=expected["class_tokens"])


@pytest.mark.parametrize(
    ("learnt", "repeats", "counts"),
    [
        (6, [1] * 6, [1] * 6),
        (30, [3] * 4, [8, 8, 7, 7]),  # 12 of the first round, then one each
        (3, [1] * 5, [1, 1, 1, 0, 0]),
        (3, [2, 2, 2], [2, 2, 0]),  # not cut within a picture
        (5, [10], [10]),
        (0, [1, 1], [0, 0]),
        (7, [], []),
    ],
)
def test_regularisation_pictures_are_taken_until_there_are_enough(
    learnt: int, repeats: list[int], counts: list[int]
) -> None:
    assert regularisation_repeats(learnt, repeats) == counts


@pytest.mark.parametrize("case", WITH_REG, ids=lambda case: case["name"])
def test_repeats_of_both_sides_equal_the_reference(tmp_path: Path, case: dict[str, Any]) -> None:
    for side, tree in (("train", case["tree"]), ("reg", case["reg"])):
        for folder, (count, size) in tree.items():
            first = 0 if side == "train" else 500
            for index in range(count):
                write_picture(tmp_path / side / folder / f"i{first + index:03d}.png", tuple(size))
    scan = _scan(tmp_path)
    assert scan.problems == []
    found = {
        "/".join(picture.path.parts[-3:]): [picture.repeats, picture.is_reg] for picture in scan.pictures
    }
    (dataset,) = case["train"]["datasets"]
    assert found == {name.split("/", 1)[1]: row for name, row in dataset["repeats"].items()}


def test_words_are_the_caption_of_pictures_without_one(tmp_path: Path) -> None:
    write_picture(tmp_path / "train/3_shs dog/a.png", (64, 64), caption="a dog at the sea")
    write_picture(tmp_path / "train/3_shs dog/b.png", (64, 64))
    write_picture(tmp_path / "train/1_cat/a.png", (64, 64))
    (tmp_path / "train/notes").mkdir()
    scan = _scan(tmp_path, reg=False)
    rows = [(scan.name(picture), picture.caption, picture.repeats) for picture in scan.pictures]
    assert rows == [
        ("1_cat/a.png", "cat", 1),
        ("3_shs dog/a.png", "a dog at the sea", 3),
        ("3_shs dog/b.png", "shs dog", 3),
    ]
    assert "folders without a number in front are not read: notes" in scan.notes


def test_a_wrong_parent_is_refused_with_what_it_should_hold(tmp_path: Path) -> None:
    write_picture(tmp_path / "train/dogs/a.png", (64, 64))
    (problem,) = _scan(tmp_path, reg=False).problems
    assert "none of its folders (1) is named <repeats>_<words>" in problem
    (problem,) = scan_dataset(_config(tmp_path / "nowhere"), tmp_path / "nowhere").problems
    assert "there is no such folder" in problem


def test_a_numbered_folder_given_in_place_of_its_parent_is_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "10_dog/a.png", (64, 64))
    (problem,) = scan_dataset(_config(tmp_path / "10_dog"), tmp_path / "10_dog").problems
    assert problem.endswith(f"a folder <repeats>_<words> itself. Give its parent: {tmp_path}.")


def test_hidden_folders_are_passed_over_and_loose_pictures_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "train/1_dog/a.png", (64, 64))
    write_picture(tmp_path / "train/loose.png", (64, 64))
    (tmp_path / "train/.thumbs").mkdir()
    scan = _scan(tmp_path, reg=False)
    assert scan.notes[0] == "pictures beside the folders are not read: 1"
    assert not any("thumbs" in note for note in scan.notes)


def test_a_number_alone_names_no_caption(tmp_path: Path) -> None:
    write_picture(tmp_path / "train/5/a.png", (64, 64))
    (problem,) = _scan(tmp_path, reg=False).problems
    assert "without a caption" in problem


def test_unused_regularisation_pictures_are_told_and_all_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    write_picture(tmp_path / "train/1_shs dog/a.png", (64, 64))
    for index in range(3):
        write_picture(tmp_path / f"reg/1_dog/{index}.png", (64, 64))
    scan = _scan(tmp_path)
    assert [picture.is_reg for picture in scan.pictures] == [False, True]
    assert "2 regularisation pictures are not used: there are enough without them" in scan.notes
    before = fingerprint_of(scan)
    write_picture(tmp_path / "reg/1_dog/0.png", (64, 72))
    assert fingerprint_of(_scan(tmp_path)) != before


def _config(parent: Path, reg: Path | None = None) -> DatasetConfig:
    return DatasetConfig(layout=Layout.kohya, path=str(parent), reg_path=None if reg is None else str(reg))


def _scan(folder: Path, *, reg: bool = True):  # type: ignore[no-untyped-def]
    return scan_dataset(_config(folder / "train", folder / "reg" if reg else None), folder / "train")
