"""Any folder of pictures becomes material: partners without the adapter, true pictures, notices."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from folder_toys import numbered, picture, put, read, seen
from PIL import Image, PngImagePlugin

from engine.config.errors import ConfigError
from evaluation.reading.reference_folder import count_copies

PROJECT = Path(__file__).parents[2]


def test_pictures_of_all_endings_and_sub_folders_are_found_sorted_by_the_parts_of_their_paths(
    tmp_path: Path,
) -> None:
    put(
        tmp_path, numbered("b.PNG", "a.webp", "a/z.jpeg", "a/b/c.bmp", "a-b/d.jpg", ".hidden.png", ".h/e.png")
    )
    put(
        tmp_path, {"note.md": "no picture", "evaluation/scores.json": "{}", "evaluation/thumb.png": picture()}
    )
    material = read(tmp_path)
    assert [file for _, _, _, file in seen(material)] == [
        "a/b/c.bmp",
        "a/z.jpeg",
        "a-b/d.jpg",
        "a.webp",
        "b.PNG",
    ]
    assert not any("evaluation/" in note for note in material.notices)


def test_no_picture_is_decoded_and_ten_thousand_pixels_are_never_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "p", numbered("a.png", "b.png"))
    put(tmp_path / "r", numbered("c.png", first=7))

    def refuse(*_: object) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(Image.Image, "load", refuse)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    assert len(read(tmp_path / "p", refs=tmp_path / "r").references) == 1


def test_base_pictures_pair_by_their_names_whatever_their_ending(tmp_path: Path) -> None:
    put(tmp_path / "p", {**numbered("x/a.png", "b.png"), "x/a.txt": "a dog", "b.txt": "a cat"})
    put(tmp_path / "base", numbered("b.jpg", "x/a.png", first=5))
    material = read(tmp_path / "p", base=tmp_path / "base")
    assert seen(material) == [(0, "a cat", 0, "b.png"), (1, "a dog", 0, "x/a.png")]
    base = {one.prompt: one for one in material.pictures["base"]}
    assert base["a cat"].path == tmp_path / "base/b.jpg" and base["a cat"].file == "../base/b.jpg"
    assert base["a dog"].path == tmp_path / "base/x/a.png"
    assert [(one.prompt_index, one.seed) for one in material.pictures["base"]] == [(0, 0), (1, 0)]


def test_base_pictures_of_other_names_pair_by_prompt_and_seed(tmp_path: Path) -> None:
    texts = [{"parameters": f"a dog\nSteps: 1, Seed: {seed}"} for seed in (3, 4)]
    put(tmp_path / "p", {"a.png": picture(1, texts=texts[0]), "b.png": picture(2, texts=texts[1])})
    put(tmp_path / "base", {"y.png": picture(3, texts=texts[0]), "x.png": picture(4, texts=texts[1])})
    material = read(tmp_path / "p", base=tmp_path / "base")
    assert seen(material, "base") == [(0, "a dog", 3, "../base/y.png"), (0, "a dog", 4, "../base/x.png")]


def test_base_samples_of_kohyas_trainer_pair_through_the_list_of_prompts(tmp_path: Path) -> None:
    name = "{}_000500_{:02d}_2024013112000{}_7.png"
    put(tmp_path / "p", numbered(*(name.format("fox", at, at) for at in range(2))))
    put(tmp_path / "base", numbered(*(name.format("plain", at, at + 5) for at in range(2)), first=5))
    put(tmp_path, {"l.txt": "a dog\na cat"})
    material = read(tmp_path / "p", base=tmp_path / "base", prompts=tmp_path / "l.txt")
    assert [(one.prompt, one.seed, one.path.name) for one in material.pictures["base"]] == [
        ("a dog", 7, name.format("plain", 0, 5)),
        ("a cat", 7, name.format("plain", 1, 6)),
    ]


def test_base_pictures_that_are_the_scored_ones_are_told(tmp_path: Path) -> None:
    put(tmp_path / "p", numbered("a.png", "b.png"))
    put(tmp_path / "base", {"a.png": picture(0), "b.png": picture(9)})
    notices = read(tmp_path / "p", base=tmp_path / "base").notices
    assert f"base={tmp_path}/base: 1 of 2 pictures are the scored ones, byte for byte" in notices


def test_a_folder_of_references_belongs_to_no_prompt_and_stands_in_for_training_pictures(
    tmp_path: Path,
) -> None:
    put(tmp_path / "p", numbered("a.png", "b.png"))
    put(tmp_path / "r", numbered("1.png", "sub/2.png", first=5))
    put(tmp_path / "t", numbered("3.png", first=9))
    material = read(tmp_path / "p", refs=tmp_path / "r", trigger="sks", class_word="dog")
    assert material.references == (tmp_path / "r/1.png", tmp_path / "r/sub/2.png")
    assert list(material.training) == list(material.references)
    assert (material.pictures["real"], material.trigger, material.class_word) == ([], "sks", "dog")
    assert f"training is not given: copies are looked for among refs={tmp_path}/r" in material.notices
    material = read(tmp_path / "p", refs=tmp_path / "r", training=tmp_path / "t")
    assert material.training == [tmp_path / "t/3.png"]


def test_a_manifest_of_references_pairs_them_and_tells_kind_and_tone_of_prompts_that_were_found(
    tmp_path: Path,
) -> None:
    put(tmp_path / "p", {**numbered("a.png", "b.png"), "a.txt": "a dog", "b.txt": "a tree"})
    put(tmp_path / "r", numbered("0.png", "1.png", first=5))
    rows = [
        {"prompt": "a dog", "tone": "dark", "references": ["0.png", "1.png"]},
        {"prompt": "a tree", "kind": "plain"},
        {"prompt": "a hen", "references": ["1.png"]},
    ]
    put(tmp_path / "r", {"prompts.json": json.dumps({"schema": 1, "prompts": rows})})
    material = read(tmp_path / "p", refs=tmp_path / "r/prompts.json")
    assert seen(material, "real") == [(0, "a dog", 0, "../r/0.png"), (0, "a dog", 1, "../r/1.png")]
    assert material.references == () and len(material.training) == 2
    assert material.tone("a dog") == "dark" and material.is_plain("a tree")
    assert f"refs={tmp_path}/r/prompts.json: 1 of its 3 prompts are not of the pictures" in material.notices


def test_copies_are_counted_by_their_bytes_however_alike_sizes_and_ends_are(tmp_path: Path) -> None:
    tail = b"x" * 5000
    files = {"a": b"1" + tail, "b": b"2" + tail, "c": b"3" + tail, "d": b"44" + tail, "e": b"1" + tail}
    put(tmp_path, files)
    paths = {name: tmp_path / name for name in files}
    assert count_copies([paths["a"], paths["b"]], [paths["c"], paths["d"]]) == 0
    assert count_copies([paths["a"], paths["b"]], [paths["c"], paths["e"]]) == 1
    assert count_copies([paths["a"], paths["e"]], [paths["e"]]) == 2
    assert count_copies([paths["a"]], [tmp_path / "gone"]) == 0


def test_one_prompt_is_said_to_give_no_interval(tmp_path: Path) -> None:
    put(tmp_path, {**numbered("a.png", "b.png"), "a.txt": "a dog", "b.txt": "a dog"})
    assert (
        f"images={tmp_path}: all 2 pictures are of one prompt: scores have no interval"
        in read(tmp_path).notices
    )


def test_pictures_of_the_same_bytes_are_counted(tmp_path: Path) -> None:
    put(tmp_path, {**numbered("a.png", "b.png"), "c.png": picture(0), "d.png": picture(0)})
    notices = read(tmp_path).notices
    assert f"images={tmp_path}: 2 of 4 pictures have the bytes of another one, and count beside it" in notices


def test_pictures_without_prompts_are_said_to_count_as_prompts_of_their_own(tmp_path: Path) -> None:
    note = (
        "without a prompt: each counts as a prompt of its own; if several were drawn from one, the intervals "
        "are too narrow"
    )
    put(tmp_path, {**numbered("a.png", "b.png", "c.png"), "a.txt": "a dog"})
    assert f"images={tmp_path}: 2 pictures {note}" in read(tmp_path).notices
    put(tmp_path, {"b.txt": "a dog"})
    assert f"images={tmp_path}: 1 picture {note}" in read(tmp_path).notices
    put(tmp_path, {"c.txt": "a cat"})
    assert read(tmp_path).notices == ()


def animated(kind: str, *, frames: int, **options: object) -> bytes:
    """A picture of several frames."""
    first, *others = (Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in range(0, 40 * frames, 40))
    stream = io.BytesIO()
    first.save(stream, kind, save_all=True, append_images=others, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animated_pictures_are_counted_and_still_ones_are_not(tmp_path: Path, kind: str) -> None:
    ending, still = f".{kind.lower()}", io.BytesIO()
    Image.new("RGB", (8, 8), (7, 7, 7)).save(still, kind, exif=Image.Exif())
    put(tmp_path, {f"a{ending}": animated(kind, frames=3), f"b{ending}": animated(kind, frames=2)})
    put(tmp_path, {f"c{ending}": animated(kind, frames=1), f"d{ending}": still.getvalue()})
    moving = f"images={tmp_path}: 2 of 4 pictures are animated: the first frame is scored"
    assert moving in read(tmp_path).notices
    for name in "ab":
        (tmp_path / f"{name}{ending}").unlink()
    assert not any("first frame" in note for note in read(tmp_path).notices)


def test_an_animated_picture_is_found_behind_long_texts_and_a_cut_one_is_passed_over(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a dog " * 5000)
    whole = animated("PNG", frames=2, pnginfo=info)
    put(tmp_path, {"a.png": whole, "b.png": whole[:10], "c.webp": b"RIFF", "d.png": b"", "e.png": whole[:40]})
    assert (
        f"images={tmp_path}: 1 of 5 pictures are animated: the first frame is scored"
        in read(tmp_path).notices
    )


def test_words_that_change_nothing_are_told_or_refused(tmp_path: Path) -> None:
    put(tmp_path, {**numbered("a.png", "b.png"), "a.txt": "a SKS dog", "b.txt": "a cat"})
    assert not any("trigger" in note for note in read(tmp_path, trigger="ohwx, sks").notices)
    assert "trigger=ohwx: no prompt of the pictures holds it" in read(tmp_path, trigger="ohwx").notices
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, class_word="dog")
    assert caught.value.problems == [
        "class_word=dog: stands for trigger words, and none are given. Give trigger too."
    ]


def test_a_folder_is_read_without_torch(tmp_path: Path) -> None:
    put(tmp_path, {**numbered("a.png"), "e.csv": "path,score\na.png,1"})
    program = (
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"
        "from pathlib import Path\n"
        "from evaluation.reading.folder import FolderRequest, read_folder_material\n"
        f"here = Path({str(tmp_path)!r})\n"
        "read_folder_material(FolderRequest(images=here, external_scores=here / 'e.csv'))\n"
        "print([name for name in ('torch', 'transformers', 'diffusers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "no", refs=tmp_path / "nor", base=tmp_path / "nil", prompts=tmp_path / "not.csv")
    assert [problem.partition("=")[0] for problem in caught.value.problems] == [
        "images",
        "prompts",
        "refs",
        "base",
    ]
