"""Cuts around a face: by hand, and over drawn sizes."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.face_crop import Face, cut_around_face, face_of

SQUARE = (256, 256)
SQUARE = (256, 256)
FACE = Face(x=300, y=200, width=100, height=80)


@pytest.mark.parametrize(
    ("name", "face"),
    [
        ("anna_300_200_100_80.png", FACE),
        ("anna_at_sea_300_200_100_80.jpg", FACE),
        ("anna.png", None),
        ("300_200_100_80.png", None),  # no name in front
        ("anna_300_200_100.png", None),
        ("anna_300_200_0_80.png", None),
        ("anna_x_200_100_80.png", None),
        ("anna_٣_200_100_80.png", None),
    ],
)
def test_the_name_of_a_file_tells_where_the_face_is(name: str, face: Face | None) -> None:
    assert face_of(Path(name)) == face


def cut(
    sides: tuple[float, float], *, size: tuple[int, int] = (800, 600), random_crop: bool = False
) -> object:
    found = cut_around_face(size, FACE, (256, 256), sides=sides, random_crop=False, draws=random.Random(1))
    return found.resized, found.crop


def test_the_size_of_the_face_in_the_cut_is_what_was_asked_for() -> None:
    # The cut is 256 wide and shall show two faces of 100: the picture is brought to 1.28, but never enlarged.
    assert cut((2.0, 2.0)) == ((800, 600), (172, 72, 428, 328))
    # Four faces: 256 / 400 = .64. The face's middle lies at (192, 128), which is the middle of the cut.
    assert cut((4.0, 4.0)) == ((512, 384), (64, 0, 320, 256))
    # Never so small that the bucket is not covered: 256 / 600.
    assert cut((50.0, 50.0)) == ((341, 256), (0, 0, 256, 256))


def test_a_picture_smaller_than_its_bucket_is_enlarged_to_cover_it() -> None:
    assert cut((2.0, 2.0), size=(128, 200)) == ((256, 400), (0, 144, 256, 400))


def test_a_range_is_drawn_from_and_random_crops_lie_elsewhere() -> None:
    draws = random.Random(3)
    cuts = {
        cut_around_face(
            (800, 600), FACE, (256, 256), sides=(2.6, 5.0), random_crop=False, draws=draws
        ).resized
        for _ in range(50)
    }
    widths = sorted(width for width, _ in cuts)
    assert len(cuts) > 20 and widths[0] >= 800 * 256 / 500 - 1 and widths[-1] <= 800 * 256 / 260 + 1
    corners = {
        cut_around_face((800, 600), FACE, (256, 256), sides=(4, 4), random_crop=True, draws=draws).crop[:2]
        for _ in range(50)
    }
    assert len(corners) > 20


@settings(derandomize=True, database=None, max_examples=300, deadline=None)
@given(
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    bucket=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    face=st.builds(
        Face,
        x=st.integers(0, 5000),
        y=st.integers(0, 5000),
        width=st.integers(1, 5000),
        height=st.integers(1, 5000),
    ),
    sides=st.tuples(st.floats(0.1, 10), st.floats(1, 10)).map(lambda pair: (pair[0], pair[0] * pair[1])),
    random_crop=st.booleans(),
    seed=st.integers(0, 9),
)
def test_every_cut_has_the_buckets_size_and_lies_inside(
    size: tuple[int, int],
    bucket: tuple[int, int],
    face: Face,
    sides: tuple[float, float],
    random_crop: bool,
    seed: int,
) -> None:
    wanted = (bucket[0] * 64, bucket[1] * 64)
    found = cut_around_face(
        size, face, wanted, sides=sides, random_crop=random_crop, draws=random.Random(seed)
    )
    left, top, right, bottom = found.crop
    assert (right - left, bottom - top) == wanted
    assert left >= 0 and right <= found.resized[0] and top >= 0 and bottom <= found.resized[1]
    covering = max(wanted[0] / size[0], wanted[1] / size[1])
    for side, new, least in zip(size, found.resized, wanted, strict=True):
        assert least <= new <= max(side, side * covering + 1, least)
