"""Faults of pictures by name, and pictures that look like one and are none."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from score_toys import save_picture

from demo.folder import CONCEPTS, prepare_demo
from evaluation.encoders.pixel_facts import find_pixel_fault, read_facts

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, size=(32, 32, 3)).astype(np.uint8)


def filled(*colour: int) -> NDArray[np.uint8]:
    return np.full((32, 32, 3), colour, dtype=np.uint8)


def with_square(pixels: NDArray[np.uint8], *colour: int, side: int = 8) -> NDArray[np.uint8]:
    changed = pixels.copy()
    changed[:side, :side] = colour
    return changed


@pytest.mark.parametrize(
    ("pixels", "fault"),
    [
        (filled(0, 0, 0), "black"),
        (filled(8, 0, 3), "black"),
        (NOISE // 32, "black"),
        (filled(255, 255, 255), "white"),
        (filled(247, 250, 255), "white"),
        (filled(120, 30, 200), "flat"),
        (filled(9, 9, 9), "flat"),
        (120 + NOISE // 64, "flat"),
        (np.where(NOISE > 127, 255, 0).astype(np.uint8), "saturated"),
        (with_square(filled(255, 0, 0), 0, 0, 255), "saturated"),
    ],
    ids=[
        *("black", "nearly black", "dark grain", "white", "nearly white"),
        *("colour", "dark grey", "faint grain", "burnt out", "pure colours"),
    ],
)
def test_a_fault_has_a_name(pixels: NDArray[np.uint8], fault: str) -> None:
    assert find_pixel_fault(pixels) == fault


@pytest.mark.parametrize(
    "pixels",
    [
        NOISE,
        NOISE // 10,  # a night scene
        255 - NOISE // 10,  # a bright one
        with_square(filled(0, 0, 0), 200, 180, 40),  # a lamp in the dark
        with_square(filled(255, 255, 255), 60, 60, 60),  # a drawing on white paper
        with_square(filled(200, 30, 30), 30, 30, 200),  # a poster of two colours
        np.repeat(NOISE.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2),  # grey
    ],
    ids=["noise", "night", "bright", "lamp", "paper", "poster", "grey"],
)
def test_an_unusual_picture_is_not_a_faulty_one(pixels: NDArray[np.uint8]) -> None:
    assert find_pixel_fault(pixels) is None


def test_a_healthy_file_has_no_fault_and_a_black_one_has(tmp_path: Path) -> None:
    assert read_facts(save_picture(tmp_path / "good.png", 7)).fault is None
    Image.fromarray(filled(0, 0, 0)).save(tmp_path / "black.png")
    assert read_facts(tmp_path / "black.png").fault == "black"


def test_a_transparent_picture_is_looked_at_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "empty.png")
    assert read_facts(tmp_path / "empty.png").fault == "white"


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "folder"])
def test_a_file_that_is_no_picture_is_unreadable(tmp_path: Path, damage: str) -> None:
    path = save_picture(tmp_path / "picture.png", 7)
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes({"text": b"no picture", "empty": b"", "cut": content[: len(content) // 2]}[damage])
    assert read_facts(path).fault == "unreadable"


@pytest.mark.parametrize("concept", CONCEPTS)
def test_no_true_picture_of_the_demo_is_called_faulty(tmp_path: Path, concept: str) -> None:
    references = sorted(prepare_demo(concept, tmp_path).references.glob("*.png"))
    assert len(references) >= 64
    assert [path.name for path in references if read_facts(path).fault is not None] == []
