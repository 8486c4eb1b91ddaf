"""Pictures as data URIs."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from pages.picture import KEEP_BYTES, MAX_SIDE, embed_picture


def test_a_small_file_goes_in_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 32), (1, 2, 3)).save(path)
    picture = embed_picture(path)
    assert picture is not None and (picture.width, picture.height) == (64, 32) and picture.is_small
    assert base64.b64decode(picture.uri.split(",")[1]) == path.read_bytes()


def test_a_large_one_is_shown_smaller_and_keeps_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = Image.effect_noise((1600, 1200), 90).convert("RGB")
    noise.paste((200, 40, 40), (0, 0, 800, 1200))
    noise.save(path)
    assert path.stat().st_size > KEEP_BYTES
    picture = embed_picture(path)
    assert picture is not None and picture.uri.startswith("data:image/jpeg")
    shown = Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1])))
    assert max(shown.size) == MAX_SIDE and (picture.width, picture.height) in (shown.size, (1600, 1200))
    red, green, blue = shown.getpixel((100, 200))  # type: ignore[misc]
    assert red > 180 and green < 60 and blue < 60


def test_a_picture_of_absurd_size_gives_none_and_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert embed_picture(path) is None


@pytest.mark.parametrize("content", [None, b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_gives_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    assert embed_picture(path) is None
