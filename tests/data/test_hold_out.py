"""Pictures that are held out: how many, which, and never one that is also trained on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fingerprint_of import fingerprint_of
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import write_picture

from engine.config import DatasetConfig, Layout
from engine.data.layouts import scan_dataset
from engine.data.scan import Scan

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden/h_dataset.json").read_text())
SPLITS = [case for case in GOLDEN["steps"] if "--validation_split" in case["argv"]]


def scan(folder: Path, share: float, seed: int = 0, **options: Any) -> Scan:
    config = DatasetConfig(
        path=str(folder), class_tokens="dog", validation_split=share, validation_seed=seed, **options
    )
    return scan_dataset(config, folder)


def held_out(found: Scan) -> list[str]:
    return [picture.path.name for picture in found.pictures if picture.held_out]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(10):
        write_picture(tmp_path / f"photos/{index}.png", (8, 8))
    return tmp_path / "photos"


@pytest.mark.parametrize("case", SPLITS, ids=lambda case: case["name"])
def test_as_many_are_held_out_as_the_reference_validates_with(tmp_path: Path, case: dict[str, Any]) -> None:
    share = float(case["argv"][1])
    ((_, (count, _)),) = case["tree"].items()
    for index in range(count):
        write_picture(tmp_path / f"{index}.png", (8, 8))
    expected = min(case["val"]["num_train_images"], count - 1)  # one is left to train on
    found = scan(tmp_path, share)
    if expected:
        assert found.problems == [] and len(held_out(found)) == expected
        learnt = [picture for picture in found.pictures if not picture.held_out]
        assert len(learnt) == count - expected  # there two of these splits share a picture
    else:
        words = "1 picture cannot be split." if count == 1 else "is none. Give a larger share, or 0."
        assert words in found.problems[0]


def test_a_held_out_picture_is_never_repeated_and_the_others_are(photos: Path) -> None:
    found = scan(photos, 0.3, num_repeats=4)
    assert {picture.repeats for picture in found.pictures if picture.held_out} == {0}
    assert {picture.repeats for picture in found.pictures if not picture.held_out} == {4}


def test_the_seed_and_nothing_else_says_which(photos: Path) -> None:
    first = held_out(scan(photos, 0.3))
    assert first == held_out(scan(photos, 0.3, batch_size=4, resolution=256))
    assert len({tuple(held_out(scan(photos, 0.3, seed=seed))) for seed in range(6)}) > 3
    shutil.move(photos / first[0], photos / "renamed.png")
    assert set(held_out(scan(photos, 0.3))) == {*first[1:], "renamed.png"}


def test_the_split_is_part_of_the_fingerprint(photos: Path) -> None:
    prints = {fingerprint_of(scan(photos, share)) for share in (0.0, 0.2, 0.3)}
    assert len(prints) == 3


def test_equal_pictures_under_two_names_stay_on_one_side(photos: Path) -> None:
    for index in range(9):
        shutil.copy(photos / f"{index}.png", photos / f"{index}_again.png")
    for seed in range(5):
        found = scan(photos, 0.3, seed=seed)
        held = {name.split(".")[0].removesuffix("_again") for name in held_out(found)}
        learnt = {
            picture.path.stem.removesuffix("_again") for picture in found.pictures if not picture.held_out
        }
        assert held and not held & learnt
        assert len(held_out(found)) <= round(19 * 0.3)


def test_what_one_subset_holds_out_no_other_trains_on(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "copies")
    file = tmp_path / "photos.yaml"
    file.write_text(
        f"datasets:\n- subsets:\n  - image_dir: {photos}\n    class_tokens: dog\n    validation_split: 0.3\n"
        f"  - image_dir: {tmp_path / 'copies'}\n    class_tokens: dog\n"
    )
    found = scan_dataset(DatasetConfig(layout=Layout.subsets, config_file=str(file)), file)
    assert found.problems == []
    held = {picture.path.read_bytes() for picture in found.pictures if picture.held_out}
    learnt = {picture.path.read_bytes() for picture in found.pictures if not picture.held_out}
    assert len(held) == 3 and not held & learnt
    assert "3 pictures not trained on: held out by another subset" in found.notes


@settings(derandomize=True, database=None, max_examples=60, deadline=None)
@given(
    copies=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_no_content_is_on_both_sides_whatever_the_split(
    tmp_path_factory: pytest.TempPathFactory, copies: list[int], share: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    for content, count in enumerate(copies):
        source = write_picture(folder / f"{content}_0.png", (4, 4))
        for copy in range(1, count):
            shutil.copy(source, folder / f"{content}_{copy}.png")
    found = scan(folder, share, seed)
    total, held = sum(copies), set(held_out(found))
    assert len(held) <= min(round(total * share), total - 1)
    names = [
        {picture.path.name.split("_")[0] for picture in found.pictures if (picture.path.name in held) is side}
        for side in (True, False)
    ]
    assert not names[0] & names[1]
    assert bool(held) != bool(found.problems)


def test_subsets_that_hold_out_each_others_pictures_leave_nothing_and_say_so(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for index in range(2):
            write_picture(tmp_path / f"{folder}/{index}.png", (8, 8))
    file = tmp_path / "photos.yaml"
    outcomes = set()
    for seed in range(12):
        rows = [
            f"{{image_dir: {tmp_path / folder}, class_tokens: dog, "
            f"validation_split: 0.5, validation_seed: {own}}}"
            for folder, own in (("one", 0), ("two", seed))
        ]
        file.write_text(f"datasets:\n- subsets: [{', '.join(rows)}]\n")
        found = scan_dataset(DatasetConfig(layout=Layout.subsets, config_file=str(file)), file)
        assert any(picture.repeats for picture in found.pictures) != bool(found.problems)
        outcomes |= {problem.split(": ", 1)[1] for problem in found.problems} or {"fine"}
    assert outcomes == {
        "fine",
        "with these validation_split nothing is left to train on: what one subset holds out, "
        "the others leave out. Lower them, or give all the same validation_seed.",
    }
