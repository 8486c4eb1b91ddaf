"""Pictures and captions that are broken or odd, each way to give them: what is told of them, word for word."""
# ruff: noqa: E501

import builtins
import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from picture_files import noise_picture
from rich.console import Console

from engine.compose.plan import Plan, print_plan
from engine.compose.plan_table import print_subsets
from engine.config import ConfigError, RunConfig
from engine.config.outcome import Outcome
from engine.training.train import train
from tests.test_refusals import answer
from tests.training.toy_runs import small_run

Write = Callable[[Path], None]  # into an empty folder; HERE stands for it in options, files and sentences


@dataclass(slots=True, frozen=True)
class Refused:
    """No run starts."""

    sentences: Sequence[str]


@dataclass(slots=True, frozen=True)
class Read:
    """The pictures that are found, with their captions, and what the plan notes."""

    captions: Mapping[str, str]
    notes: Sequence[str] = ()


@dataclass(slots=True, frozen=True)
class Trained:
    """The run ends well; what it left out, and what it warned of."""

    skipped: Sequence[str] = ()
    warnings: Sequence[str] = ()


@dataclass(slots=True, frozen=True)
class Stopped:
    """Only decoding finds it, and nothing is left to train on."""

    sentences: Sequence[str]


@dataclass(slots=True, frozen=True)
class Case:
    name: str
    writes: Sequence[Write]
    options: Sequence[str]
    outcome: Refused | Read | Trained | Stopped
    closed: str | None = None  # a file or folder that nobody may open


def encoded(
    width: int = 64, height: int = 64, kind: str = "PNG", *, seed: int = 0, exif: bytes = b""
) -> bytes:
    stream = io.BytesIO()
    noise_picture(width, height, seed=seed).save(stream, kind, **({"exif": exif} if exif else {}))
    return stream.getvalue()


PNG, OTHER, JPEG = encoded(), encoded(seed=1), encoded(kind="JPEG", seed=2)
CUT_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12"  # five entries are announced, half of one is there
NO_TEXT = os.fsdecode(b"caf\xe9")  # Latin-1 where file names are UTF-8


def of_size(width: int, height: int) -> bytes:
    """A PNG whose header says so, whatever lies behind it."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + PNG[33:]


def damaged(png: bytes) -> bytes:
    """With a byte of its pixels another one."""
    return png[:300] + bytes([png[300] ^ 255]) + png[301:]


def put(files: Mapping[str, bytes | str]) -> Write:
    def write(folder: Path) -> None:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content.replace("HERE", str(folder)).encode() if isinstance(content, str) else content
            path.write_bytes(text)

    return write


def folder(name: str) -> Write:
    return lambda here: (here / name).mkdir(parents=True)


def link(name: str, to: str) -> Write:
    return lambda here: (here / name).symlink_to(to)


def metadata(entries: object) -> Write:
    """A metadata file beside a folder with one picture."""
    return put({"m.json": entries if isinstance(entries, bytes) else json.dumps(entries), "p/a.png": PNG})


def dataset(name: str, text: str) -> Write:
    """A dataset file beside a folder of one picture, a metadata file and a folder without captions."""
    captions = json.dumps({"a": {"caption": "a dog"}})
    return put({name: text, "p/a.png": PNG, "p/a.txt": "a dog", "bare/b.png": OTHER, "m.json": captions})


GOOD = put({"a.png": PNG, "a.txt": "a dog"})
PHOTOS = put({"p/a.png": PNG, "p/a.txt": "a dog", "p/b.png": OTHER, "p/b.txt": "a cat"})
CAPTION = put({"b.txt": "a cat"})
HERE, P = ["dataset.path=HERE"], ["dataset.path=HERE/p"]
KOHYA = ["dataset=kohya_folder", *HERE]
META = [*P, "dataset.metadata_file=HERE/m.json"]
MASKS = [*P, "dataset.mask_dir=HERE/m"]
TOML = ["dataset=kohya_toml", "dataset.config_file=HERE/d.toml"]
YAML = ["dataset=subsets", "dataset.config_file=HERE/d.yaml"]
HEAD = "[[datasets]]\nresolution = 64\n"
SUBSET = "[[datasets.subsets]]\nimage_dir = 'HERE/p'\n"
OWN = "datasets:\n- resolution: 64\n  subsets:\n  - image_dir: HERE/p\n"
ENDINGS = "(avif, bmp, jpeg, jpg, png, webp)"
REPAIR = "Repair or remove them."
UTF_8 = "Write the caption into the first line, in UTF-8."
BESIDE = "read are .caption, .txt. Put a text file beside each picture"
ENTRY = '{"caption": "...", "tags": "..."}'
OF_META = "dataset.path=HERE/p: dataset.metadata_file=HERE/m.json:"
OF_MASKS = "dataset.path=HERE/p: mask_dir=HERE/m:"
SAME_MASK = "Put a picture of the same name and size there for each."
BROKEN = "damaged: broken data stream when reading image file"  # Pillow's words, as those below
CUT_OFF = "damaged: image file is truncated (27 bytes not processed)"
FIRST = "HERE/d.toml, [[datasets]] 1"

CASES = [
    # the folder
    Case("no such folder", [], ["dataset.path=HERE/none"], Refused(["dataset.path=HERE/none: there is no such folder. Check the path."])),
    Case("a file given as the folder", [GOOD], ["dataset.path=HERE/a.png"], Refused(["dataset.path=HERE/a.png: this is a file. Give the folder that it lies in."])),
    Case("an empty folder", [], HERE, Refused([f"dataset.path=HERE: the folder is empty. Put pictures into it {ENDINGS}."])),
    Case("a folder of other files", [put({"a.pdf": "x", "b.md": "x"})], HERE, Refused([f"dataset.path=HERE: no picture among its 2 files. Give a folder with pictures {ENDINGS}."])),
    Case("a folder within it that nobody may open", [GOOD, put({"sub/b.png": PNG})], HERE, Refused(["dataset.path=HERE: no permission to open sub. Allow it, or move it away."]), closed="sub"),
    Case("a loop of folders", [GOOD, folder("sub"), link("sub/back", "..")], HERE, Read({"a.png": "a dog"})),
    Case("a folder with blanks and umlauts", [put({"Größe 2/ä b.png": PNG, "Größe 2/ä b.txt": "ein Hund"})], ["dataset.path='HERE/Größe 2'"], Read({"ä b.png": "ein Hund"})),
    # pictures
    Case("an empty file", [GOOD, CAPTION, put({"b.png": b""})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (empty). {REPAIR}"])),
    Case("a text renamed to png", [GOOD, CAPTION, put({"b.png": "a cat"})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (not a picture). {REPAIR}"])),
    Case("a JPEG cut off in its header", [GOOD, CAPTION, put({"b.jpg": JPEG[:100]})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.jpg (damaged: Truncated File Read). {REPAIR}"])),
    Case("a PNG cut off in its header", [GOOD, CAPTION, put({"b.png": PNG[:20]})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (damaged: Truncated File Read). {REPAIR}"])),
    Case("a picture of zero size", [GOOD, CAPTION, put({"b.png": of_size(0, 64)})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (not a picture). {REPAIR}"])),
    Case("a decompression bomb", [GOOD, CAPTION, put({"b.png": of_size(30000, 30000)})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (too large: a decompression bomb?). {REPAIR}"])),
    Case("a dangling link", [GOOD, CAPTION, link("b.png", "none.png")], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (a link to nothing). {REPAIR}"])),
    Case("a loop of links", [GOOD, CAPTION, link("b.png", "c.png"), link("c.png", "b.png"), put({"c.txt": "x"})], HERE, Refused([f"dataset.path=HERE: 2 of 3 pictures cannot be read: b.png (a link to nothing), c.png (a link to nothing). {REPAIR}"])),
    Case("a picture that nobody may read", [GOOD, CAPTION, put({"b.png": OTHER})], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures cannot be read: b.png (no permission to read it). {REPAIR}"]), closed="b.png"),
    Case("a broken picture with a line break in its name", [GOOD, put({"b\nc.png": b"", "b\nc.txt": "x"})], HERE, Refused([rf"dataset.path=HERE: 1 of 2 pictures cannot be read: b\nc.png (empty). {REPAIR}"])),
    Case("a broken picture whose name is no text", [GOOD, put({f"{NO_TEXT}.png": b"", f"{NO_TEXT}.txt": "x"})], HERE, Refused([rf"dataset.path=HERE: 1 of 2 pictures cannot be read: caf\udce9.png (empty). {REPAIR}"])),
    Case("a good picture whose name is no text", [put({f"{NO_TEXT}.png": PNG, f"{NO_TEXT}.txt": "a dog"})], HERE, Read({f"{NO_TEXT}.png": "a dog"})),
    Case("a folder called b.png", [GOOD, folder("b.png")], HERE, Read({"a.png": "a dog"})),
    Case("pictures in a folder called b.png", [GOOD, put({"b.png/c.png": OTHER, "b.png/c.txt": "a cat"})], HERE, Read({"a.png": "a dog", "b.png/c.png": "a cat"})),
    Case("a picture of 1x10000", [put({"a.png": encoded(1, 10000), "a.txt": "a line"})], HERE, Read({"a.png": "a line"}, ["enlarged more than twice, and soft for it: a.png (1x10000, 32.0x)"])),
    Case("a PNG called jpg", [put({"a.jpg": PNG, "a.txt": "a dog"})], HERE, Read({"a.jpg": "a dog"})),
    Case("formats that are not read among the pictures", [GOOD, put({"b.gif": b"GIF89a", "c.tif": b"II*\0", "d.gif": b""})], HERE, Read({"a.png": "a dog"}, ["left out, not a format that is read: 2 .gif", "left out, not a format that is read: 1 .tif"])),
    Case("the same stem twice", [GOOD, put({"a.jpg": JPEG})], HERE, Read({"a.jpg": "a dog", "a.png": "a dog"}, ["1 picture with a caption file that another picture uses too"])),
    # captions
    Case("a caption with a byte order mark and CRLF", [put({"a.png": PNG, "a.txt": b"\xef\xbb\xbfa dog\r\nsecond line\r\n"})], HERE, Read({"a.png": "a dog"})),
    Case("a caption in Latin-1", [GOOD, put({"b.png": OTHER, "b.txt": "café".encode("latin-1")})], HERE, Refused([f"dataset.path=HERE: 1 caption file cannot be used: b.txt (not UTF-8). {UTF_8}"])),
    Case("a caption in UTF-16", [GOOD, put({"b.png": OTHER, "b.txt": "a cat".encode("utf-16")})], HERE, Refused([f"dataset.path=HERE: 1 caption file cannot be used: b.txt (not UTF-8). {UTF_8}"])),
    Case("an empty caption file", [GOOD, put({"b.png": OTHER, "b.txt": b""})], HERE, Refused([f"dataset.path=HERE: 1 caption file cannot be used: b.txt (empty). {UTF_8}"])),
    Case("a caption of nothing but a byte order mark", [GOOD, put({"b.png": OTHER, "b.txt": b"\xef\xbb\xbf"})], HERE, Refused([f"dataset.path=HERE: 1 caption file cannot be used: b.txt (empty). {UTF_8}"])),
    Case("a caption whose first line is blank", [GOOD, put({"b.png": OTHER, "b.txt": "\na cat"})], HERE, Read({"a.png": "a dog", "b.png": ""}, ["1 picture with an empty caption: the first line of the file is blank"])),
    Case("a caption that nobody may read", [GOOD, CAPTION, put({"b.png": OTHER})], HERE, Refused(["dataset.path=HERE: 1 caption file cannot be used: b.txt (Permission denied). Make sure that each can be opened and has the caption in its first line, in UTF-8."]), closed="b.txt"),
    Case("a caption file that is a folder", [GOOD, put({"b.png": OTHER}), folder("b.txt")], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures without a caption: b.png. Caption files in the folder: 1 .txt; {BESIDE}, or set dataset.class_tokens."])),
    Case("a caption that is a link to itself", [GOOD, put({"b.png": OTHER}), link("b.txt", "b.txt")], HERE, Refused([f"dataset.path=HERE: 1 of 2 pictures without a caption: b.png. Caption files in the folder: 2 .txt; {BESIDE}, or set dataset.class_tokens."])),
    Case("captions in .text files", [put({"a.png": PNG, "a.text": "a dog", "b.png": OTHER, "b.text": "a cat"})], HERE, Refused([f"dataset.path=HERE: 2 of 2 pictures without a caption: a.png, b.png. Caption files in the folder: 2 .text; {BESIDE}, or set dataset.class_tokens."])),
    Case("two captions of one picture", [GOOD, put({"a.caption": "a puppy"})], HERE, Read({"a.png": "a puppy"}, ["1 picture with several caption files; the first of .caption, .txt is read"])),
    Case("class tokens that no picture takes", [GOOD], [*HERE, "dataset.class_tokens=dog"], Refused(["dataset.class_tokens=dog: every picture has a caption of its own. Leave it out."])),
    Case("weights that cannot be read", [put({"a.png": PNG, "a.txt": "a (dog:1.2.3) asleep"})], [*HERE, "model.weighted_captions=true"], Refused([r"HERE/a.txt: a (dog:1.2.3) asleep: (dog:1.2.3): 1.2.3 is not a weight. Write a number, as in (text:1.2), or \( and \) where the brackets are text."])),
    # what the run asks for
    Case("a validation split of one picture", [GOOD], [*HERE, "dataset.validation_split=0.5"], Refused(["dataset.path=HERE: dataset.validation_split=0.5: 1 picture cannot be split. Add others, or give 0."])),
    Case("a validation split of equal pictures", [GOOD, CAPTION, put({"b.png": PNG})], [*HERE, "dataset.validation_split=0.5"], Refused(["dataset.path=HERE: dataset.validation_split=0.5: 2 pictures that are all the same cannot be split. Add others, or give 0."])),
    Case("a validation split that is too small", [GOOD, CAPTION, put({"b.png": OTHER})], [*HERE, "dataset.validation_split=0.1"], Refused(["dataset.path=HERE: dataset.validation_split=0.1 of 2 pictures is none. Give a larger share, or 0."])),
    Case("face crops without a face in any name", [GOOD], [*HERE, "dataset.face_crop_aug_range=[1.0,3.0]", "dataset.cache_latents=false"], Refused(["dataset.path=HERE: dataset.face_crop_aug_range: no picture's name tells of a face. Name them name_x_y_width_height.png, or leave it out."])),
    Case("a cache folder that may only be read", [PHOTOS, folder("cache")], [*P, "cache_dir=HERE/cache"], Refused(["cache_dir=HERE/cache: HERE/cache can't be written to. Give another folder."]), closed="cache"),
    Case("a cache folder that is a file", [PHOTOS], [*P, "cache_dir=HERE/p/a.txt"], Refused(["cache_dir=HERE/p/a.txt: HERE/p/a.txt is a file. Give another folder."])),
    # metadata
    Case("no metadata file", [GOOD, folder("p")], META, Refused([f"{OF_META} no such file. Check the path."])),
    Case("metadata that is a folder", [folder("p"), folder("m.json")], META, Refused([f"{OF_META} this is a folder. Give the file."])),
    Case("metadata that nobody may read", [metadata({"a": {"caption": "a dog"}})], META, Refused([f"{OF_META} cannot be opened (Permission denied). Allow it."]), closed="m.json"),
    Case("metadata that is no JSON", [metadata(b'{"a": {"caption": "a dog"}')], META, Refused([f"{OF_META} not JSON (Expecting ',' delimiter: line 1 column 27 (char 26)). Correct it."])),
    Case("metadata in Latin-1", [metadata(b'{"a": {"caption": "caf\xe9"}}')], META, Refused([f"{OF_META} not UTF-8. Save it in that encoding."])),
    Case("metadata that is a list", [metadata([{"caption": "a dog"}])], META, Refused([OF_META + ' no entries. Write {"a.png": {"caption": "..."}, ...}.'])),
    Case("entries that are texts and numbers", [metadata({"a": "a dog", "b": {"tags": 3}})], META, Refused([f"{OF_META} entries that are no {ENTRY}: a, b. Correct them."])),
    Case("an entry without a picture", [metadata({"a": {"caption": "a dog"}, "b": {"caption": "a cat"}})], META, Refused([f"{OF_META} 1 of 2 entries without a picture: b. Correct dataset.path or the file."])),
    Case("entries that lead out of the folder", [GOOD, metadata({"../a": {"caption": "x"}, "/etc/b.png": {"caption": "x"}})], META, Refused([f"{OF_META} 2 of 2 entries that lead out of HERE/p: ../a, /etc/b.png. Give the folder that holds all of them."])),
    Case("an entry that fits two pictures", [metadata({"a": {"caption": "a dog"}}), put({"p/a.jpg": JPEG})], META, Refused([f"{OF_META} 1 of 1 entries that fit several pictures: a (a.jpg and a.png). Write the name with its ending."])),
    Case("two entries of one picture", [metadata({"a": {"caption": "a dog"}, "a.png": {"caption": "a cat"}})], META, Refused([f"{OF_META} 1 of 2 entries that name a picture that another entry names: a.png. Keep one."])),
    Case("an entry with neither caption nor tags", [metadata({"a": {"image_size": [64, 64]}})], META, Refused([f"{OF_META} 1 of 1 entries with neither caption nor tags: a. Write one."])),
    Case("metadata of a folder that is not there", [put({"m.json": '{"a": {"caption": "x"}}'})], META, Refused(["dataset.path=HERE/p: there is no such folder. Check the path."])),
    Case("metadata of a broken picture", [metadata({"a": {"caption": "a dog"}}), put({"p/a.png": "text"})], META, Refused([f"dataset.path=HERE/p: 1 of 1 picture cannot be read: a.png (not a picture). {REPAIR}"])),
    # masks
    Case("no folder of masks", [PHOTOS], MASKS, Refused([f"{OF_MASKS} there is no such folder. Check the path."])),
    Case("masks missing, of another size, broken", [PHOTOS, put({"p/c.jpg": JPEG, "p/c.txt": "x", "m/b.png": encoded(32, 16), "m/c.png": b"x"})], MASKS, Refused([f"{OF_MASKS} 3 pictures without a mask that fits: a.png (none), b.png (mask of 32x16, picture of 64x64), c.jpg (not a picture). {SAME_MASK}"])),
    # kohya's folders
    Case("a wrong parent of kohya's folders", [put({"dogs/a.png": PNG, "cats/b.png": OTHER})], KOHYA, Refused(["dataset.path=HERE: none of its folders (2) is named <repeats>_<words>, as 10_shs dog. Give the parent of such folders, or use dataset=folder."])),
    Case("one of kohya's folders instead of its parent", [put({"10_shs dog/a.png": PNG})], ["dataset=kohya_folder", "dataset.path='HERE/10_shs dog'"], Refused(["dataset.path=HERE/10_shs dog: a folder <repeats>_<words> itself. Give its parent: HERE."])),
    Case("a kohya folder without pictures", [folder("10_dog")], KOHYA, Refused([f"dataset.path=HERE/10_dog: the folder is empty. Put pictures into it {ENDINGS}."])),
    Case("a kohya folder without words or captions", [put({"10/a.png": PNG, "10/b.png": OTHER})], KOHYA, Refused([f"dataset.path=HERE/10: 2 of 2 pictures without a caption: a.png, b.png. Caption files in the folder: none; {BESIDE}, or name the folder <repeats>_<words>, as 10_shs dog."])),
    Case("no regularisation folder", [put({"p/10_dog/a.png": PNG})], ["dataset=kohya_folder", *P, "dataset.reg_path=HERE/reg"], Refused(["dataset.reg_path=HERE/reg: there is no such folder. Check the path."])),
    Case("a kohya parent that nobody may open", [put({"10_dog/a.png": PNG})], KOHYA, Refused(["dataset.path=HERE: no permission to open it. Allow it."]), closed="."),
    Case("a kohya folder without a number, and loose pictures", [put({"10_dog/a.png": PNG, "cats/b.png": OTHER, "c.png": OTHER})], KOHYA, Read({"10_dog/a.png": "dog"}, ["pictures beside the folders are not read: 1", "folders without a number in front are not read: cats", "10_dog: 1 picture without a caption file; class_tokens is their caption"])),
    # dataset files
    Case("no dataset file", [], TOML, Refused(["HERE/d.toml: no such file. Check the path."])),
    Case("a dataset file that nobody may read", [put({"d.toml": ""})], TOML, Refused(["HERE/d.toml: cannot be opened (Permission denied). Allow it."]), closed="d.toml"),
    Case("a dataset file that is no TOML", [put({"d.toml": "[general"})], TOML, Refused(["HERE/d.toml: not TOML: Expected ']' at the end of a table declaration (at end of document). Correct it."])),
    Case("a Windows path in double quotes", [put({"d.toml": f'{HEAD}[[datasets.subsets]]\nimage_dir = "C:\\photos"'})], TOML, Refused([r"HERE/d.toml: not TOML: Unescaped '\' in a string (at line 4, column 18). Write paths with / or in single quotes."])),
    Case("an empty dataset file", [put({"d.toml": ""})], TOML, Refused(["HERE/d.toml: no [[datasets]]. Add one with [[datasets.subsets]] in it."])),
    Case("an unknown key", [dataset("d.toml", f"{HEAD}{SUBSET}num_repeat = 2")], TOML, Refused([f"{FIRST}, subset 1: num_repeat=2: unknown key (did you mean num_repeats?)."])),
    Case("an unknown table", [dataset("d.toml", f"[generall]\n{HEAD}{SUBSET}")], TOML, Refused(["HERE/d.toml: generall={}: unknown table (did you mean general?)."])),
    Case("a dataset without subsets", [dataset("d.toml", HEAD)], TOML, Refused([f"{FIRST}: no subset. Add [[datasets.subsets]] with image_dir."])),
    Case("subsets of two kinds in one dataset", [dataset("d.toml", f"{HEAD}{SUBSET}[[datasets.subsets]]\nmetadata_file = 'HERE/m.json'")], TOML, Refused([f"{FIRST}: its subsets are of several kinds: dreambooth (1) and metadata (2). Give each kind its own [[datasets]]."])),
    Case("regularisation pictures of metadata", [dataset("d.toml", f"{HEAD}[[datasets.subsets]]\nmetadata_file = 'HERE/m.json'\nis_reg = true")], TOML, Refused([f"{FIRST}, subset 1: is_reg=true: a metadata subset takes no regularisation pictures. Leave it out."])),
    Case("nothing but regularisation pictures", [dataset("d.toml", f"{HEAD}{SUBSET}is_reg = true")], TOML, Refused([f"{FIRST}: only regularisation pictures are left to train on. Add a subset, or correct its num_repeats."])),
    Case("a resolution outside of its buckets", [dataset("d.toml", f"{HEAD}enable_bucket = true\nmin_bucket_reso = 128\n{SUBSET}")], TOML, Refused([f"{FIRST}: resolution=64: outside of min_bucket_reso=128 and max_bucket_reso=1024. Change one of them."])),
    Case("a subset without captions", [dataset("d.toml", f"{HEAD}{SUBSET.replace('/p', '/bare')}")], TOML, Refused([f"{FIRST}, subset 1: 1 of 1 picture without a caption: b.png. Caption files in the folder: none; {BESIDE}, or set class_tokens."])),
    Case("the same subset twice", [dataset("d.toml", f"{HEAD}{SUBSET}{SUBSET.replace('/p', '/bare/../p')}")], TOML, Read({"p/a.png": "a dog"}, [f"{FIRST}, subset 2: left out, the same pictures as {FIRST}, subset 1"])),
    Case("a wrong type in a list of datasets", [dataset("d.yaml", f"{OWN}    num_repeats: two")], YAML, Refused(['HERE/d.yaml, datasets 1, subset 1: num_repeats="two": this key takes a whole number. Write it without quotes: num_repeats: 1.'])),
    Case("a subset without its masks", [dataset("d.yaml", f"{OWN}    mask_dir: HERE/none")], YAML, Refused(["HERE/d.yaml, datasets 1, subset 1: mask_dir=HERE/none: there is no such folder. Check the path."])),
    Case("a list of datasets that is a folder", [folder("d.yaml")], YAML, Refused(["HERE/d.yaml: this is a folder. Check the path."])),
    # what only decoding finds
    Case("a JPEG cut off behind its header", [GOOD, CAPTION, put({"b.jpg": JPEG[:-900]})], HERE, Trained([f"b.jpg ({CUT_OFF})"], [f"1 picture left out: b.jpg ({CUT_OFF})"])),
    Case("damaged data in a file whose name is no text", [GOOD, CAPTION, put({f"{NO_TEXT}.jpg": JPEG[:-900], f"{NO_TEXT}.txt": "x"})], HERE, Trained([f"{NO_TEXT}.jpg ({CUT_OFF})"], [rf"1 picture left out: caf\udce9.jpg ({CUT_OFF})"])),
    Case("damaged PNG data", [GOOD, CAPTION, put({"b.png": damaged(OTHER)})], HERE, Trained([f"b.png ({BROKEN})"], [f"1 picture left out: b.png ({BROKEN})"])),
    Case("damaged data of a mask", [PHOTOS, put({"m/a.png": OTHER, "m/b.png": damaged(OTHER)})], MASKS, Trained([f"b.png (its mask: {BROKEN})"], [f"1 picture left out: b.png (its mask: {BROKEN})"])),
    Case("no picture left", [put({"a.png": damaged(PNG), "a.txt": "x"})], HERE, Stopped([f"dataset.path=HERE: no picture to train on can be decoded: a.png ({BROKEN}). Repair or replace them."])),
    Case("odd pictures that are right", [put({"a.png": encoded(1, 10000), "b.png": encoded(exif=CUT_EXIF)})], [*HERE, "dataset.class_tokens=a dog"], Trained()),
    Case("a caption longer than the text encoder takes", [put({"a.png": PNG, "a.txt": "a dog " * 40})], HERE, Trained(warnings=["cut after 30 tokens: " + ("a dog " * 40).strip() + ". Shorten it, or raise model.token_length."])),
]  # fmt: skip


def of_kind(*kinds: type) -> list[Case]:
    return [case for case in CASES if isinstance(case.outcome, kinds)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs and a cache, in which the demo is drawn once."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def prepared(case: Case, here: Path, shared: Path, patch: pytest.MonkeyPatch) -> tuple[RunConfig, Plan]:
    """The way of every command line: compose, then preflight."""
    for write in case.writes:
        write(here)
    if case.closed is not None:
        close(here / case.closed, patch)
    return small_run(shared, *(option.replace("HERE", str(here)) for option in case.options))


def close(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Refuse to open it and what lies below, as the system does; root may open what others may not."""

    def guarded(opens: Callable[..., object]) -> Callable[..., object]:
        def guard(file: object, *more: object, **options: object) -> object:
            if isinstance(file, str | os.PathLike) and Path(file).is_relative_to(path):
                raise PermissionError(13, "Permission denied", os.fspath(file))
            return opens(file, *more, **options)

        return guard

    for module, names in ((os, ("open", "scandir", "listdir")), (io, ("open",)), (builtins, ("open",))):
        for name in names:
            patch.setattr(module, name, guarded(getattr(module, name)))


def shown(texts: Sequence[str], here: Path) -> list[str]:
    return [text.replace(str(here), "HERE") for text in texts]


@pytest.mark.parametrize("case", of_kind(Refused), ids=lambda case: case.name)
def test_a_broken_input_is_refused_in_its_own_words(
    case: Case, here: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(case.outcome, Refused)
    with pytest.raises(ConfigError) as caught:
        prepared(case, here, shared, monkeypatch)
    assert shown(caught.value.problems, here) == case.outcome.sentences


@pytest.mark.parametrize("case", of_kind(Read), ids=lambda case: case.name)
def test_an_odd_input_is_read_right_and_its_plan_can_be_printed(
    case: Case, here: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, plan = prepared(case, here, shared, monkeypatch)
    assert isinstance(case.outcome, Read)
    assert {plan.scan.name(one): one.caption for one in plan.scan.pictures} == case.outcome.captions
    assert shown(plan.notes, here) == list(case.outcome.notes)
    assert all(min(choice.bucket) > 0 for choice in plan.choices)
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    print_plan(run, plan, console)
    print_subsets(plan, console)


@pytest.mark.parametrize("case", of_kind(Trained, Stopped), ids=lambda case: case.name)
def test_what_only_decoding_finds_is_named_and_the_others_are_trained_on(
    case: Case, here: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    short = replace(case, options=[*case.options, "training.steps=1", "sampling.num_prompts=0"])
    run, plan = prepared(short, here, shared, monkeypatch)
    if isinstance(case.outcome, Stopped):
        with pytest.raises(ConfigError) as caught:
            train(run, plan, console=Console(quiet=True))
        assert shown(caught.value.problems, here) == case.outcome.sentences
        return
    assert isinstance(case.outcome, Trained)
    result = train(run, plan, console=Console(quiet=True))
    assert result.outcome is Outcome.completed and result.weights is not None
    assert result.skipped_pictures == list(case.outcome.skipped)
    assert [record.getMessage() for record in caplog.records] == list(case.outcome.warnings)


def test_a_command_line_is_answered_with_one_line_a_sentence(tmp_path: Path) -> None:
    photos = tmp_path / "Größe 2"
    photos.mkdir()
    put({"b\nc.png": b"", f"{NO_TEXT}.png": b"text"})(photos)
    told = answer(tmp_path, "dataset.path=Größe 2", "dataset.class_tokens=dog")
    assert told.code == 2 and told.modules == []
    assert told.error == (
        "This run cannot start:\n  - dataset.path=Größe 2: 2 of 2 pictures cannot be read: "
        rf"b\nc.png (empty), caf\udce9.png (not a picture). {REPAIR}" + "\n"
    )


def test_every_sentence_names_its_place_and_says_what_to_do() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 36
    for case in CASES:
        if isinstance(case.outcome, Refused | Stopped):
            for sentence in case.outcome.sentences:
                assert sentence.startswith(("dataset.", "cache_dir=", "HERE/")), sentence
                told, _, advice = sentence.rpartition(". ")
                assert (told and advice) or "(did you mean " in sentence, sentence
                assert sentence.endswith(".") and sentence.isprintable(), sentence
