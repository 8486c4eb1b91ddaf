"""Folders and prompt files that are broken or odd: what is said of them, word for word, or what comes out."""
# ruff: noqa: E501

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from folder_toys import PARAMETERS, numbered, picture, put, read, seen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.config.errors import ConfigError
from engine.data.headers import readable_endings
from evaluation.reading.folder import FolderRequest, read_folder_material
from evaluation.reading.picture_text import (
    parse_comfy_graph,
    parse_name,
    parse_parameters,
    text_in_caption,
    text_in_picture,
)
from evaluation.reading.prompt_list import read_prompt_list

Files = Mapping[str, bytes | str]
NO_TEXT = os.fsdecode(b"caf\xe9.png")  # Latin-1 where file names are UTF-8
TWO = numbered("p/a.png", "p/b.png")
NAMED = numbered("p/p00_s1.png", "p/p01_s1.png")
FORM = "path,prompt[,seed][,kind][,tone][,type]"
ENDINGS = ", ".join(ending[1:] for ending in sorted(readable_endings()))


@dataclass(slots=True, frozen=True)
class Case:
    """A folder p with what lies beside it; HERE stands for the folder above in files and sentences."""

    name: str
    files: Files
    given: Mapping[str, str] = field(default_factory=dict)  # option -> path below HERE; images is p
    refused: Sequence[str] = ()
    files_read: Sequence[str] = ()  # of a folder that goes through
    notices: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)  # link -> target


def prompts(name: str, content: str | bytes, *refused: str, files: Files = TWO) -> Case:
    """A prompt file beside a folder, and what is said of it."""
    said = [f"prompts=HERE/{name}{sentence}" for sentence in refused]
    return Case(f"{name}: {content[:40]!r}", {**files, name: content}, {"prompts": name}, refused=said)


def manifest(*rows: object, **top: object) -> str:
    return json.dumps({"schema": 1, "prompts": rows, **top})


NO_PROMPTS = (
    f"images=HERE/p: no picture has a prompt beside or inside it. Name them with prompts=FILE ({FORM})."
)


def bare(count: int) -> str:
    """What is said of pictures without prompts."""
    return (
        f"images=HERE/p: {count} pictures without a prompt: each counts as a prompt of its own; if several "
        "were drawn from one, the intervals are too narrow"
    )


ONE = "images=HERE/p: holds 1 picture: its scores have no interval"
WRONG_CELLS = (
    'Put a text with commas into double quotes, and write numbers with a point: "a dog, running",0.5.'
)

FOLDERS = [
    Case("missing", {}, refused=["images=HERE/p: no such folder."]),
    Case("a file", {"p": picture()}, refused=["images=HERE/p: is a file. Give the folder that it lies in."]),
    Case("empty", {"p/.hidden": ""}, refused=[f"images=HERE/p: the folder is empty. Put pictures into it ({ENDINGS})."]),
    Case("only texts", {"p/a.txt": "a", "p/b.txt": "b"}, refused=[f"images=HERE/p: no picture among its 2 files. Give a folder with pictures ({ENDINGS})."]),
    Case("only ours", {"p/evaluation/a.png": picture()}, refused=[f"images=HERE/p: the folder is empty. Put pictures into it ({ENDINGS})."]),
    Case("one picture", {"p/a.png": picture()}, files_read=["a.png"], notices=[NO_PROMPTS, ONE]),
    Case("pictures in a folder of our name", {"p/a.png": picture(), "p/evaluation/b.png": picture(1)}, files_read=["a.png"], notices=["images=HERE/p: 1 picture in evaluation/ left out: scores are written there. Rename that folder to score them.", NO_PROMPTS, ONE]),
    Case("mixed sizes", {"p/a.png": picture(), "p/b.png": picture(size=(16, 8)), "p/c.png": picture(1)}, files_read=["a.png", "b.png", "c.png"], notices=[NO_PROMPTS, bare(3), "images=HERE/p: the pictures are of 2 sizes: 8x8 (2), 16x8 (1). Encoders see each cut or squeezed to one size."]),
    Case("corrupt and zero bytes", {"p/a.png": b"\x89PNG\r\n\x1a\n" + bytes(30), "p/b.png": b"", "p/c.png": picture()}, files_read=["a.png", "b.png", "c.png"], notices=[NO_PROMPTS, bare(3)]),
    Case("formats that are not read", {"p/a.png": picture(), "p/b.tiff": b"x", "p/c.gif": b"x"}, files_read=["a.png"], notices=["images=HERE/p: left out, not a format that is read: 1 .gif", "images=HERE/p: left out, not a format that is read: 1 .tiff", NO_PROMPTS, ONE]),
    Case("a loop of links", TWO, links={"p/loop": ".", "p/up": ".."}, files_read=["a.png", "b.png"], notices=[NO_PROMPTS, bare(2)]),
    Case("a link to nothing", TWO, links={"p/c.png": "gone.png"}, files_read=["a.png", "b.png"], notices=["images=HERE/p: left out, a link to nothing or no file: c.png", NO_PROMPTS, bare(2)]),
    Case("odd names", numbered('p/a "quoted" \'one\'.png', "p/b\nline.png", "p/c 😀 <script>.png", f"p/{NO_TEXT}"), files_read=['a "quoted" \'one\'.png', "b\nline.png", "c 😀 <script>.png", "caf\\udce9.png"], notices=[NO_PROMPTS, bare(4)]),
    Case("a run", {**TWO, "p/samples/samples.json": "{}"}, refused=["images=HERE/p: this is the folder of a run. Use run=HERE/p."]),
    Case("samples of a run", {**TWO, "p/samples.json": "{}"}, refused=["images=HERE/p: these are all samples of a run. Use run=HERE, or give one set of them, such as HERE/p/final."]),
    Case("a listing above that is broken", {**TWO, "samples.json": "["}, files_read=["a.png", "b.png"], notices=[NO_PROMPTS, bare(2)]),
    Case("texts that cannot be read", {**TWO, "p/a.txt": b"caf\xe9", "p/b.txt": ""}, files_read=["a.png", "b.png"], notices=["images=HERE/p: text files that are empty or not UTF-8: a.txt, b.txt", NO_PROMPTS, bare(2)]),
]  # fmt: skip

OTHERS = [
    Case("refs missing", TWO, {"refs": "r"}, refused=["refs=HERE/r: no such folder."]),
    Case("refs empty", {**TWO, "r/.keep": ""}, {"refs": "r"}, refused=[f"refs=HERE/r: the folder is empty. Put pictures into it ({ENDINGS})."]),
    Case("refs no pictures", {**TWO, "r/a.txt": "a"}, {"refs": "r"}, refused=[f"refs=HERE/r: no picture among its 1 file. Give a folder with pictures ({ENDINGS})."]),
    Case("refs a picture", TWO, {"refs": "p/a.png"}, refused=["refs=HERE/p/a.png: neither a folder nor a manifest (.json). Give one of them."]),
    Case("refs the pictures", TWO, {"refs": "p"}, refused=["refs=HERE/p: the references are the pictures themselves: every likeness would be perfect. Give another folder."]),
    Case("refs the pictures by a link", TWO, {"refs": "same"}, links={"same": "p"}, refused=["refs=HERE/same: the references are the pictures themselves: every likeness would be perfect. Give another folder."]),
    Case("refs inside", {**TWO, "p/r/c.png": picture(5)}, {"refs": "p/r"}, refused=["refs=HERE/p/r: lies in images=HERE/p, so its pictures would be scored too. Put it beside that folder."]),
    Case("refs with all bytes", {**TWO, **numbered("r/x.png", "r/y.png"), "r/z.png": picture(9)}, {"refs": "r"}, refused=["refs=HERE/r: every picture that is scored is among them, byte for byte, so every likeness would be perfect. Give other references."]),
    Case("refs with some bytes", {**TWO, "r/x.png": picture(0), "r/y.png": picture(9)}, {"refs": "r"}, files_read=["a.png", "b.png"], notices=[NO_PROMPTS, bare(2), "refs=HERE/r: 1 of 2 pictures that are scored are among them, byte for byte", "training is not given: copies are looked for among refs=HERE/r"]),
    Case("refs manifest missing", TWO, {"refs": "m.json"}, refused=["refs=HERE/m.json: no such file. Check the path."]),
    Case("refs manifest with nothing", {**TWO, "m.json": manifest({"prompt": "a"})}, {"refs": "m.json"}, refused=['refs=HERE/m.json: names no references. Write {"prompt": ..., "references": [files]}.']),
    Case("refs manifest with lost files", {**TWO, "m.json": manifest({"prompt": "a", "references": ["x.png", "y.png"]})}, {"refs": "m.json"}, refused=["refs=HERE/m.json: names 2 pictures that cannot be found, the first: HERE/x.png. Paths are relative to the manifest."]),
    Case("refs manifest with a name too long", {**TWO, "m.json": manifest({"prompt": "a", "references": ["x" * 300]})}, {"refs": "m.json"}, refused=[f"refs=HERE/m.json: names 1 picture that cannot be found, the first: HERE/{'x' * 300}. Paths are relative to the manifest."]),
    Case("a name too long", TWO, {"refs": "x" * 300}, refused=[f"refs=HERE/{'x' * 300}: no such folder."]),
    Case("prompts of a name too long", TWO, {"prompts": "x" * 300}, refused=[f"prompts=HERE/{'x' * 300}: no such file. Check the path."]),
    Case("refs manifest of other prompts", {**TWO, "r.png": picture(9), "m.json": manifest({"prompt": "a", "references": ["r.png"]})}, {"refs": "m.json"}, refused=["refs=HERE/m.json: none of its 1 prompts is a prompt of the pictures. Correct the prompts, or give refs=DIR, pictures of no particular prompt."]),
    Case("training the pictures", TWO, {"training": "p"}, refused=["training=HERE/p: the training pictures are the pictures themselves: each would be a copy. Give another folder."]),
    Case("base the pictures", TWO, {"base": "p"}, refused=["base=HERE/p: these are the pictures themselves: nothing would differ. Give another folder."]),
    Case("base too few", {**TWO, "base/a.png": picture(5)}, {"base": "base"}, refused=["base=HERE/base: 2 of 2 pictures of images=HERE/p have no partner of the same name or of the same prompt and seed in it, the first: a.png.", "base=HERE/base: 1 of 1 picture of its own have no partner of the same name or of the same prompt and seed in images=HERE/p, the first: a.png."]),
    Case("base too many", {"p/a.png": picture(texts={"parameters": PARAMETERS}), **{f"base/{name}.png": picture(at, texts={"parameters": PARAMETERS.replace("42", str(42 + at))}) for at, name in enumerate("xy")}}, {"base": "base"}, refused=["base=HERE/base: 1 of 2 pictures of its own have no partner of the same name or of the same prompt and seed in images=HERE/p, the first: y.png."]),
]  # fmt: skip

PROMPTS = [
    prompts("t.csv", "", ": is empty."),
    prompts("t.csv", b"\x89PNG\0\0", ": is no text file (it holds zero bytes). Give a UTF-8 text."),
    prompts("t.csv", "path,prompt".encode("utf-16"), ": is UTF-16. Save it as UTF-8."),
    prompts("t.csv", b"path,prompt\na.png,caf\xe9", ": is not UTF-8. Save it as UTF-8."),
    prompts("t.yaml", "a: b", f': neither .csv, .json nor .txt. Give a table {FORM}, a manifest, {{"file": "prompt"}}, or a list with a prompt a line.'),
    prompts("t.csv", "a.png,a dog\n", f": its first line is no header (a.png,a dog). Begin with {FORM}."),
    prompts("t.csv", "path;prompt\na.png;a dog", f": its columns are separated by semicolons. Use commas: {FORM}."),
    prompts("t.csv", "path,text\na.png,a dog", ": text is no column that is read. There are path, prompt, seed, kind, tone, type."),
    prompts("t.csv", "path,seed\na.png,1", f": its header has no column prompt. Begin with {FORM}."),
    prompts("t.csv", "path,prompt,prompt\na.png,1,2", ": its header names prompt twice. Keep one column."),
    prompts("t.csv", "path,prompt\n", ": holds a header and no rows. Write a line for each picture."),
    prompts("t.csv", "path,prompt\na.png,a dog, running\n", f", line 2: holds 3 cells; the header has 2. {WRONG_CELLS}"),
    prompts("t.csv", 'path,prompt\na.png,"a\ndog"\nb.png,"a"b\n', ", line 4: is not CSV (',' expected after '\"'). Correct it."),
    prompts("t.csv", "path,prompt,seed\n,a dog,1\nb.png, ,x\n", ", line 2: names no picture. Write its path.", ", line 3: has no prompt. Write one, or take the picture out of the folder.", f", line 3: seed=x is no whole number from 0 to {2**64 - 1}."),
    prompts("t.csv", f"path,prompt,seed\na.png,a,{2**64}\nb.png,a,-1\n", f", line 2: seed={2**64} is no whole number from 0 to {2**64 - 1}.", f", line 3: seed=-1 is no whole number from 0 to {2**64 - 1}."),
    prompts("t.csv", "path,prompt,kind,tone\na.png,a,plane,dim\n", ", line 2: kind=plane is not known. Use concept or plain.", ", line 2: tone=dim is not known. Use dark or bright."),
    prompts("t.csv", "path,prompt,kind\na.png,a,plain\nb.png,a,concept\n", ", line 3: another kind, tone or type than its prompt has further up (a). Write the same on each of its lines."),
    prompts("t.csv", "path,prompt\na.png,a\nb.png,b\nc.png,c\nd.png,d\n", ": 2 of 4 prompts name no picture of images=HERE/p, the first: c.png. Correct the paths, or take those lines out."),
    prompts("t.csv", "path,prompt\nb.png,a\n", ": 1 of 2 pictures have no prompt in it, the first: a.png. Add them, or take them out of the folder."),
    prompts("t.csv", "path,prompt\n../p/a.png,a\n/p/b.png,b\n", ": 2 of 2 prompts name no picture of images=HERE/p, the first: ../p/a.png. Correct the paths, or take those lines out.", ": 2 of 2 pictures have no prompt in it, the first: a.png. Add them, or take them out of the folder."),
    prompts("t.csv", "path,prompt\na.png,a\na.png,b\nb.png,b\n", ", line 3: names a.png again. Keep one line for each picture."),
    prompts("t.csv", "path,prompt\na.png,a\nx/a.png,b\ny/a.png,b\nb.png,b\n", ", line 5: b.png fits 2 pictures. Write its path within images=HERE/p.", ": 2 of 5 pictures have no prompt in it, the first: x/b.png. Add them, or take them out of the folder.", files=numbered("p/a.png", "p/x/a.png", "p/y/a.png", "p/x/b.png", "p/y/b.png")),
    prompts("t.csv", "path,prompt,seed\na.png,a,1\nb.png,a,1\n", ": a.png and b.png are of one prompt (a) and one seed (1). Score the pictures of one model at a time, each prompt and seed once."),
    prompts("t.csv", f"path,prompt\n{''.join(f'a.png,a,{number}{chr(10)}' for number in range(9))}", *(f", line {line}: holds 3 cells; the header has 2. {WRONG_CELLS}" for line in range(2, 7)), "..."),
    prompts("m.json", "{", ": is not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)). Correct it."),
    prompts("m.json", "[" * 100_000, ": is nested too deeply. Give a plain JSON file."),
    prompts("m.json", "[]", ': is no JSON object with entries. Write {"a.png": "a prompt", ...}.'),
    prompts("m.json", '{"a.png": "a", "a.png": "b"}', ": is not JSON (a.png stands twice in one table). Correct it."),
    prompts("m.json", '{"a.png": 1}', ': what stands for a.png is no prompt. Write {"a.png": "a prompt", ...}, or a manifest {"schema": 1, "prompts": [...]}.'),
    prompts("m.json", '{"a.png": "a \\ud800", "b.png": "b"}', ': what stands for a.png is no prompt. Write {"a.png": "a prompt", ...}, or a manifest {"schema": 1, "prompts": [...]}.'),
    prompts("m.json", '{"prompts": [], "schema": 2}', ": is no manifest of schema 1."),
    prompts("m.json", manifest(), ": holds no prompt."),
    prompts("m.json", manifest("a", {"prompt": " "}), ', prompt 1: has no text under "prompt". Write {"prompt": "a dog", "pictures": [files]}.', ', prompt 2: has no text under "prompt". Write {"prompt": "a dog", "pictures": [files]}.'),
    prompts("m.json", manifest({"prompt": "a", "seeds": 1}), ", prompt 1: seeds is unknown. There are prompt, kind, tone, type, references, pictures."),
    prompts("m.json", manifest({"prompt": "a", "pictures": "a.png"}, {"prompt": "b", "type": 3}), ', prompt 1: what stands under "pictures" is no list of files.', ', prompt 2: what stands under "type" is no word.'),
    prompts("m.json", manifest({"prompt": "a", "pictures": ["a.png"]}, {"prompt": "b"}), ", prompt 2: names no pictures, and other prompts do (1 of 2 name none). Write its \"pictures\", or take it out."),
    prompts("m.json", manifest({"prompt": "a", "pictures": ["a.png", "z.png"]}, {"prompt": "b", "pictures": ["b.png"]}), ": 1 of 3 prompts name no picture of images=HERE/p, the first: z.png. Correct the paths, or take those lines out."),
    prompts("l.txt", "# nothing\n", ": holds no prompt. Write one a line."),
    prompts("l.txt", "a\n --w 512\n", ", line 2: has options and no prompt. Write one."),
    prompts("l.txt", "a\nb\nc\n", f": it is not known which of its 3 prompts belongs to 2 of 2 pictures, the first: a.png. Name pictures p00_s1.png (prompt 0, seed 1), or give a table {FORM}."),
    prompts("l.txt", "a\nb\n", f": it is not known which of its 2 prompts belongs to 1 of 2 pictures, the first: a.png. Name pictures p00_s1.png (prompt 0, seed 1), or give a table {FORM}.", files=numbered("p/a.png", "p/p01_s1.png")),
    prompts("l.txt", "a\n", ": holds 1 prompts, counted from 0, and 1 of 2 pictures belong to a later one by their names, the first: p01_s1.png. Give the list that they were drawn from.", files=NAMED),
    prompts("l.txt", "a\nb\nc\nd\n", f": 2 of 4 prompts have no picture in images=HERE/p, the first: c. Draw them, or give a table {FORM} of what there is.", files=NAMED),
    prompts("l.txt", "a\na\n", ": p00_s1.png and p01_s1.png are of one prompt (a) and one seed (1). Score the pictures of one model at a time, each prompt and seed once.", files=NAMED),
    Case("steps of kohya's trainer", {**numbered("p/x_000100_00_20240131120000_1.png", "p/x_000200_00_20240131120000_1.png"), "l.txt": "a"}, {"prompts": "l.txt"}, refused=["images=HERE/p: holds pictures of 2 training steps (x_000100, x_000200). Put those of one step into a folder of their own: one model is scored at a time."]),
    Case("a prompt file that is a folder", TWO, {"prompts": "p"}, refused=["prompts=HERE/p: a folder. Give a file."]),
    Case("no prompt file", TWO, {"prompts": "t.csv"}, refused=["prompts=HERE/t.csv: no such file. Check the path."]),
    Case("a name that is no text, as outputs show it", {**numbered(f"p/{NO_TEXT}"), "t.csv": "path,prompt\ncaf\\udce9.png,a dog\n"}, {"prompts": "t.csv"}, files_read=["caf\\udce9.png"], notices=[ONE]),
]  # fmt: skip


@pytest.mark.parametrize("case", [*FOLDERS, *OTHERS, *PROMPTS], ids=lambda case: case.name)
def test_a_bad_folder_is_refused_in_a_sentence_or_goes_through_with_a_notice(
    tmp_path: Path, case: Case
) -> None:
    put(tmp_path, case.files)
    for link, target in case.links.items():
        (tmp_path / link).symlink_to(target)
    request = FolderRequest(
        images=tmp_path / "p", **{option: tmp_path / name for option, name in case.given.items()}
    )  # type: ignore[arg-type]
    if case.refused:
        with pytest.raises(ConfigError) as caught:
            read_folder_material(request)
        said = [problem.replace(str(tmp_path), "HERE") for problem in caught.value.problems]
        if case.refused[-1].endswith("..."):
            assert said[:-1] == list(case.refused[:-1]) and said[-1] == "and 4 more problems of this kind."
        else:
            assert said == list(case.refused)
        return
    material = read_folder_material(request)
    assert [file for _, _, _, file in seen(material)] == list(case.files_read)
    assert [note.replace(str(tmp_path), "HERE") for note in material.notices] == list(case.notices)


def test_a_folder_that_may_not_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, numbered("a.png", "closed/b.png"))
    scan = os.scandir

    def closed(path: str) -> "os.ScandirIterator[str]":  # the user of a test may be allowed everything
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    for folder, name in ((tmp_path, "closed"), (tmp_path / "closed", "it")):
        with pytest.raises(ConfigError) as caught:
            read(folder)
        assert caught.value.problems == [
            f"images={folder}: no permission to open {name}. Allow it, or move it away."
        ]


def test_a_prompt_file_that_may_not_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, {"a.png": picture(), "t.csv": "path,prompt"})

    def closed(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, prompts=tmp_path / "t.csv")
    assert caught.value.problems == [
        f"prompts={tmp_path}/t.csv: cannot be opened (Permission denied). Allow it."
    ]


PIECES = st.sampled_from(
    [*["a.png", "pictures", "references", "schema", "1", "null", "\\ud800", "\\u0000", "--d 3", "#", "<lora:a:1>", "\0"], "Steps: 20", "Seed: 7", "Negative prompt:", ", ", "\n", '"', "{", "}", "[", "]", ":", "path", "prompt", "seed"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.characters(), max_size=30).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["prompts", "schema", "prompt", "pictures", "references", "kind", "tone"]) | TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
GRAPHS = st.dictionaries(
    st.sampled_from("12"),
    st.fixed_dictionaries(
        {},
        optional={
            "class_type": st.sampled_from(["KSampler", "KSamplerAdvanced", "CLIPTextEncode"]) | JSON,
            "inputs": st.dictionaries(
                st.sampled_from(["positive", "text", "seed", "noise_seed"]), JSON | st.just(["1", 0])
            )
            | JSON,
        },
    )
    | JSON,
)


@settings(max_examples=150, deadline=None)
@given(TEXTS | JSON.map(json.dumps) | GRAPHS.map(json.dumps))
@example(PARAMETERS)
@example("[" * 100_000)
@example("1" * 5000)
@example(f"p00_s{2**64}")
@example(f"a dog\nSteps: 4, Seed: {2**64}")
def test_any_text_inside_a_picture_gives_a_prompt_that_a_file_can_hold(text: str) -> None:
    for parse in (parse_parameters, parse_comfy_graph, text_in_caption):
        found = parse(text)
        found.prompt.encode()
        assert found.prompt == found.prompt.strip() and "\0" not in found.prompt
        assert found.seed is None or 0 <= found.seed < 2**64
    place = parse_name(text)
    assert place is None or place.seed is None or 0 <= place.seed < 2**64


def check_prompt_file(file: Path, content: bytes) -> None:
    """It is refused in sentences of one line, or gives prompts with words that a file can hold."""
    file.write_bytes(content)
    try:
        found = read_prompt_list(file)
    except ConfigError as error:
        assert error.problems and all("\n" not in problem for problem in error.problems)
        return
    assert bool(found.entries) != bool(found.numbered)
    for text, prompt in found.prompts.items():
        text.encode()
        assert text == text.strip() != "" and prompt.kind in ("concept", "plain")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], None]:
    """Checks a prompt file of an ending."""
    folder = tmp_path_factory.mktemp("fuzz")
    return lambda ending, content: check_prompt_file(folder / f"f{ending}", content)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([".csv", ".json", ".txt"]), TEXTS)
@example(".json", "1" * 5000)
def test_any_prompt_file_is_read_or_refused(
    fuzzed: Callable[[str, bytes], None], ending: str, text: str
) -> None:
    fuzzed(ending, text.encode("utf-8", "surrogatepass"))
    fuzzed(".csv", b"path,prompt,seed,kind\n" + text.encode("utf-8", "replace"))


@settings(max_examples=150, deadline=None)
@given(JSON | st.fixed_dictionaries({"prompts": st.lists(JSON, max_size=3)}))
def test_any_json_is_read_or_refused(fuzzed: Callable[[str, bytes], None], content: object) -> None:
    fuzzed(".json", json.dumps(content).encode())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 200), st.binary(max_size=8))
def test_a_picture_with_any_bytes_changed_has_a_prompt_or_none(
    tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes
) -> None:
    whole = picture(texts={"parameters": PARAMETERS})
    file = tmp_path_factory.getbasetemp() / "changed.png"
    file.write_bytes(whole[:place] + noise + whole[place + len(noise) :])
    assert isinstance(text_in_picture(file).prompt, str)
