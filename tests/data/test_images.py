"""Pixels of every kind of file, and resizing against the reference's own pixels."""

import io
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_files import noise_picture, write_picture
from PIL import Image, ImageOps

from engine.config import DatasetConfig, SubsetConfig
from engine.data.buckets import Buckets, choose_bucket
from engine.data.images import (
    Decoded,
    DecodeError,
    decode,
    decode_mask,
    fit_pixels,
    flattened,
    from_levels,
    load_pixels,
    mask_pixels,
    mask_to_latents,
    to_levels,
    to_tensor,
)
from engine.data.resize import area_average, resize_pixels
from engine.data.scan import Picture, Subset

GOLDEN = Path(__file__).parents[1] / "golden"
REFERENCE: dict[str, Any] = json.loads((GOLDEN / "a_resize_pixels.json").read_text())
OPENCV: list[dict[str, Any]] = json.loads((GOLDEN / "a_resize_area.json").read_text())["cases"]


def decoded(image: Image.Image, kind: str = "PNG", size: tuple[int, int] | None = None, **save: Any) -> Any:
    """The picture written as a file of some kind and read again, laid on white."""
    return flattened(read_again(image, kind, size, **save))


def read_again(
    image: Image.Image, kind: str = "PNG", size: tuple[int, int] | None = None, **save: Any
) -> Decoded:
    file = io.BytesIO()
    image.save(file, kind, **save)
    return decode(file.getvalue(), expected=size or image.size)


def picture_of(path: Path, **options: Any) -> Picture:
    config = DatasetConfig(path=str(path.parent), **options)
    subset = Subset(source="photos", folder=path.parent, config=config)
    return Picture(path=path, width=64, height=64, caption="", repeats=1, subset=subset)


def test_area_average_by_hand() -> None:
    # Three pixels onto two: (10 + 40 / 2) / 1.5 = 20 and (40 / 2 + 100) / 1.5 = 80.
    row = np.array([10, 40, 100], np.uint8).reshape(1, 3, 1).repeat(3, axis=2)
    assert area_average(row, (2, 1))[0, :, 0].tolist() == [20, 80]
    # Two by two onto one: 1.5 and 2.5 are rounded up; three by one onto one is a plain mean.
    square = np.array([[1, 2], [1, 2]], np.uint8)[..., None].repeat(3, axis=2)
    assert area_average(square, (1, 1))[0, 0].tolist() == [2, 2, 2]
    assert area_average(square + 1, (1, 1))[0, 0].tolist() == [3, 3, 3]
    assert area_average(row, (1, 1))[0, 0].tolist() == [50, 50, 50]


@pytest.mark.parametrize("case", ["down_default_area", "up_default_lanczos", "mixed_default"])
def test_resizing_equals_the_reference_in_every_pixel(case: str) -> None:
    source = np.array(REFERENCE["src"], np.uint8)
    ours = resize_pixels(source, tuple(REFERENCE[case]["to_wh"]))
    assert np.array_equal(ours, np.array(REFERENCE[case]["out"]))


@pytest.mark.parametrize("case", OPENCV, ids=lambda case: f"to{case['to_wh']}")
def test_area_average_equals_opencv(case: dict[str, Any]) -> None:
    source, expected = np.array(case["src"], np.uint8), np.array(case["out"])
    width, height = case["to_wh"]
    difference = np.abs(area_average(source, (width, height)) - expected)
    if source.shape[1] % width == 0 and source.shape[0] % height == 0:
        assert difference.max() == 0
    else:  # OpenCV adds in float32: a mean near the middle of two levels may go to the other one
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.005


def test_a_tall_picture_is_averaged_in_blocks_of_rows_without_seams() -> None:
    pixels = np.asarray(noise_picture(9, 200))  # 9 to 7 across, 4 to 1 down; a block has 64 rows
    whole = area_average(pixels, (7, 50))
    assert np.array_equal(whole[15:18], area_average(pixels[60:72], (7, 3)))
    assert np.array_equal(whole[-1:], area_average(pixels[196:], (7, 1)))


def test_a_picture_is_cut_from_the_middle_of_its_resized_self() -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 16:48] = 255
    choice = choose_bucket(64, 32, Buckets(sizes=((32, 32),), max_area=1024, step=32))
    assert fit_pixels(pixels, choice, SubsetConfig()).shape == (32, 32, 3)
    assert fit_pixels(pixels, choice, SubsetConfig()).min() == 255


def test_a_needle_is_fitted_without_its_giant_resized_self() -> None:
    pixels = np.full((10000, 1, 3), 90, np.uint8)
    choice = choose_bucket(1, 10000, Buckets(sizes=((256, 1024),), max_area=2**18, step=64))
    assert choice.resized == (256, 2560000)
    assert np.array_equal(fit_pixels(pixels, choice, SubsetConfig()), np.full((1024, 256, 3), 90))


def test_to_tensor_spans_minus_one_to_one() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 1] = (255, 0, 51)
    tensor = to_tensor(pixels)
    assert tensor.shape == (3, 2, 3)
    assert tensor.dtype == torch.float32
    assert tensor[:, 0, 1].tolist() == pytest.approx([1.0, -1.0, -0.6])


def test_levels_become_the_same_numbers() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    levels = to_levels(pixels)
    assert (levels.dtype, tuple(levels.shape)) == (torch.uint8, (3, 5, 7))
    assert torch.equal(from_levels(levels), to_tensor(pixels))


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (4, 1), (200, 100, 50, 0))
    for place, alpha in enumerate((0, 51, 128, 255)):
        image.putpixel((place, 0), (200, 100, 50, alpha))
    # 200 x .2 + 255 x .8 = 244, 100 x .2 + 204 = 224, 50 x .2 + 204 = 214
    assert decoded(image)[0].tolist() == [[255, 255, 255], [244, 224, 214], [227, 177, 152], [200, 100, 50]]
    assert decoded(Image.new("LA", (4, 4), (70, 0)))[0, 0].tolist() == [255, 255, 255]
    keyed = Image.new("RGB", (4, 4), (1, 2, 3))
    assert decoded(keyed, transparency=(1, 2, 3))[0, 0].tolist() == [255, 255, 255]


def test_for_masks_transparency_and_the_colours_beneath_it_are_kept() -> None:
    read = read_again(Image.new("RGBA", (4, 4), (200, 100, 50, 7)))
    assert read.pixels[0, 0].tolist() == [200, 100, 50]
    assert read.opaque is not None and read.opaque.tolist() == [[7] * 4] * 4
    assert read_again(Image.new("RGB", (4, 4))).opaque is None


def test_a_mask_is_its_brightness_and_transparency_hides() -> None:
    def mask(image: Image.Image) -> list[int]:
        file = io.BytesIO()
        image.save(file, "PNG")
        return list(decode_mask(file.getvalue(), expected=image.size)[0])

    grey = Image.new("L", (3, 1))
    for place, value in enumerate((0, 100, 255)):
        grey.putpixel((place, 0), value)
    assert mask(grey) == mask(grey.convert("RGB")) == [0, 100, 255]
    assert mask(Image.new("RGBA", (1, 1), (255, 255, 255, 51))) == [51]


def test_a_masks_value_at_a_latent_is_the_mean_of_its_pixels() -> None:
    mask = np.zeros((16, 24), np.uint8)
    mask[:8, :8] = 255
    mask[8:, 8:12] = 51
    assert mask_to_latents(mask, 8).tolist() == [
        [1.0, 0.0, 0.0],
        [0.0, pytest.approx(0.1), 0.0],
    ]


def test_a_pictures_mask_is_its_own_file_or_its_transparency(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    plain = picture_of(tmp_path / "a.png", alpha_mask=True)
    assert mask_pixels(plain, plain.path.read_bytes()) is None  # opaque: all of it counts
    Image.new("L", (64, 64), 255).save(tmp_path / "mask.png")
    masked = replace(picture_of(tmp_path / "a.png"), mask=tmp_path / "mask.png")
    found = mask_pixels(masked, (tmp_path / "mask.png").read_bytes())
    assert found is not None and found.shape == (64, 64) and found.min() == 255


def test_a_palette_gives_its_colours_with_and_without_transparency() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(image)[0, 0].tolist() == [10, 20, 30]
        assert decoded(image, transparency=b"\x00\xff")[0, 0].tolist() == [10, 20, 30]
        assert decoded(image, transparency=b"\xff\x00")[0, 0].tolist() == [255, 255, 255]


def test_grey_pictures_of_1_8_and_16_bits_are_read_right() -> None:
    assert decoded(Image.new("1", (4, 4), 1))[0, 0].tolist() == [255, 255, 255]
    assert decoded(Image.new("L", (4, 4), 70))[0, 0].tolist() == [70, 70, 70]
    deep = Image.fromarray(np.full((4, 4), 0x80FF, np.uint16))
    assert decoded(deep)[0, 0].tolist() == [0x80, 0x80, 0x80]  # and not 255, as convert() gives


def test_cmyk_becomes_rgb() -> None:
    pixels = decoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    assert np.abs(pixels[0, 0].astype(int) - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    pixels = decoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(pixels[0, 0].astype(int) - [250, 0, 0]).max() <= 6


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_exif_orientation_is_put_upright(turn: int) -> None:
    # As Pillow's own exif_transpose does it, on noise that no symmetry hides.
    image = noise_picture(6, 4)
    exif = Image.Exif()
    exif[0x0112] = turn
    size = (4, 6) if turn >= 5 else (6, 4)
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(file))
    assert np.array_equal(decoded(image, size=size, exif=exif), np.asarray(upright))


def test_a_damaged_or_changed_picture_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    noise_picture(64, 64).save(path)
    whole = path.read_bytes()
    choice = choose_bucket(64, 64, Buckets(sizes=((64, 64),), max_area=4096, step=64))
    picture = picture_of(path)
    assert load_pixels(picture, choice).shape == (64, 64, 3)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match="damaged"):
        load_pixels(picture, choice)
    path.write_bytes(b"text")
    with pytest.raises(DecodeError, match="not a picture any more"):
        load_pixels(picture, choice)
    noise_picture(64, 32).save(path)
    with pytest.raises(DecodeError, match="changed since the folder was read"):
        load_pixels(picture, choice)
    path.unlink()
    with pytest.raises(DecodeError, match="No such file"):
        load_pixels(picture, choice)
