"""From a file to what an encoder reads: the same bits as transformers' own PIL image processor."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.config.errors import ConfigError
from evaluation.pictures import Preprocessing, open_picture, parse_preprocessing, prepare, read_preprocessing

HALF = [0.5, 0.5, 0.5]
SETTINGS: dict[str, dict[str, object]] = {
    "clip": {},
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


def picture_of(mode: str, width: int, height: int) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(width).integers(0, 256, size=(height, width, bands)).astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if bands == 1 else pixels, mode=mode)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
@pytest.mark.parametrize("size", [(64, 64), (37, 61), (300, 201)])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_bit_equals_transformers(settings: dict[str, object], size: tuple[int, int], mode: str) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    picture = picture_of(mode, *size)
    reference = CLIPImageProcessorPil(**settings)(picture, return_tensors="np")["pixel_values"][0]
    ours = prepare(picture, parse_preprocessing(settings))
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, reference.astype(np.float32))


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
    ],
)
def test_settings_that_cannot_be_followed_are_refused(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        read_preprocessing(tmp_path)
