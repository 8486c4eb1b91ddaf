"""Fine-tuning metadata: what the reference's tools write, and each way in which a file can be wrong."""
# ruff: noqa: E501
# ruff: noqa: E501

import json
from pathlib import Path
from typing import Any

import pytest
from picture_files import write_picture

from engine.config import DatasetConfig, Layout
from engine.data.layouts import scan_dataset
from engine.data.metadata import entry_caption
from engine.data.scan import Scan

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden/j_finetune.json").read_text(encoding="utf-8")
)
WRITTEN = [step for step in GOLDEN["steps"] if step["output"] is not None]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in GOLDEN["input_tree"]:
        write_picture(tmp_path / "img" / name, (32, 24))
    return tmp_path / "img"


def scan(photos: Path, entries: object, **options: Any) -> Scan:
    file = photos.parent / "meta.json"
    text = entries if isinstance(entries, str) else json.dumps(entries, ensure_ascii=False)
    file.write_text(text, encoding="utf-8")
    config = DatasetConfig(path=str(photos), metadata_file=str(file), **options)
    return scan_dataset(config, photos)


def captions(found: Scan) -> dict[str, str]:
    return {found.name(picture): picture.caption for picture in found.pictures}


@pytest.mark.parametrize("step", WRITTEN, ids=lambda step: step["step"])
def test_what_the_references_tools_write_is_read_as_there(photos: Path, step: dict[str, Any]) -> None:
    entries = {key.replace("$B", str(photos.parent)): entry for key, entry in step["output"].items()}
    found = scan(photos, entries)
    assert found.problems == []
    assert len(found.pictures) == len(entries)
    first = captions(found)["a.png"]
    caption, tags = entries.get("a", entries.get(str(photos / "a.png"))), None
    assert caption is not None
    tags = caption.get("tags")
    assert first == caption["caption"] + (f", {tags}" if tags else "")
    assert captions(found)["c.webp"].startswith(("an anime character", "an girl with girl", "1boy"))
    assert "\n" not in captions(found)["c.webp"]


def test_a_caption_has_its_tags_behind_it() -> None:
    both = {"caption": "a cat", "tags": "black, sitting"}
    assert entry_caption(both, separator=",", all_lines=False) == "a cat, black, sitting"
    assert entry_caption({"tags": "black"}, separator=",", all_lines=False) == "black"
    assert entry_caption({"caption": "a cat", "tags": ""}, separator=",", all_lines=False) == "a cat"
    assert entry_caption({"caption": "", "tags": "black"}, separator=",", all_lines=False) == "black"
    assert entry_caption({"train_resolution": [1, 2]}, separator=",", all_lines=False) is None


def test_tags_follow_the_first_line_and_with_wildcards_every_line() -> None:
    entry = {"caption": "one\n\n two ", "tags": "a; b"}
    assert entry_caption(entry, separator=";", all_lines=False) == "one; a; b"
    assert entry_caption(entry, separator=";", all_lines=True) == "one; a; b\ntwo; a; b"


def test_names_have_their_ending_or_none_and_may_lie_deeper(photos: Path) -> None:
    found = scan(photos, {"a": {"caption": "1"}, "b.jpg": {"caption": "2"}, "sub/d": {"caption": "3"}})
    assert captions(found) == {"a.png": "1", "b.jpg": "2", "sub/d.png": "3"}
    assert "pictures of the folder that the metadata does not name: 1" in found.notes


def test_sizes_of_the_file_and_unknown_keys_are_told_of(photos: Path) -> None:
    entry = {"caption": "x", "train_resolution": [512, 384], "rating": "safe"}
    found = scan(photos, {"a": entry})
    assert (found.pictures[0].width, found.pictures[0].height) == (32, 24)
    assert "the metadata also holds what is not used: rating" in found.notes
    assert "sizes that the metadata holds are not taken: the pictures' own are" in found.notes


def test_full_paths_need_no_folder(photos: Path, tmp_path: Path) -> None:
    meta = tmp_path / "m.json"
    meta.write_text(json.dumps({str(photos / "sub/d.png"): {"tags": "1girl"}}))
    file = tmp_path / "photos.yaml"
    file.write_text(f"datasets:\n- subsets:\n  - metadata_file: {meta}\n    num_repeats: 3\n")
    found = scan_dataset(DatasetConfig(layout=Layout.subsets, config_file=str(file)), file)
    assert found.problems == []
    (picture,) = found.pictures
    assert (picture.path, picture.caption, picture.repeats) == (photos / "sub/d.png", "1girl", 3)


PROBLEMS: dict[str, tuple[object, str]] = {
    "not JSON": ("{", "meta.json: not JSON ("),
    "a list": ([1], 'meta.json: no entries. Write {"a.png": {"caption": "..."}, ...}.'),
    "nothing in it": ({}, "meta.json: no entries."),
    "an entry that is a text": ({"a": "a cat"}, 'entries that are no {"caption": "...", "tags": "..."}: a.'),
    "tags in a list": ({"a": {"tags": ["x"]}}, 'entries that are no {"caption": "...", "tags": "..."}: a.'),
    "no such picture": ({"a": {"caption": "x"}, "z": {"caption": "x"}}, "1 of 2 entries without a picture: z. Correct dataset.path or the file."),
    "out of the folder": ({"../secret": {"caption": "x"}}, "1 of 1 entries that lead out of"),
    "a full path elsewhere": ({"/etc/passwd": {"caption": "x"}}, "1 of 1 entries that lead out of"),
    "neither caption nor tags": ({"a": {}}, "1 of 1 entries with neither caption nor tags: a. Write one."),
    "one picture twice": ({"a": {"caption": "x"}, "a.png": {"caption": "y"}}, "1 of 2 entries that name a picture that another entry names: a.png. Keep one."),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_is_wrong_with_a_file_is_said(photos: Path, case: str) -> None:
    entries, sentence = PROBLEMS[case]
    problems = scan(photos, entries).problems
    assert len(problems) == 1 and sentence in problems[0], problems
    assert problems[0].startswith(f"dataset.path={photos}: dataset.metadata_file=")


def test_a_name_that_fits_two_pictures_is_refused(photos: Path) -> None:
    write_picture(photos / "a.jpg", (32, 24))
    (problem,) = scan(photos, {"a": {"caption": "x"}}).problems
    assert (
        "1 of 1 entries that fit several pictures: a (a.jpg and a.png). Write the name with its ending."
        in problem
    )
    assert scan(photos, {"a.png": {"caption": "x"}, "a.jpg": {"caption": "y"}}).problems == []


def test_a_file_that_is_not_there_or_no_text_is_a_sentence(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "latin.json").write_bytes('{"a": {"caption": "é"}}'.encode("latin-1"))
    for name, sentence in {
        "none.json": "no such file. Check the path.",
        "folder.json": "this is a folder. Give the file.",
        "latin.json": "not UTF-8. Save it in that encoding.",
    }.items():
        config = DatasetConfig(path=str(photos), metadata_file=str(tmp_path / name))
        (problem,) = scan_dataset(config, photos).problems
        assert problem.endswith(sentence)


def test_a_picture_that_cannot_be_read_is_named(photos: Path) -> None:
    (photos / "a.png").write_bytes(b"text")
    (problem,) = scan(photos, {"a": {"caption": "x"}}).problems
    assert "1 of 1 picture cannot be read: a.png (not a picture)" in problem
