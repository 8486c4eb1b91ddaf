"""A second scan opens no file that is unchanged, and never says what a file held before it was changed."""

import json
import multiprocessing
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath

import pytest
from one_caption import find_caption
from picture_files import noise_picture, write_picture
from PIL import Image

from engine.data.captions import read_captions
from engine.data.folder import Stamp, list_files
from engine.data.headers import header_reader, read_size, read_sizes
from engine.data.scan_index import ScanIndex, index_file, load_index, save_index

OLD = 1_000_000_000  # seconds since 1970: a file of that age is settled
ENDINGS = [".caption", ".txt"]


@dataclass
class Found:
    """What a scan found, and which files it had to open for it."""

    sizes: dict[str, tuple[int, int]]
    errors: dict[str, str]
    texts: dict[str, str]
    opened: list[str]


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures with captions; what is written counts as settled at once, unless a test says other."""
    monkeypatch.setattr("engine.data.scan_index._YOUNG_NS", -(10**18))
    folder = tmp_path / "pictures"
    write_picture(folder / "a.png", (40, 20), caption="a cat")
    write_picture(folder / "b.jpg", (30, 20), caption="a dog")
    write_picture(folder / "sub/c.webp", (20, 20), caption="a cow")
    write_picture(folder / "sub/d.bmp", (10, 20), caption="an ant\nin the grass")
    return folder


def scan(folder: Path, *, cache: Path | None = None, all_lines: bool = False) -> Found:
    """One scan with the index that lies beside the folder."""
    file = index_file(cache or folder.parent / "cache", folder)
    opened: list[str] = []
    true_open = os.open

    def counting_open(path: str, flags: int, *rest: int) -> int:
        opened.append(os.path.relpath(path, folder))
        return true_open(path, flags, *rest)

    listing = list_files(folder)
    names = [name for name in listing.stamps if not name.endswith((*ENDINGS, ".md"))]
    index = load_index(file, reader=header_reader())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", counting_open)
        headers = read_sizes(listing, names, index)
        captions = read_captions(listing, names, ENDINGS, index, all_lines=all_lines)
    save_index(index, file, listing, reader=header_reader())
    return Found(sizes=headers.sizes, errors=headers.errors, texts=captions.texts, opened=opened)


def fresh(folder: Path) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """What a scan without any index finds."""
    found = scan(folder, cache=folder.parent / "cache of its own")
    assert found.opened
    return found.sizes, found.texts


def test_a_second_scan_finds_the_same_and_opens_nothing(pictures: Path) -> None:
    first, second = scan(pictures), scan(pictures)
    assert len(first.opened) == 8
    assert second.opened == []
    assert first.sizes == {
        "a.png": (40, 20),
        "b.jpg": (30, 20),
        "sub/c.webp": (20, 20),
        "sub/d.bmp": (10, 20),
    }
    assert first.texts == {"a.png": "a cat", "b.jpg": "a dog", "sub/c.webp": "a cow", "sub/d.bmp": "an ant"}
    assert (second.sizes, second.texts) == (first.sizes, first.texts)


def test_all_lines_of_a_caption_are_in_the_index(pictures: Path) -> None:
    scan(pictures)
    found = scan(pictures, all_lines=True)
    assert found.opened == []
    assert found.texts["sub/d.bmp"] == "an ant\nin the grass"


def test_files_edited_in_place_are_read_again_and_no_others(pictures: Path) -> None:
    scan(pictures)
    other = write_picture(pictures.parent / "other.png", (20, 20)).read_bytes()
    with (pictures / "a.png").open("r+b") as stream:  # under the same name, and as long as before
        stream.write(other)
    (pictures / "b.txt").write_text("a hog")
    found = scan(pictures)
    assert sorted(found.opened) == ["a.png", "b.txt"]
    assert found.sizes["a.png"] == (20, 20)
    assert found.texts["b.jpg"] == "a hog"
    assert (found.sizes, found.texts) == fresh(pictures)


def test_an_edit_that_keeps_size_and_date_is_seen(pictures: Path) -> None:
    path = pictures / "a.txt"
    os.utime(path, (OLD, OLD))
    scan(pictures)
    path.write_text("a bat")
    os.utime(path, (OLD, OLD))  # as programs do that keep the date of a picture which they turn
    assert scan(pictures).texts["a.png"] == "a bat"


def test_a_file_of_the_same_size_and_date_put_in_its_place_is_seen(pictures: Path) -> None:
    other = pictures.parent / "other.txt"
    other.write_text("a rat")
    for path in (pictures / "a.txt", other):
        os.utime(path, (OLD, OLD))
    scan(pictures)
    other.replace(pictures / "a.txt")
    assert scan(pictures).texts["a.png"] == "a rat"


def test_another_folder_of_the_same_name_is_not_taken_for_the_first(pictures: Path) -> None:
    scan(pictures)
    pictures.rename(pictures.parent / "earlier")
    write_picture(pictures / "a.png", (50, 50), caption="a fox")
    found = scan(pictures)
    assert (found.sizes, found.texts) == ({"a.png": (50, 50)}, {"a.png": "a fox"})


def test_renamed_pictures_are_found_under_their_new_name_alone(pictures: Path) -> None:
    scan(pictures)
    (pictures / "a.png").rename(pictures / "e.png")
    (pictures / "a.txt").rename(pictures / "e.txt")
    found = scan(pictures)
    assert sorted(found.opened) == ["e.png", "e.txt"]
    assert list(found.sizes) == list(found.texts) == ["b.jpg", "e.png", "sub/c.webp", "sub/d.bmp"]


def test_names_that_change_places_take_their_content_along(pictures: Path) -> None:
    scan(pictures)
    for old, new in (("a.txt", "x"), ("b.txt", "a.txt"), ("x", "b.txt")):
        (pictures / old).rename(pictures / new)
    texts = scan(pictures).texts
    assert (texts["a.png"], texts["b.jpg"]) == ("a dog", "a cat")


def test_removed_files_are_gone_and_leave_the_index(pictures: Path) -> None:
    scan(pictures)
    shutil.rmtree(pictures / "sub")
    (pictures / "a.txt").unlink()
    assert scan(pictures).texts == {"b.jpg": "a dog"}
    write_picture(pictures / "new.png", (8, 8), caption="new")
    scan(pictures)
    index = load_index(index_file(pictures.parent / "cache", pictures), reader=header_reader())
    assert sorted(index.sizes) == ["a.png", "b.jpg", "new.png"]
    assert sorted(index.texts) == ["b.txt", "new.txt"]


def test_a_caption_file_that_appears_before_another_wins(pictures: Path) -> None:
    scan(pictures)
    (pictures / "a.caption").write_text("first of all")
    assert scan(pictures).texts["a.png"] == "first of all"


def test_what_cannot_be_read_is_tried_again_each_time(pictures: Path) -> None:
    (pictures / "a.png").write_bytes(b"text")
    (pictures / "b.txt").write_bytes(b"\xff")
    (pictures / "link.png").symlink_to(pictures / "nowhere")
    for _ in range(2):
        found = scan(pictures)
        assert found.errors == {"a.png": "not a picture", "link.png": "a link to nothing"}
        assert "b.jpg" not in found.texts


def test_young_files_are_read_again_since_a_second_edit_could_share_their_date(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.data.scan_index._YOUNG_NS", 2_000_000_000)
    scan(pictures)
    found = scan(pictures)
    assert len(found.opened) == 8
    stamp: Stamp = (1, OLD, OLD, 1)
    listing = list_files(pictures)
    listing.stamps["a.png"] = stamp
    index = ScanIndex()
    index.add_sizes(listing, {"a.png": (1, 1), "b.jpg": (2, 2)})
    assert index.sizes == {"a.png": (stamp, (1, 1))}


@pytest.mark.parametrize("at", [0, 3, 40, 70, 90, 150, -1])
@pytest.mark.parametrize("kind", ["changed", "cut off"])
def test_a_damaged_index_is_made_again(pictures: Path, at: int, kind: str) -> None:
    whole = scan(pictures)
    file = index_file(pictures.parent / "cache", pictures)
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content if kind == "changed" else content[:at])
    again = scan(pictures)
    assert (again.sizes, again.texts, len(again.opened)) == (whole.sizes, whole.texts, 8)
    assert scan(pictures).opened == []


def test_an_index_of_another_reader_is_not_used(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(pictures)
    file = index_file(pictures.parent / "cache", pictures)
    assert load_index(file, reader="another version") == ScanIndex()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert scan(pictures).errors == {"a.png": "too large: a decompression bomb?"}


def test_a_cache_that_cannot_be_written_only_takes_longer(pictures: Path) -> None:
    closed = pictures.parent / "closed"
    closed.write_text("a file where a folder should be")  # root may write into any folder
    for _ in range(2):
        found = scan(pictures, cache=closed)
        assert len(found.sizes) == len(found.texts) == 4
        assert len(found.opened) == 8
    assert closed.read_text() == "a file where a folder should be"


def test_names_and_texts_of_any_letters_survive(pictures: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xf0\x9f\x98\x80\nline")  # not all of it is UTF-8
    noise_picture(9, 9).save(pictures / f"{name}.png")
    (pictures / f"{name}.txt").write_bytes("고양이 \u2028 😀\r\nsecond".encode())
    (pictures / "a.txt").write_bytes(b"nul\0inside")
    first, second = scan(pictures), scan(pictures)
    assert second.texts[f"{name}.png"] == "고양이 \u2028 😀"
    assert second.opened == ["a.txt"]
    assert (second.sizes, second.texts) == (first.sizes, first.texts)


def test_processes_that_scan_at_once_leave_a_whole_index(pictures: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(scan_often, [(pictures, number) for number in range(2)])
    (file,) = (pictures.parent / "cache/scan").iterdir()
    assert len(load_index(file, reader=header_reader()).texts) == 4


def scan_often(folder: Path, number: int) -> None:
    listing = list_files(folder)
    file = index_file(folder.parent / "cache", folder)
    for _ in range(50):
        index = load_index(file, reader=header_reader())
        assert len(index.texts) in (0, 4)
        index.sizes.clear()
        for name in ("a.txt", "b.txt", "sub/c.txt", "sub/d.txt"):
            index.texts[name] = listing.stamps[name] or (0, 0, 0, 0), f"{number} " * 10_000
        index.is_changed = True
        save_index(index, file, listing, reader=header_reader())


def test_an_index_belongs_to_a_folder_whatever_way_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    ways = (tmp_path / "real", tmp_path / "link", Path("real"), tmp_path / "real/../link")
    assert len({index_file(Path("cache"), way) for way in ways}) == 1
    assert index_file(Path("cache"), tmp_path) != index_file(Path("cache"), tmp_path / "real")


def test_files_are_listed_in_the_order_of_their_parts_with_their_stamps(tmp_path: Path) -> None:
    for name in ("b.png", "b/x.png", "b-c/x.png", "B.png", "a/b/c.png", ".hidden", ".thumbs/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "linked").symlink_to(tmp_path / ".thumbs")
    listing = list_files(tmp_path)
    assert list(listing.stamps) == [
        *("B.png", "a/b/c.png", "b/x.png", "b-c/x.png", "b.png"),
        *("dangling.txt", "linked/x.png", "pipe.txt"),
    ]
    assert [stamp and stamp[0] for stamp in listing.stamps.values()] == [5, 9, 7, 9, 5, None, 13, None]
    assert list(listing.stamps) == sorted(listing.stamps, key=lambda name: PurePath(name).parts)
    status = (tmp_path / "b.png").stat()
    assert listing.stamps["b.png"] == (5, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def test_captions_are_chosen_as_for_a_single_picture(tmp_path: Path) -> None:
    names = ["a.png", "a.b.png", "x_1_2_3_4.png", "x_2_2_3_4.png", "y_1_2_3.png", "sub_1_2_3_4/z.png"]
    names += ["both.png", "sub_1_2_3_4/x_1_2_3_4.JPG", "folder.png", "no.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        noise_picture(8, 8).save(tmp_path / name)
    texts = ["a.txt", "a.b.caption", "x.txt", "x_2_2_3_4.txt", "y.txt", "sub.txt", "sub_1_2_3_4/x.caption"]
    for name in [*texts, "both.txt", "both.caption"]:
        (tmp_path / name).write_text(json.dumps(name))
    (tmp_path / "folder.txt").mkdir()
    listing = list_files(tmp_path)
    captions = read_captions(listing, names, ENDINGS, ScanIndex())
    for name in names:
        alone = find_caption(tmp_path / name, ENDINGS)
        assert captions.files.get(name) == (alone and alone[0].relative_to(tmp_path).as_posix()), name
        assert captions.num_others.get(name, 0) == (alone[1] if alone else 0)
    assert captions.files["x_1_2_3_4.png"] == "x.txt"
    assert captions.num_others == {"both.png": 1}
    assert captions.texts["a.b.png"] == '"a.b.caption"'
    assert read_sizes(listing, names, ScanIndex()).sizes == {
        name: read_size(tmp_path / name) for name in names
    }
