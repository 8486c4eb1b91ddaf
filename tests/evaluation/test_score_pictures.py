"""From a file to what an encoder reads: the same bits as transformers' own PIL image processor."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.config.errors import ConfigError
from evaluation.encoders.pictures import (
    Preprocessing,
    open_picture,
    parse_preprocessing,
    prepare,
    read_preprocessing,
)

HALF = [0.5, 0.5, 0.5]
SETTINGS: dict[str, dict[str, object]] = {
    "plain": {},
    "small": {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 24}},
    "odd padding": {"size": {"shortest_edge": 9}, "crop_size": {"height": 20, "width": 31}},
    "exact size": {"size": {"height": 16, "width": 24}, "do_center_crop": False},
    "bilinear": {"size": {"shortest_edge": 30}, "do_center_crop": False, "resample": 2},
    "half": {
        "size": {"height": 16, "width": 16},
        "do_center_crop": False,
        "image_mean": HALF,
        "image_std": HALF,
    },
    "no resize": {"do_resize": False, "crop_size": {"height": 16, "width": 16}},
    "no numbers": {"do_rescale": False, "do_normalize": False},
}


SIGLIP: dict[str, dict[str, object]] = {
    "plain": {},
    "large": {"size": {"height": 384, "width": 384}, "resample": 3, "image_mean": HALF, "image_std": HALF},
    "crop asked for": {
        "do_center_crop": True,
        "size": {"height": 40, "width": 30},
        "crop_size": {"height": 31, "width": 20},
    },
}
DINO: dict[str, dict[str, object]] = {
    "plain": {},
    "dinov2": {
        "size": {"shortest_edge": 256},
        "crop_size": {"height": 224, "width": 224},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "share of .9 cut out": {"size": {"shortest_edge": 249}, "crop_size": {"height": 224, "width": 224}},
    "odd cut": {"size": {"shortest_edge": 37}, "crop_size": {"height": 28, "width": 35}, "resample": 2},
}
KINDS = {"CLIP": SETTINGS, "Siglip": SIGLIP, "Bit": DINO}  # of DINOv2 is BitImageProcessor
SIZES = [(64, 64), (37, 61), (300, 201), (1, 50)]
MODES = ["RGB", "RGBA", "L", "LA", "CMYK", "YCbCr", "1", "P"]


def picture_of(mode: str, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, size=(height, width, 4)).astype(np.uint8)
    if mode in ("1", "P", "YCbCr"):
        return Image.fromarray(pixels[:, :, :3]).convert(mode)
    if mode == "L":
        return Image.fromarray(pixels[:, :, 0])
    bands = [Image.fromarray(pixels[:, :, band]) for band in range(len(mode))]
    return Image.merge(mode, bands)


def processor_of(kind: str, settings: dict[str, object]) -> Callable[..., dict[str, NDArray[np.float32]]]:
    """transformers' own, which needs no torchvision."""
    module = import_module(f"transformers.models.{kind.lower()}.image_processing_pil_{kind.lower()}")
    made: Callable[..., dict[str, NDArray[np.float32]]] = getattr(module, f"{kind}ImageProcessorPil")(
        **settings
    )
    return made


@pytest.mark.parametrize(
    ("kind", "named"), [(kind, named) for kind, settings in KINDS.items() for named in settings]
)
def test_every_bit_equals_transformers(kind: str, named: str) -> None:
    settings = KINDS[kind][named]
    ours = parse_preprocessing({"image_processor_type": f"{kind}ImageProcessor", **settings})
    reference = processor_of(kind, settings)
    for size in SIZES:
        for mode in MODES if named == "plain" else ("RGB", "LA"):
            picture = picture_of(mode, *size)
            expected = reference(picture, return_tensors="np")["pixel_values"][0]
            found = prepare(picture, ours)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, expected.astype(np.float32), err_msg=f"{size} {mode}")


def test_settings_that_are_null_are_those_of_the_class() -> None:
    nothing = {"crop_size": None, "do_center_crop": None, "size": None, "image_mean": None}
    for name in ("CLIPImageProcessor", "SiglipImageProcessor", "BitImageProcessor"):
        named = {"image_processor_type": name}
        assert parse_preprocessing({**named, **nothing}) == parse_preprocessing(named)


def test_16_bit_grey_keeps_its_upper_bits(tmp_path: Path) -> None:
    levels = np.array([[0, 256, 0x80FF, 0xFFFF]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    opened = open_picture(tmp_path / "deep.png")
    assert [opened.getpixel((x, 0)) for x in range(4)] == [(0,) * 3, (1,) * 3, (128,) * 3, (255,) * 3]


def test_what_clip_reads_of_one_grey_by_hand() -> None:
    pixels = prepare(Image.new("RGB", (50, 80), (51, 102, 204)), Preprocessing())
    assert pixels.shape == (3, 224, 224)
    expected = [
        (0.2 - 0.48145466) / 0.26862954,
        (0.4 - 0.4578275) / 0.26130258,
        (0.8 - 0.40821073) / 0.27577711,
    ]
    np.testing.assert_allclose(pixels[:, 100, 100], expected, rtol=1e-6)


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    picture = Image.new("RGB", (20, 10), (255, 0, 0))
    picture.putpixel((0, 0), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    picture.save(tmp_path / "turned.png", exif=exif)
    opened = open_picture(tmp_path / "turned.png")
    assert opened.size == (10, 20)
    assert opened.getpixel((9, 0)) == (0, 0, 255)


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (10, 20, 30, 255))
    picture.save(tmp_path / "picture.png")
    opened = open_picture(tmp_path / "picture.png")
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (10, 20, 30)]


def test_an_old_size_is_the_shortest_edge() -> None:
    assert parse_preprocessing({"size": 32, "crop_size": 28}) == parse_preprocessing(
        {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
    )


def test_each_setting_changes_the_id() -> None:
    ids = [parse_preprocessing(settings).id for settings in SETTINGS.values()]
    assert len(set(ids)) == len(SETTINGS)
    assert parse_preprocessing({}).id == Preprocessing().id


def test_settings_are_found_under_either_name(tmp_path: Path) -> None:
    wanted = parse_preprocessing(SETTINGS["small"])
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": SETTINGS["small"]}))
    assert read_preprocessing(tmp_path) == wanted
    (tmp_path / "processor_config.json").rename(tmp_path / "preprocessor_config.json")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SETTINGS["small"]))
    assert read_preprocessing(tmp_path) == wanted


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "holds no preprocessor_config.json"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"crop_size": {"shortest_edge": 16}}', "cannot be read"),
        ('{"size": {"longest_edge": 16}}', "a size that is not supported"),
        ('{"do_pad": true}', "pads pictures, which is not supported yet"),
        (
            '{"image_processor_type": "ConvNextImageProcessor"}',
            "ConvNextImageProcessor, which is not supported",
        ),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        read_preprocessing(tmp_path)
