"""The drawn world: shapes by hand-computed distances, pictures by hash, captions by what they tell."""

import hashlib

import numpy as np
import pytest

from demo.creature import SKS, sample_look
from demo.palette import COLOURS, background_colours, has_contrast
from demo.shapes import SHAPES, box, coverage, grid, polygon, segment
from demo.words import caption
from demo.world import PLACES, SIZES, Background, Scene, Thing, draw_scene, sample_scene

STAR = Scene((Thing("star", "red", "small", "top left"),), Background("blue", "dark", "striped"))
PAIR = Scene(
    (Thing("ring", "orange", "", "top right"), Thing("cross", "white", "small", "bottom left")),
    Background("green", "", "dotted"),
)
MONSTER = Scene(
    (Thing("creature", "teal", "big", "middle", look=SKS, name="sks creature"),),
    Background("gray", "light", ""),
)
GOLDEN = {
    "star": (STAR, "316a084aeec78c17"),
    "pair": (PAIR, "b56a31fc166a5f89"),
    "creature": (MONSTER, "20a0163e2725e84f"),
}


def test_box_distance_is_zero_on_the_side_negative_inside_and_exact_at_the_corner() -> None:
    x = np.array([[3.0, 0.0, 6.0]], dtype=np.float32)
    y = np.array([[0.0, 0.0, 6.0]], dtype=np.float32)
    np.testing.assert_allclose(box(x, y, width=3.0, height=2.0), [[0.0, -2.0, 5.0]], atol=1e-6)


def test_segment_distance_has_round_ends() -> None:
    x, y = np.array([[3.0, 7.0]], dtype=np.float32), np.array([[2.0, 4.0]], dtype=np.float32)
    distance = segment(x, y, start=(0.0, 0.0), end=(4.0, 0.0), half=1.0)
    np.testing.assert_allclose(distance, [[1.0, 4.0]], atol=1e-6)  # above the middle; 3-4-5 from the end


def test_polygon_of_a_square_equals_the_box() -> None:
    x, y = (field - np.float32(8) for field in grid(16))
    corners = [(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]
    np.testing.assert_allclose(polygon(x, y, corners), box(x, y, width=4.0, height=4.0), atol=1e-5)


def test_coverage_is_half_on_the_edge_and_a_pixel_wide() -> None:
    distances = np.array([-1.0, -0.5, 0.0, 0.25, 0.5, 2.0], dtype=np.float32)
    np.testing.assert_allclose(coverage(distances), [1.0, 1.0, 0.5, 0.25, 0.0, 0.0])


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_covers_a_visible_part_of_its_box_and_stays_within_it(name: str) -> None:
    x, y = (field - np.float32(32) for field in grid(64))
    mask = coverage(SHAPES[name](x, y, 17.0))
    rows, columns = np.nonzero(mask > 0.5)
    assert 0.3 < mask.sum() / 34.0**2 < 0.85
    assert max(abs(rows - 31.5).max(), abs(columns - 31.5).max()) < 20.0


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_scene_is_drawn_to_the_same_pixels_every_time(name: str) -> None:
    scene, digest = GOLDEN[name]
    picture = draw_scene(scene, np.random.default_rng(7))
    assert hashlib.sha256(picture.tobytes()).hexdigest()[:16] == digest


def test_the_object_is_where_and_as_the_scene_says() -> None:
    picture = draw_scene(STAR, np.random.default_rng(0))
    red = np.abs(picture / 255 - np.array(COLOURS["red"])).max(axis=2) < 0.01
    rows, columns = np.nonzero(red)
    assert abs(rows.mean() - 16) < 2.5 and abs(columns.mean() - 16) < 2.5  # small: 16 pixels from the borders
    ground, stripe = background_colours("blue", "dark")
    assert np.abs(picture[40:, 40:] / 255 - ground).max(axis=2).min() < 0.01
    assert np.abs(picture[40:, 40:] / 255 - stripe).max(axis=2).min() < 0.01


def test_the_caption_tells_size_colour_shape_place_and_background() -> None:
    assert caption(STAR) == "a small red star at the top left, dark blue striped background"
    told = (
        "an orange ring at the top right and a small white cross at the bottom left, green dotted background"
    )
    assert caption(PAIR) == told
    assert caption(MONSTER) == "a big sks creature in the middle, light gray background"


def test_two_scenes_that_differ_have_different_captions() -> None:
    scenes = {sample_scene(np.random.default_rng(index), creatures=0.0) for index in range(400)}
    assert len({caption(scene) for scene in scenes}) == len(scenes)


def test_sampled_objects_stand_out_and_never_share_a_place() -> None:
    for index in range(400):
        scene = sample_scene(np.random.default_rng([1, index]), pairs=0.5)
        ground = scene.background
        assert all(has_contrast(t.colour, background=ground.colour, tone=ground.tone) for t in scene.things)
        assert len({thing.place for thing in scene.things}) == len(scene.things)
        assert all(thing.place in PLACES and thing.size in SIZES for thing in scene.things)


def test_ordinary_creatures_never_wear_the_marks_of_the_taught_one() -> None:
    looks = [sample_look(np.random.default_rng(index), body="teal") for index in range(200)]
    assert not any(look.ears == "antennae" or look.eyes == "big" or look.belly for look in looks)
    assert not any(look.accent == look.body for look in looks)
