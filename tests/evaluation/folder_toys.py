"""Folders of small pictures, as other programs leave them."""

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin

from evaluation.material import Material
from evaluation.reading.folder import FolderRequest, read_folder_material

PARAMETERS = (
    "a red fox, <lora:fox:0.8> in snow\nsecond line\nNegative prompt: blurry,\nbad\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x512, Model: x"
)


def picture(
    shade: int = 0, *, size: tuple[int, int] = (8, 8), texts: Mapping[str, str] | None = None
) -> bytes:
    """A PNG of one shade, which differs in its bytes from those of other shades."""
    info = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        info.add_itxt(key, text)
    stream = io.BytesIO()
    Image.new("RGB", size, (shade % 256, shade // 256, 128)).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def put(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """The folder with these files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def numbered(*names: str, first: int = 0) -> dict[str, bytes | str]:
    """A different picture under each name."""
    return {name: picture(first + place) for place, name in enumerate(names)}


def read(images: Path, **given: Path | str) -> Material:
    """The material of a folder and what is given beside it."""
    return read_folder_material(FolderRequest(images=images, **given))  # type: ignore[arg-type]


def seen(material: Material, set_name: str = "final") -> list[tuple[int, str, int, str]]:
    """Each picture of a set as (prompt index, prompt, seed, file)."""
    return [(one.prompt_index, one.prompt, one.seed, one.file) for one in material.pictures[set_name]]
