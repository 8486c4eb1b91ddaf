"""The own reader of picture headers says what Pillow says, or leaves the answer to Pillow."""

import io
import random
import struct
import zlib
from pathlib import Path

import pytest
from picture_files import noise_picture
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from engine.data.header_bytes import read_header
from engine.data.headers import HeaderError, read_size

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PNG_START = b"\x89PNG\r\n\x1a\n"


def header(path: Path, *, most_pixels: float = 1e6) -> tuple[int, int] | None:
    return read_header(str(path), most_pixels=most_pixels)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def exif(orientation: int | None, *, text: str = "Maker") -> Image.Exif:
    data = Image.Exif()
    data[0x010F] = text
    data[0x011A] = 72.0
    data[0x0128] = 2
    if orientation is not None:
        data[0x0112] = orientation
    return data


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">HH", marker, len(body) + 2) + body


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def jpeg_with(*segments: bytes, **options: object) -> bytes:
    whole = saved(noise_picture(40, 20), "JPEG", **options)
    return whole[:2] + b"".join(segments) + whole[2:]


def png_with(*chunks: bytes) -> bytes:
    whole = saved(noise_picture(40, 20), "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]  # behind IHDR


def texts() -> PngInfo:
    info = PngInfo()
    info.add_text("parameters", "a cat, " * 2000)
    info.add_itxt("prompt", "고양이")
    return info


def exif_block(orientation: int) -> bytes:
    return exif(orientation).tobytes()


def half_clear() -> Image.Image:
    picture = noise_picture(40, 20).convert("RGBA")
    picture.putalpha(noise_picture(40, 20, seed=1).convert("L"))
    return picture


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY16 = noise_picture(40, 20).convert("I").convert("I;16")
JPEGS = {
    "plain": jpeg_with(),
    "progressive": jpeg_with(progressive=True),
    "of many tables": jpeg_with(optimize=True, quality=100, subsampling=0),
    "grey": saved(noise_picture(40, 20).convert("L"), "JPEG"),
    "cmyk": saved(noise_picture(40, 20).convert("CMYK"), "JPEG"),
    "with a profile, a comment and a density": jpeg_with(
        icc_profile=PROFILE, comment=b"hello", dpi=(300, 300)
    ),
    "with a profile of several segments": jpeg_with(icc_profile=bytes(150_000)),
    "with a long segment": jpeg_with(segment(0xFFE5, bytes(60_000))),
    "with a thumbnail behind its orientation": jpeg_with(segment(0xFFE1, exif_block(6) + bytes(50_000))),
    "turned by XMP": jpeg_with(xmp=XMP),
    "turned by XMP beside EXIF data without orientation": jpeg_with(xmp=XMP, exif=exif(None)),
    "with XMP and EXIF that differ": jpeg_with(xmp=XMP, exif=exif(3)),
    "from Photoshop": jpeg_with(segment(0xFFED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\2hi")),
    "from Adobe": jpeg_with(segment(0xFFEE, b"Adobe\0d\0\0\0\0\1")),
}
PNGS = {
    "plain": png_with(),
    "with a palette": saved(noise_picture(40, 20).convert("P"), "PNG"),
    "with a transparent colour": saved(noise_picture(40, 20).convert("P"), "PNG", transparency=3),
    "grey, 16 bits": saved(GREY16, "PNG"),
    "black and white": saved(noise_picture(40, 20).convert("1"), "PNG"),
    "with alpha": saved(noise_picture(40, 20).convert("RGBA"), "PNG"),
    "interlaced": PNG_START
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 8, 2, 0, 0, 1))
    + chunk(b"IDAT", b""),
    "with a profile and a density": saved(noise_picture(40, 20), "PNG", icc_profile=PROFILE, dpi=(300, 300)),
    "with long texts": saved(noise_picture(40, 20), "PNG", pnginfo=texts()),
}
WEBPS = {
    "plain": saved(noise_picture(40, 20), "WEBP"),
    "lossless": saved(noise_picture(40, 20), "WEBP", lossless=True),
    "with alpha": saved(half_clear(), "WEBP"),
    "lossless with alpha": saved(half_clear(), "WEBP", lossless=True),
    "with a profile": saved(noise_picture(40, 20), "WEBP", icc_profile=PROFILE),
    "turned by XMP": saved(noise_picture(40, 20), "WEBP", xmp=XMP),
    "with XMP and EXIF that differ": saved(noise_picture(40, 20), "WEBP", xmp=XMP, exif=exif(3)),
}
LEFT_TO_PILLOW = {
    "a JPEG with two EXIF segments": jpeg_with(segment(0xFFE1, exif_block(6)), exif=exif(3)),
    "a JPEG of several pictures": jpeg_with(segment(0xFFE2, b"MPF\0" + exif_block(1)[6:])),
    "an EXIF value outside its segment": jpeg_with(
        segment(0xFFE1, b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x10F, 2, 99, 999) + bytes(4))
    ),
    "an orientation of 4 bytes": jpeg_with(
        segment(0xFFE1, b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x112, 4, 1, 6) + bytes(4))
    ),
    "a PNG turned by XMP": png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    "a PNG with a packed text": png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b"))),
    "a PNG with EXIF data as text": png_with(chunk(b"tEXt", b"exif\0" + exif_block(6))),
    "an animated PNG": saved(
        noise_picture(40, 20), "PNG", save_all=True, append_images=[noise_picture(40, 20, seed=1)]
    ),
    "an animated WebP": saved(
        noise_picture(40, 20), "WEBP", save_all=True, append_images=[noise_picture(40, 20, seed=1)]
    ),
    "a BMP": saved(noise_picture(40, 20), "BMP"),
}
BROKEN = {
    "empty": b"",
    "text": b"not pixels",
    "a JPEG cut off before its size": jpeg_with()[:100],
    "a JPEG cut off before its pixels": jpeg_with()[: jpeg_with().index(b"\xff\xda") + 3],
    "a JPEG with a size of nothing": jpeg_with().replace(struct.pack(">HH", 20, 40), bytes(4)),
    "a WebP cut off within its pixels": saved(noise_picture(40, 20), "WEBP")[:-10],
    "a PNG cut off before its pixels": png_with()[:40],
    "a PNG whose size was changed": png_with().replace(b"\0\0\0\x28", b"\0\0\0\x29", 1),
    "a PNG of a depth that does not exist": PNG_START
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 5, 2, 0, 0, 0))
    + chunk(b"IDAT", b""),
    "a PNG without pixels": PNG_START + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 2, 0, 0, 0)),
}  # fmt: skip


def written(folder: Path, content: bytes) -> Path:
    path = folder / "picture"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content", [*JPEGS.values(), *PNGS.values(), *WEBPS.values()], ids=[*JPEGS, *PNGS, *WEBPS]
)
def test_ordinary_files_are_read_without_pillow_and_as_by_pillow(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    assert header(path) == read_size(path)
    assert header(path) in ((40, 20), (20, 40))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(10))
def test_every_orientation_is_read_in_both_byte_orders(
    tmp_path: Path, form: str, order: str, turn: int
) -> None:
    data = exif(turn)
    data.endian = order
    path = written(tmp_path, saved(noise_picture(40, 20), form, exif=data.tobytes()))
    assert header(path) == read_size(path) == ((20, 40) if turn in (5, 6, 7, 8) else (40, 20))


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged data
@pytest.mark.parametrize("content", LEFT_TO_PILLOW.values(), ids=LEFT_TO_PILLOW)
def test_unusual_files_are_left_to_pillow(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    assert header(path) is None
    assert sorted(read_size(path)) == [20, 40]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_left_to_pillow_which_refuses_them(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    assert header(path) is None
    with pytest.raises(HeaderError):
        read_size(path)


def test_what_cannot_be_opened_is_left_to_pillow(tmp_path: Path) -> None:
    assert header(tmp_path / "nothing") is None
    assert header(tmp_path) is None


def test_pictures_that_may_be_decompression_bombs_are_left_to_pillow(tmp_path: Path) -> None:
    path = written(tmp_path, PNGS["plain"])
    assert header(path, most_pixels=800) == (40, 20)
    assert header(path, most_pixels=799) is None


def test_damaged_exif_data_leaves_a_picture_upright(tmp_path: Path) -> None:
    path = written(tmp_path, png_with(chunk(b"eXIf", b"II*\0\x08")))
    assert header(path) is None
    assert read_size(path) == (40, 20)


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged data
def test_random_damage_never_gives_another_answer_than_pillow(tmp_path: Path) -> None:
    whole = [*JPEGS.values(), *PNGS.values(), *WEBPS.values(), *LEFT_TO_PILLOW.values()]
    whole += [saved(noise_picture(40, 20), form, exif=exif(6)) for form in ("JPEG", "PNG", "WEBP")]
    chance, num_answered = random.Random(0), 0
    for _ in range(3000):
        path = written(tmp_path, with_sums(damaged(chance, chance.choice(whole))))
        found = header(path)
        num_answered += found is not None
        assert found is None or found == pillows_answer(path)
    assert num_answered > 500


def damaged(chance: random.Random, content: bytes) -> bytes:
    """A few bytes of the start changed, lost, doubled or cut off."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(min(chance.choice((60, 250, 900)), len(changed) or 1))
        kind = chance.randrange(10)
        if kind < 6 and changed:
            changed[at] = chance.choice((0, 255, chance.randrange(256), changed[at] ^ 1))
        elif kind < 8:
            del changed[at : at + chance.choice((1, 2, 12))]
        elif kind < 9:
            changed[at:at] = changed[at : at + chance.choice((2, 12, 30))]
        else:
            del changed[at + 1 :]
    return bytes(changed)


def with_sums(content: bytes) -> bytes:
    """A PNG with right sums, so that damage reaches what is behind them."""
    if not content.startswith(PNG_START):
        return content
    whole, at = PNG_START, len(PNG_START)
    while at + 12 <= len(content):
        (count,) = struct.unpack_from(">I", content, at)
        if at + 12 + count > len(content):
            break
        whole += chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + count])
        at += 12 + count
    return whole + content[at:]


def pillows_answer(path: Path) -> tuple[int, int] | str:
    try:
        return read_size(path)
    except HeaderError as error:
        return str(error)
