"""Photographs for the benchmarks: crops of scikit-image's bundled pictures, at a camera's proportions."""

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SOURCES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "retina.jpg",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "ihc.png",
)
SIZES = ((900, 700), (700, 900), (800, 800), (1024, 683))
PNG_OF = 8  # one file in so many is a PNG, the others are JPEG of quality 90


@contextlib.contextmanager
def photographs(folder: Path, count: int) -> Iterator[Path]:
    """A folder of so many photographs with a caption each, removed at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        originals = [_original(name) for name in SOURCES]
        for number in range(count):
            path = folder / f"{number:04}{'.png' if number % PNG_OF == PNG_OF - 1 else '.jpg'}"
            _crop(originals[number % len(SOURCES)], number).save(path, quality=90)
            path.with_suffix(".txt").write_text(f"a photo of thing {number}\n")
        yield folder
    finally:
        shutil.rmtree(folder)


def _crop(image: Image.Image, number: int) -> Image.Image:
    """Half to all of the picture's height or width, at one of the sizes."""
    chance = np.random.default_rng(number)
    width, height = SIZES[number // len(SOURCES) % len(SIZES)]
    scale = min(image.width / width, image.height / height) * chance.uniform(0.5, 1)
    left = chance.uniform(0, image.width - width * scale)
    top = chance.uniform(0, image.height - height * scale)
    box = (left, top, left + width * scale, top + height * scale)
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _original(name: str) -> Image.Image:
    spec = importlib.util.find_spec("skimage")  # not imported: its own reading may go to the network
    assert spec is not None and spec.submodule_search_locations is not None, "scikit-image is not installed"
    with Image.open(Path(spec.submodule_search_locations[0]) / "data" / name) as image:
        return image.convert("RGB")
