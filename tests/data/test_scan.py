"""What a folder of pictures shows before anything is decoded, and each sentence that refuses one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fingerprint_of import fingerprint_of
from picture_files import noise_picture, write_picture
from PIL import Image

from engine.config import DatasetConfig
from engine.data.fingerprints import difference, picture_fingerprints
from engine.data.scan import Picture, Scan, scan_folder


def scan(folder: Path, **options: object) -> Scan:
    return scan_folder(DatasetConfig(path="photos", **options), folder)  # type: ignore[arg-type]


def only_problem(folder: Path, **options: object) -> str:
    problems = scan(folder, **options).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_pictures_come_with_size_and_caption_in_sorted_order(tmp_path: Path) -> None:
    write_picture(tmp_path / "sub/c.webp", (30, 20), caption="third")
    write_picture(tmp_path / "b.JPG", (10, 20), caption="second")
    write_picture(tmp_path / "a.png", (40, 50), caption="first")
    write_picture(tmp_path / "Z.bmp", (8, 8), caption="capital letters sort first")
    write_picture(tmp_path / ".hidden.png")
    write_picture(tmp_path / ".thumbs/d.png")
    found = scan(tmp_path, num_repeats=3)
    assert found.problems == []
    assert [found.name(picture) for picture in found.pictures] == ["Z.bmp", "a.png", "b.JPG", "sub/c.webp"]
    assert found.pictures[1] == Picture(
        path=tmp_path / "a.png",
        width=40,
        height=50,
        caption="first",
        caption_file=tmp_path / "a.txt",
        repeats=3,
        subset=found.subsets[0],
    )
    assert (found.pictures[3].width, found.pictures[3].height) == (30, 20)
    assert found.captions_by_ending == {".txt": 4}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    ("turn", "size"), [(1, (40, 20)), (3, (40, 20)), (6, (20, 40)), (8, (20, 40)), (99, (40, 20))]
)
def test_the_size_is_that_of_the_picture_as_it_is_shown(
    tmp_path: Path, ending: str, turn: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    noise_picture(40, 20).save(tmp_path / f"a.{ending}", exif=exif)
    picture = scan(tmp_path, class_tokens="x").pictures[0]
    assert (picture.width, picture.height) == size


def test_pictures_without_a_caption_take_the_class_tokens(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", caption="its own")
    write_picture(tmp_path / "b.png")
    found = scan(tmp_path, class_tokens="sks dog")
    assert [picture.caption for picture in found.pictures] == ["its own", "sks dog"]
    assert found.notes == ["1 picture without a caption file; class_tokens is their caption"]


def test_the_plan_hears_of_captions_that_are_passed_over_shared_or_blank(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", caption="tags")
    (tmp_path / "a.caption").write_text("sentence")
    write_picture(tmp_path / "b.png", caption="shared")
    write_picture(tmp_path / "b.jpg")
    write_picture(tmp_path / "c.png", caption="\n")
    noise_picture(8, 8).save(tmp_path / "d.gif")
    found = scan(tmp_path)
    assert found.problems == []
    assert [picture.caption for picture in found.pictures] == ["sentence", "shared", "shared", ""]
    assert found.notes == [
        "1 picture with several caption files; the first of .caption, .txt is read",
        "1 picture with an empty caption: the first line of the file is blank",
        "1 picture with a caption file that another picture uses too",
        "left out, not a format that is read: 1 .gif",
    ]


def test_captions_equal_the_reference(tmp_path: Path) -> None:
    for name in "exwyz":
        write_picture(tmp_path / f"{name}{'_1_2_3_4' * (name == 'z')}.png")
    for name, text in {"x": "first line\nsecond", "e": "\nfirst is blank", "w": "  padded  "}.items():
        (tmp_path / f"{name}.caption").write_text(text)
    (tmp_path / "z.caption").write_text("face det caption")
    found = scan(tmp_path, class_tokens="class tok")
    golden = json.loads((Path(__file__).parents[1] / "golden/h_dataset.json").read_text())
    reference = golden["caption_reading"][0]
    assert not reference["enable_wildcard"]
    assert {found.name(picture): picture.caption for picture in found.pictures} == reference["captions"]


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert only_problem(Path("photos")) == (
        f"dataset.path=photos: there is no such folder in {tmp_path}. Check the path."
    )
    assert (
        only_problem(tmp_path / "photos") == "dataset.path=photos: there is no such folder. Check the path."
    )


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    file = write_picture(tmp_path / "a.png")
    assert only_problem(file) == "dataset.path=photos: this is a file. Give the folder that it lies in."


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    problem = only_problem(tmp_path)
    assert problem.startswith("dataset.path=photos: the folder is empty. Put pictures into it (")
    assert "png" in problem


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "a.png").mkdir()  # a folder, whatever its name
    assert only_problem(tmp_path).startswith("dataset.path=photos: no picture among its 1 file.")


def test_pictures_without_captions_and_class_tokens_are_refused_with_what_was_seen(tmp_path: Path) -> None:
    for number in range(7):
        write_picture(tmp_path / f"p{number}.png", caption="x" if number == 6 else None)
    assert only_problem(tmp_path, caption_extension=[".caption"]) == (
        "dataset.path=photos: 7 of 7 pictures without a caption: p0.png, p1.png, p2.png, p3.png, p4.png "
        "and 2 more. Caption files in the folder: 1 .txt; read are .caption. "
        "Put a text file beside each picture, or set dataset.class_tokens."
    )
    assert "6 of 7 pictures without a caption" in only_problem(tmp_path)


def test_class_tokens_that_no_picture_uses_are_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", caption="x")
    assert only_problem(tmp_path, class_tokens="sks dog") == (
        "dataset.class_tokens=sks dog: every picture has a caption of its own. Leave it out."
    )


def test_caption_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", "é".encode("latin-1")), ("c", b"fine")):
        write_picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_bytes(content)
    assert only_problem(tmp_path) == (
        "dataset.path=photos: 2 caption files cannot be used: a.txt (empty), b.txt (not UTF-8). "
        "Write the caption into the first line, in UTF-8."
    )


def test_every_unreadable_picture_is_named_with_its_cause(tmp_path: Path) -> None:
    write_picture(tmp_path / "good.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not pixels")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "cut.jpg").write_bytes(write_picture(tmp_path / "good.jpg").read_bytes()[:30])
    problem = only_problem(tmp_path, class_tokens="x")
    assert problem.startswith("dataset.path=photos: 4 of 6 pictures cannot be read: cut.jpg (")
    assert "empty.png (empty), link.png (a link to nothing), text.png (not a picture)" in problem
    assert problem.endswith("Repair or remove them.")


def test_a_decompression_bomb_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "bomb.png", (100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    assert "bomb.png (too large: a decompression bomb?)" in only_problem(tmp_path, class_tokens="x")


def test_a_large_photograph_below_the_limit_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    write_picture(tmp_path / "large.png", (100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    assert scan(tmp_path, class_tokens="x").problems == []
    assert len(recwarn) == 0


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png")
    (tmp_path / "b.txt").write_bytes(b"")
    (tmp_path / "c.png").write_bytes(b"")
    assert len(scan(tmp_path).problems) == 3


def test_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "a.png", caption="x")
    write_picture(tmp_path / "sub/b.png", caption="x")
    true_scandir = os.scandir

    def closed_scandir(path: str) -> object:  # root opens every folder, whatever its mode
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return true_scandir(path)

    monkeypatch.setattr(os, "scandir", closed_scandir)
    assert "no permission to open sub." in only_problem(tmp_path)


def test_a_link_back_to_the_folder_is_walked_once(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", caption="x")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(scan(tmp_path).pictures) == 1


def test_the_fingerprint_follows_bytes_captions_names_and_repeats_but_not_dates(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", caption="x")
    before = fingerprint_of(scan(tmp_path))
    os.utime(path, (1, 1))
    assert fingerprint_of(scan(tmp_path)) == before
    prints = {before, fingerprint_of(scan(tmp_path, num_repeats=2))}
    (tmp_path / "a.txt").write_text("y")
    prints.add(fingerprint_of(scan(tmp_path)))
    noise_picture(64, 64, seed=1).save(path)
    prints.add(fingerprint_of(scan(tmp_path)))
    path.rename(tmp_path / "b.png")
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    prints.add(fingerprint_of(scan(tmp_path)))
    assert len(prints) == 5


def test_the_scan_does_not_import_torch() -> None:
    code = (
        "import engine.data.scan, engine.data.buckets, engine.data.batches, sys;"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_what_a_plugin_of_pillow_raises_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The plugin for JPEG XL raises RuntimeError for a file that is cut off.
    write_picture(tmp_path / "a.bmp", caption="x")

    def broken(source: object) -> object:
        raise RuntimeError("libjxl says no")

    monkeypatch.setattr("engine.data.headers.open_picture", broken)
    monkeypatch.setattr(
        "engine.data.headers.read_headers", lambda folder, names, **rest: [None for _ in names]
    )
    assert "a.bmp (damaged: libjxl says no)" in only_problem(tmp_path)


def test_a_difference_names_the_pictures(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_picture(tmp_path / f"{name}.png", caption=name)
    before = picture_fingerprints(scan(tmp_path))
    assert list(before) == ["a.png", "b.png", "c.png"]
    (tmp_path / "a.txt").write_text("other")
    (tmp_path / "c.png").rename(tmp_path / "d.png")
    (tmp_path / "c.txt").rename(tmp_path / "d.txt")
    after = picture_fingerprints(scan(tmp_path))
    assert difference(before, after) == "changed: a.png; new: d.png; gone: c.png"
