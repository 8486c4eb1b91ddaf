"""Real photographs in every kind of file: their sizes, captions and pixels by way of a folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_photographs import PHOTOGRAPHS, Photograph, original, write_photographs

from engine.config import DatasetConfig
from engine.data.buckets import BucketChoice, buckets_of, choose_bucket
from engine.data.headers import readable_endings
from engine.data.images import load_pixels
from engine.data.scan import Picture, Scan, scan_folder

# Mean distance of a value, in levels of 256, that each lossy file may have; 0 for the others.
LOSSES = {
    "astronaut.jpg": 2.5,
    "cat.webp": 2.5,
    "retina.jpeg": 1.0,
    "galaxies.avif": 3.0,
    "coins.jpg": 0.5,
    "motorcycle.png": 4.0,  # 256 colours
    "tissue.jpg": 2.0,  # CMYK
    "cat lying on its side.jpg": 2.0,
}
EVERY = pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda photograph: photograph.name)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp("photographs")
    paths = write_photographs(folder)
    assert [path.name for path in paths] == [photograph.name for photograph in PHOTOGRAPHS]
    return scan_folder(DatasetConfig(path=str(folder)), folder)


def picture_of(found: Scan, photograph: Photograph) -> Picture:
    return next(picture for picture in found.pictures if picture.path.name == photograph.name)


def shown(photograph: Photograph) -> Image.Image:
    """The original in RGB, laid on white where it is cut out."""
    cut = photograph.change(original(photograph))
    if cut.mode != "RGBA":
        return original(photograph).convert("RGB")
    white = Image.new("RGB", cut.size, "white")
    white.paste(cut, mask=cut.getchannel("A"))
    return white


def whole(picture: Picture) -> BucketChoice:
    """At its own size, uncut."""
    size = (picture.width, picture.height)
    return BucketChoice(bucket=size, resized=size, crop=(0, 0, *size), aspect_error=0.0, scale=1.0)


def distance(pixels: np.ndarray, image: Image.Image) -> float:
    return float(np.abs(pixels.astype(int) - np.asarray(image)).mean())


def test_the_photographs_are_of_every_kind_of_file_and_all_are_found(found: Scan) -> None:
    assert found.problems == []
    assert len(found.pictures) == len(PHOTOGRAPHS) == len({p.name for p in PHOTOGRAPHS})
    assert {picture.path.suffix for picture in found.pictures} == readable_endings() - {".jxl"}
    modes = set()
    for picture in found.pictures:
        with Image.open(picture.path) as image:
            modes.add(image.mode)
    assert modes == {"RGB", "RGBA", "L", "I;16", "P", "CMYK"}


@EVERY
def test_a_photograph_has_its_size_and_its_caption(found: Scan, photograph: Photograph) -> None:
    picture = picture_of(found, photograph)
    assert (picture.width, picture.height) == original(photograph).size
    assert picture.caption == photograph.caption


@EVERY
def test_its_pixels_are_those_that_were_written(found: Scan, photograph: Photograph) -> None:
    picture = picture_of(found, photograph)
    pixels = load_pixels(picture, whole(picture))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (picture.height, picture.width, 3)
    lost = distance(pixels, shown(photograph))
    assert lost <= LOSSES.get(photograph.name, 0.0)
    assert (lost > 0) == (photograph.name in LOSSES)


@EVERY
@pytest.mark.parametrize("resolution", [256, 768])
def test_in_its_bucket_it_shows_the_middle_of_the_photograph(
    found: Scan, photograph: Photograph, resolution: int
) -> None:
    picture = picture_of(found, photograph)
    config = DatasetConfig(resolution=resolution, min_bucket_reso=128, max_bucket_reso=2048)
    choice = choose_bucket(picture.width, picture.height, buckets_of(config))
    pixels = load_pixels(picture, choice)
    assert pixels.shape == (choice.bucket[1], choice.bucket[0], 3)
    # Pillow's own smoothing, on the original; a shift by a pixel or a turned picture would be far off
    expected = shown(photograph).resize(choice.resized, Image.Resampling.HAMMING)
    assert distance(pixels, expected.crop(choice.crop)) <= 4 + LOSSES.get(photograph.name, 0.0)


def test_with_an_alpha_mask_the_colours_beneath_what_is_cut_away_stay(tmp_path: Path) -> None:
    write_photographs(tmp_path)
    found = scan_folder(DatasetConfig(path=str(tmp_path), alpha_mask=True), tmp_path)
    photograph = next(one for one in PHOTOGRAPHS if one.name == "cup cut out.png")
    picture = picture_of(found, photograph)
    assert distance(load_pixels(picture, whole(picture)), original(photograph)) == 0


def test_without_captions_only_pictures_are_written(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "new", captions=False)
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
