"""Every kind of interpolation: by hand, pixel by pixel as the reference, and on pictures of every shape."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import noise_picture

from engine.config import Interpolation
from engine.data.interpolation import Pixels
from engine.data.resize import INTERPOLATIONS, resize_pixels

PROJECT = Path(__file__).parents[2]
REFERENCE: dict[str, Any] = json.loads((PROJECT / "tests/golden/a_resize_pixels.json").read_text())
CASES = [name for name in REFERENCE if name != "src"]
ROW = [10, 40, 100, 220, 0, 255]
# cv2.resize of OpenCV 4.10.0: six rows of ROW, and below these five rows of six pixels
ROWS_OF_OPENCV = {
    ("nearest", 4): [10, 100, 220, 255],
    ("nearest", 9): [10, 40, 40, 100, 220, 220, 0, 255, 255],
    ("linear", 4): [18, 85, 165, 191],
    ("linear", 9): [10, 25, 50, 90, 160, 183, 37, 128, 255],
    ("cubic", 4): [15, 75, 174, 189],
    ("cubic", 9): [7, 19, 49, 81, 186, 194, 12, 107, 255],
    ("area", 4): [20, 80, 147, 170],
    ("area", 9): [10, 25, 40, 100, 160, 220, 0, 128, 255],
}
SMALL = [
    [168, 229, 184, 171, 238, 171],
    [20, 206, 245, 153, 204, 5],
    [37, 53, 213, 206, 192, 173],
    [6, 120, 63, 96, 236, 131],
    [118, 4, 87, 161, 124, 71],
]
WIDER_AND_FLATTER = {  # 8 x 3
    "nearest": [
        [168, 229, 229, 184, 171, 238, 238, 171],
        [37, 53, 53, 213, 206, 192, 192, 173],
        [118, 4, 4, 87, 161, 124, 124, 71],
    ],
    "linear": [
        [118, 183, 215, 199, 170, 203, 185, 115],
        [37, 47, 113, 212, 207, 197, 185, 173],
        [81, 57, 56, 86, 132, 153, 135, 91],
    ],
    "cubic": [
        [113, 193, 236, 198, 162, 215, 192, 101],
        [36, 30, 113, 224, 209, 199, 184, 172],
        [84, 55, 46, 79, 126, 164, 138, 82],
    ],
    "area": [
        [109, 183, 216, 208, 164, 204, 184, 104],
        [34, 67, 129, 219, 195, 195, 176, 139],
        [73, 58, 59, 77, 135, 157, 144, 95],
    ],
}


def picture(row: list[int]) -> Pixels:
    """Rows that are all alike, so that only the width is interpolated: uint8 [len(row), len(row)]."""
    return np.tile(np.array(row, np.uint8), (len(row), 1))


def test_doubling_a_row_by_hand() -> None:
    # New centres lie a quarter before and behind each old one: 3/4 of it and 1/4 of its neighbour.
    pixels = picture([0, 100])
    assert resize_pixels(pixels, (4, 2), "linear")[0].tolist() == [0, 25, 75, 100]
    assert resize_pixels(pixels, (4, 2), "nearest")[0].tolist() == [0, 0, 100, 100]
    assert resize_pixels(pixels, (4, 2), "box")[0].tolist() == [0, 0, 100, 100]
    assert resize_pixels(pixels, (4, 2), "area")[0].tolist() == [0, 0, 100, 100]
    # Cubic with a = -0.75: a centre a quarter behind an old one takes -27, 225, 67, -9 of 256 of four pixels.
    # Of a step from 100 to 200 the six centres around it have -9, -27, 67 - 9, 225 - 27, 256 + 27, 256 + 9.
    step = resize_pixels(picture([100, 100, 100, 200, 200, 200]), (12, 6), "cubic")[0]
    assert step[3:9].tolist() == [96, 89, 123, 177, 211, 204]


def test_halving_keeps_the_mean_of_four_pixels() -> None:
    pixels = np.array([[1, 2], [1, 2]], np.uint8)
    assert resize_pixels(pixels, (1, 1), "linear").tolist() == [[2]]  # 1.5, and halves go up
    assert resize_pixels(pixels, (1, 1), "area").tolist() == [[2]]


@pytest.mark.parametrize("case", CASES)
def test_the_reference_s_own_picture_is_equal_in_every_pixel(case: str) -> None:
    golden = REFERENCE[case]
    ours = resize_pixels(
        np.array(REFERENCE["src"], np.uint8), tuple(golden["to_wh"]), golden["interpolation"]
    )
    assert np.array_equal(ours, np.array(golden["out"]))


def test_the_reference_shows_all_kinds_that_differ() -> None:
    assert len(CASES) == 8
    assert {REFERENCE[case]["interpolation"] for case in CASES} == {
        None,
        "bicubic",
        "bilinear",
        "box",
        "lanczos",
        "nearest",
    }


@pytest.mark.parametrize(("name", "width"), ROWS_OF_OPENCV)
def test_a_row_that_grows_or_shrinks_is_as_opencv_has_it(name: str, width: int) -> None:
    ours = resize_pixels(picture(ROW), (width, 6), name)
    assert ours.tolist() == [ROWS_OF_OPENCV[name, width]] * 6


@pytest.mark.parametrize("name", WIDER_AND_FLATTER)
def test_a_picture_that_grows_one_way_and_shrinks_the_other_is_as_opencv_has_it(name: str) -> None:
    assert resize_pixels(np.array(SMALL, np.uint8), (8, 3), name).tolist() == WIDER_AND_FLATTER[name]


@pytest.mark.parametrize(("one", "other"), [("bicubic", "cubic"), ("bilinear", "linear")])
def test_two_names_mean_one_kind(one: str, other: str) -> None:
    pixels = np.asarray(noise_picture(9, 7))
    assert np.array_equal(resize_pixels(pixels, (13, 5), one), resize_pixels(pixels, (13, 5), other))


def test_without_a_name_it_is_area_where_no_side_grows_and_lanczos_else() -> None:
    pixels = np.asarray(noise_picture(10, 8))
    for size, name in (((7, 8), "area"), ((5, 4), "area"), ((11, 8), "lanczos"), ((11, 4), "lanczos")):
        assert np.array_equal(resize_pixels(pixels, size), resize_pixels(pixels, size, name))


@pytest.mark.parametrize("name", [None, *INTERPOLATIONS])
def test_every_kind_keeps_a_flat_picture_and_its_own_size(name: str | None) -> None:
    flat = np.full((6, 9, 3), (3, 128, 255), np.uint8)
    noise = np.asarray(noise_picture(9, 6))
    for size in ((9, 6), (1, 1), (4, 5), (18, 12), (31, 2), (2, 31), (9, 3)):
        assert np.array_equal(resize_pixels(flat, size, name), np.tile(flat[0, 0], (size[1], size[0], 1)))
        resized = resize_pixels(noise, size, name)
        assert resized.shape == (size[1], size[0], 3)
        assert resized.dtype == np.uint8
    assert np.array_equal(resize_pixels(noise, (9, 6), name), noise)


@pytest.mark.parametrize("name", [None, *INTERPOLATIONS])
@pytest.mark.parametrize("size", [(4, 3), (5, 4), (20, 14), (3, 11), (7, 7)])
def test_a_mask_is_resized_as_each_channel_of_a_picture_is(name: str | None, size: tuple[int, int]) -> None:
    pixels = np.asarray(noise_picture(12, 9))
    resized = resize_pixels(pixels, size, name)
    for channel in range(3):
        mask = resize_pixels(np.ascontiguousarray(pixels[..., channel]), size, name)
        assert mask.shape == (size[1], size[0])
        assert np.array_equal(mask, resized[..., channel])


@pytest.mark.parametrize("name", ["nearest", "linear", "cubic", "area", "box", "lanczos"])
def test_turning_the_picture_over_turns_the_result_over(name: str) -> None:
    pixels = np.asarray(noise_picture(11, 150))  # more rows than one block has
    size = (17, 140)
    turned = resize_pixels(np.ascontiguousarray(pixels.swapaxes(0, 1)), size[::-1], name).swapaxes(0, 1)
    apart = np.abs(resize_pixels(pixels, size, name).astype(int) - turned)
    assert apart.max() <= 1  # each kind rounds after one of its two passes


def test_resizing_imports_no_torch() -> None:
    code = "import sys, engine.data.resize; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


def test_every_kind_that_can_be_asked_for_is_there() -> None:
    assert set(INTERPOLATIONS) == {kind.name for kind in Interpolation}
