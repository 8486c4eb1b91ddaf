"""Caption files: which is read, and what of it."""

from pathlib import Path

import pytest
from one_caption import find_caption, read_caption

BOTH = [".caption", ".txt"]


@pytest.mark.parametrize(
    ("content", "caption"),
    [
        (b"first line\nsecond", "first line"),
        (b"  padded \t\n", "padded"),
        (b"\nfirst is blank", ""),
        (b"one\r\ntwo\r\n", "one"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("개 한 마리".encode(), "개 한 마리"),
    ],
)
def test_the_first_line_is_the_caption(tmp_path: Path, content: bytes, caption: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert read_caption(tmp_path / "a.png", BOTH) == caption


def test_the_first_ending_that_is_there_wins(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("tags")
    (tmp_path / "a.caption").write_text("sentence")
    assert read_caption(tmp_path / "a.png", BOTH) == "sentence"
    assert read_caption(tmp_path / "a.png", [".txt", ".caption"]) == "tags"
    found = find_caption(tmp_path / "a.png", BOTH)
    assert found == (tmp_path / "a.caption", 1)


def test_a_cut_out_face_takes_the_caption_of_its_picture(tmp_path: Path) -> None:
    (tmp_path / "z.caption").write_text("face det caption")
    assert read_caption(tmp_path / "z_1_2_3_4.png", BOTH) == "face det caption"
    assert read_caption(tmp_path / "z_1_2_3.png", BOTH) is None
    (tmp_path / "z_1_2_3_4.txt").write_text("its own")
    assert read_caption(tmp_path / "z_1_2_3_4.png", BOTH) == "its own"


def test_no_file_is_no_caption(tmp_path: Path) -> None:
    assert read_caption(tmp_path / "a.png", BOTH) is None


@pytest.mark.parametrize(("content", "why"), [(b"", "empty"), ("é".encode("latin-1"), "not UTF-8")])
def test_a_file_without_a_usable_line_is_an_error(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=why):
        read_caption(tmp_path / "a.png", BOTH)
