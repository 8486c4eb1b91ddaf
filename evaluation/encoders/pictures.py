"""From a picture file to what an encoder reads, as its preprocessor_config.json says; no torchvision."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.config.errors import ConfigError

Pixels = NDArray[np.float32]
# What Pillow raises for a file that is no picture, is cut off, or would fill the memory.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_CLIP: dict[str, object] = {
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": _CLIP_MEAN,
    "image_std": _CLIP_STD,
}
_HALF = (0.5, 0.5, 0.5)
_SIGLIP: dict[str, object] = {
    "size": {"height": 224, "width": 224},
    "do_center_crop": False,
    "image_mean": _HALF,
    "image_std": _HALF,
}
# transformers' defaults by the name of the class, without "ImageProcessor"; DINOv2 uses Bit's
_CLASSES: Mapping[str, Mapping[str, object]] = {"CLIP": _CLIP, "Bit": _CLIP, "Siglip": _CLIP | _SIGLIP}


@dataclass(kw_only=True, slots=True, frozen=True)
class Preprocessing:
    """Resize, centre crop, rescale, normalise; the defaults are CLIP's."""

    shortest_edge: int | None = 224  # pixels; or exact_size; both None: no resize
    exact_size: tuple[int, int] | None = None  # (height, width)
    resample: int = 3  # PIL's number: 3 = bicubic
    crop: tuple[int, int] | None = (224, 224)  # (height, width); None: no crop
    rescale_factor: float | None = 1 / 255
    mean: tuple[float, ...] | None = _CLIP_MEAN  # None: no normalisation
    std: tuple[float, ...] | None = _CLIP_STD

    @property
    def id(self) -> str:
        """A short hash of the settings: part of an embedding's key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def open_picture(path: Path) -> Image.Image:
    """Open, turn as EXIF says, and make RGB; transparency goes on white. UNREADABLE: what it raises."""
    with path.open("rb") as stream:
        return decode_picture(stream)


def decode_picture(stream: BinaryIO) -> Image.Image:
    """As open_picture, of a file that is open; of 16-bit grey the upper 8 bits."""
    picture: Image.Image = Image.open(stream)
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I"):  # convert() would clip it at 255
        grey = np.clip(np.asarray(picture).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    return to_rgb(picture)


def to_rgb(picture: Image.Image) -> Image.Image:
    """RGB, transparency composited on white, as transformers does it."""
    if "A" in picture.getbands() or picture.info.get("transparency") is not None:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def prepare(picture: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """The picture as an encoder reads it.

    returns  [3, H, W] float32; bit-equal to transformers' PIL image processor of the same settings
    """
    picture = _resize(to_rgb(picture), preprocessing)
    array = np.moveaxis(np.asarray(picture), -1, 0)
    if preprocessing.crop is not None:
        array = _centre_crop(array, preprocessing.crop)
    values = array.astype(np.float32)
    if preprocessing.rescale_factor is not None:
        values = (array.astype(np.float64) * preprocessing.rescale_factor).astype(np.float32)
    if preprocessing.mean is not None and preprocessing.std is not None:
        mean = np.asarray(preprocessing.mean, dtype=np.float32)[:, None, None]
        std = np.asarray(preprocessing.std, dtype=np.float32)[:, None, None]
        values = (values - mean) / std
    return np.ascontiguousarray(values)


def read_preprocessing(folder: Path, *, option: str | None = None) -> Preprocessing:
    """The settings of preprocessor_config.json (or of processor_config.json, newer files' name for it).

    option  how the user named the folder, "evaluation.encoder=..."
    ConfigError: neither is there, or what it asks for is not supported.
    """
    named = option or f"evaluation.encoder={folder}"
    plain, nested = folder / "preprocessor_config.json", folder / "processor_config.json"
    try:
        if plain.is_file():
            return parse_preprocessing(json.loads(plain.read_text(encoding="utf-8")), option=named)
        if nested.is_file():
            data = json.loads(nested.read_text(encoding="utf-8"))["image_processor"]
            return parse_preprocessing(data, option=named)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{named}: its preprocessor_config.json cannot be read ({type(error).__name__}: {error}). Use a "
            "folder as save_pretrained writes it."
        ) from error
    raise ConfigError(
        f"{named}: holds no preprocessor_config.json, so how pictures are made ready for it is unknown. Use "
        "a folder as save_pretrained writes it."
    )


def parse_preprocessing(data: Mapping[str, object], *, option: str = "evaluation.encoder") -> Preprocessing:
    """The settings as transformers names them; what is missing is as in the class that the file names.

    ConfigError: a class or a size that is not supported.
    """
    given = {key: value for key, value in data.items() if value is not None}
    asked = {**_defaults(given, option), **given}
    if asked.get("do_pad"):
        raise ConfigError(f"{option}: its preprocessing pads pictures, which is not supported yet.")
    edge, exact = _size(asked["size"], option) if asked["do_resize"] else (None, None)
    normalise = asked["do_normalize"]
    return Preprocessing(
        shortest_edge=edge,
        exact_size=exact,
        resample=cast(int, asked["resample"]),
        crop=_pair(asked["crop_size"]) if asked["do_center_crop"] else None,
        rescale_factor=cast(float, asked["rescale_factor"]) if asked["do_rescale"] else None,
        mean=tuple(cast("list[float]", asked["image_mean"])) if normalise else None,
        std=tuple(cast("list[float]", asked["image_std"])) if normalise else None,
    )


def _defaults(data: Mapping[str, object], option: str) -> Mapping[str, object]:
    name = str(data.get("image_processor_type", data.get("feature_extractor_type", "CLIPImageProcessor")))
    for ending in ("Fast", "Pil", "ImageProcessor", "FeatureExtractor"):
        name = name.removesuffix(ending)
    if name not in _CLASSES:
        raise ConfigError(
            f"{option}: its pictures are made ready by {name}ImageProcessor, which is not supported. Use an "
            f"encoder with one of {', '.join(_CLASSES)}."
        )
    return _CLASSES[name]


def _size(size: object, option: str) -> tuple[int | None, tuple[int, int] | None]:
    if isinstance(size, int):  # files of old versions
        return size, None
    if isinstance(size, dict) and set(size) == {"shortest_edge"}:
        return int(size["shortest_edge"]), None
    if isinstance(size, dict) and set(size) == {"height", "width"}:
        return None, (int(size["height"]), int(size["width"]))
    raise ConfigError(f"{option}: its preprocessing has a size that is not supported: {size}.")


def _pair(size: object) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    sides = cast("dict[str, int]", size)
    return sides["height"], sides["width"]


def _resize(picture: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    if preprocessing.exact_size is not None:
        height, width = preprocessing.exact_size
    elif preprocessing.shortest_edge is not None:
        edge = preprocessing.shortest_edge
        width, height = picture.size
        if width <= height:
            width, height = edge, int(edge * height / width)
        else:
            width, height = int(edge * width / height), edge
    else:
        return picture
    return picture.resize((width, height), resample=Image.Resampling(preprocessing.resample))


def _centre_crop(array: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut the middle out of [C, H, W]; what is too small is padded with zeros first."""
    height, width = array.shape[1:]
    pad_height, pad_width = max(size[0] - height, 0), max(size[1] - width, 0)
    # Rounded up before and down after, and the crop rounded down: transformers' choice for odd differences.
    padding = ((0, 0), (-(-pad_height // 2), pad_height // 2), (-(-pad_width // 2), pad_width // 2))
    array = np.pad(array, padding)
    top = (array.shape[1] - size[0]) // 2
    left = (array.shape[2] - size[1]) // 2
    return array[:, top : top + size[0], left : left + size[1]]
