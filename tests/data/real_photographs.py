"""Real photographs in every kind of file that a folder of pictures may hold, made from scikit-image's own.

They lie inside its wheel (public domain and CC0); nothing is downloaded.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw


@dataclass(kw_only=True, slots=True, frozen=True)
class Photograph:
    """One file: what it shows, and how it is written."""

    name: str  # of the file that is written
    source: str  # file in scikit-image's wheel
    caption: str
    change: Callable[[Image.Image], Image.Image] = lambda image: image  # before it is written
    quality: int = 95  # where the kind of file loses something
    turn: int = 1  # EXIF orientation


def write_photographs(folder: Path, *, captions: bool = True) -> list[Path]:
    """Write every photograph into a folder, which is made, with a .txt beside each; the pictures' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for photograph in PHOTOGRAPHS:
        path = folder / photograph.name
        image = photograph.change(original(photograph))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = photograph.turn
        image.save(path, quality=photograph.quality, exif=exif if photograph.turn != 1 else b"")
        if captions:
            path.with_suffix(".txt").write_text(photograph.caption + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def original(photograph: Photograph) -> Image.Image:
    """The picture as scikit-image has it, upright, grey or RGB."""
    spec = importlib.util.find_spec("skimage")  # not imported: its own reading may go to the network
    assert spec is not None and spec.submodule_search_locations is not None
    with Image.open(Path(spec.submodule_search_locations[0]) / "data" / photograph.source) as image:
        image.load()
        return image


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Grey of 65536 levels, whose upper bytes are the old ones."""
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 257)


def _cut_out(image: Image.Image) -> Image.Image:
    """Opaque within an ellipse; the colours around it stay."""
    alpha = Image.new("L", image.size, 0)
    ImageDraw.Draw(alpha).ellipse((0, 0, image.width - 1, image.height - 1), fill=255)
    cut = image.copy()
    cut.putalpha(alpha)
    return cut


PHOTOGRAPHS = (
    Photograph(
        name="astronaut.jpg",
        source="astronaut.png",
        caption="a woman, astronaut, orange space suit, smile, flag, model of a space shuttle",
    ),
    Photograph(
        name="cat.webp",
        source="chelsea.png",
        caption="a cat, tabby, whiskers, looking down, close-up",
        quality=90,
    ),
    Photograph(
        name="coffee.png", source="coffee.png", caption="a cup of coffee, saucer, spoon, wooden table"
    ),
    Photograph(name="rocket.bmp", source="rocket.jpg", caption="a rocket, launch, night, flame, towers"),
    Photograph(
        name="retina.jpeg",
        source="retina.jpg",
        caption="a retina, eye, blood vessels, black background",
        quality=90,
    ),
    Photograph(
        name="galaxies.avif",
        source="hubble_deep_field.jpg",
        caption="many galaxies, stars, deep space, black background",
        quality=90,
    ),
    Photograph(
        name="photographer.png",
        source="camera.png",
        caption="a man, camera, tripod, coat, field, greyscale",  # 8-bit grey
    ),
    Photograph(
        name="moon.png",
        source="moon.png",
        caption="the moon, craters, greyscale",
        change=_sixteen_bits,
    ),
    Photograph(
        name="coins.jpg",
        source="coins.png",
        caption="old coins, rows, greyscale",
    ),
    Photograph(
        name="motorcycle.png",
        source="motorcycle_left.png",
        caption="a motorcycle, garage, shelves, tools",
        change=lambda image: image.quantize(256),
    ),
    Photograph(
        name="tissue.jpg",
        source="ihc.png",
        caption="tissue under a microscope, brown and blue stain",
        change=lambda image: image.convert("CMYK"),
    ),
    Photograph(
        name="cat lying on its side.jpg",
        source="chelsea.png",
        caption="a cat, tabby, whiskers, upright by its EXIF data",
        change=lambda image: image.transpose(Image.Transpose.ROTATE_90),
        turn=6,
    ),
    Photograph(
        name="cup cut out.png",
        source="coffee.png",
        caption="a cup of coffee, cut out, transparent background",
        change=_cut_out,
    ),
)
