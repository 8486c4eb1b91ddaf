"""Which prompt and seed each picture of a folder gets, whoever made it."""

import io
import json
from pathlib import Path

import pytest
from folder_toys import PARAMETERS, numbered, picture, put, read, seen
from PIL import Image

from evaluation.reading.picture_text import (
    NamedPlace,
    PictureText,
    parse_comfy_graph,
    parse_name,
    parse_parameters,
    text_in_caption,
    text_in_picture,
)

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 7, "positive": ["6", 0], "negative": ["8", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["4", 1]}},
    "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
}


@pytest.mark.parametrize(
    ("stem", "place"),
    [
        ("p03_s42", NamedPlace(prompt_index=3, seed=42)),
        ("p100_s0", NamedPlace(prompt_index=100, seed=0)),
        ("fox_000500_02_20240131120000_7", NamedPlace(prompt_index=2, seed=7, step="fox_000500")),
        ("fox_000500_02_20240131120000", NamedPlace(prompt_index=2, seed=None, step="fox_000500")),
        ("e000001_11_20240131120000_9", NamedPlace(prompt_index=11, seed=9, step="e000001")),
        (
            "my_fox_v2_e000010_00_20240131120000_9",
            NamedPlace(prompt_index=0, seed=9, step="my_fox_v2_e000010"),
        ),
        (f"p03_s{2**64 - 1}", NamedPlace(prompt_index=3, seed=2**64 - 1)),
        (f"p03_s{2**64}", NamedPlace(prompt_index=3, seed=None)),
        (
            f"fox_000500_02_20240131120000_{2**64}",
            NamedPlace(prompt_index=2, seed=None, step="fox_000500"),
        ),
        ("p3_s42", None),
        ("p03_s42_upscaled", None),
        ("00001-42", None),
        ("fox_500_02_20240131120000", None),
    ],
)
def test_names_of_ours_and_of_kohyas_trainer_say_prompt_and_seed(stem: str, place: NamedPlace | None) -> None:
    assert parse_name(stem) == place


@pytest.mark.parametrize(
    ("text", "prompt", "seed"),
    [
        (PARAMETERS, "a red fox,  in snow\nsecond line", 42),
        ("a dog\nSteps: 4, Seed: 0", "a dog", 0),
        ("a dog\nSteps: 4, Seed: -1, Size: 8x8", "a dog", None),
        (f"a dog\nSteps: 4, Seed: {2**64 - 1}", "a dog", 2**64 - 1),
        (f"a dog\nSteps: 4, Seed: {2**64}", "a dog", None),
        (f"a dog\nSteps: 4, Seed: {10**40}", "a dog", None),
        ("Steps: 4, Seed: 9, Size: 8x8", "", 9),
        ("a dog\nNegative prompt: cat", "a dog", None),
        ("a dog, Steps: 4, Seed: 3", "a dog, Steps: 4, Seed: 3", None),
        ("a dog", "a dog", None),
        ("{a|b} dog\nSteps: 1, Variation seed: 5, Seed: 6", "{a|b} dog", 6),
        ('{"prompt": "a cat", "seed": "12", "steps": 4}', "a cat", 12),
        ('{"prompt": "a cat", "seed": "-1"}', "a cat", None),
        ('{"prompt": "a cat", "seed": -1}', "a cat", None),
        (f'{{"prompt": "a cat", "seed": "{2**64}"}}', "a cat", None),
        (f'{{"prompt": "a cat", "seed": {2**64}}}', "a cat", None),
        ("", "", None),
    ],
)
def test_the_text_of_a1111_is_read_up_to_its_negative_prompt(
    text: str, prompt: str, seed: int | None
) -> None:
    assert parse_parameters(text) == PictureText(prompt=prompt, seed=seed)


def test_a_graph_of_comfyui_is_read_where_each_sampler_gets_the_same_plain_text() -> None:
    assert parse_comfy_graph(json.dumps(GRAPH)) == PictureText(prompt="a red fox", seed=7)
    second = {**GRAPH, "9": {**GRAPH["3"], "inputs": {"seed": 8, "positive": ["6", 0]}}}
    assert parse_comfy_graph(json.dumps(second)) == PictureText(prompt="a red fox", seed=None)
    advanced = {
        **GRAPH,
        "3": {"class_type": "KSamplerAdvanced", "inputs": {"noise_seed": 5, "positive": ["6", 0]}},
    }
    assert parse_comfy_graph(json.dumps(advanced)) == PictureText(prompt="a red fox", seed=5)


@pytest.mark.parametrize(
    "changed",
    [
        {"6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["7", 0]}}},
        {"6": {"class_type": "ConditioningCombine", "inputs": {"a": ["8", 0]}}},
        {"9": {"class_type": "KSampler", "inputs": {"seed": 7, "positive": ["8", 0]}}},
        {"3": {"class_type": "KSampler", "inputs": {}}},
        {"3": {"class_type": "SamplerCustom", "inputs": {}}},
    ],
)
def test_a_graph_of_comfyui_that_is_not_sure_says_nothing(changed: dict[str, object]) -> None:
    assert parse_comfy_graph(json.dumps({**GRAPH, **changed})) == PictureText()


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({"parameters": PARAMETERS}, PictureText(prompt="a red fox,  in snow\nsecond line", seed=42)),
        ({"prompt": json.dumps(GRAPH)}, PictureText(prompt="a red fox", seed=7)),
        (
            {"invokeai_metadata": json.dumps({"positive_prompt": "a hen", "seed": 3})},
            PictureText(prompt="a hen", seed=3),
        ),
        ({"Title": "a hen"}, PictureText()),
    ],
)
def test_the_texts_of_a_png_are_read(tmp_path: Path, texts: dict[str, str], found: PictureText) -> None:
    put(tmp_path, {"a.png": picture(texts=texts)})
    assert text_in_picture(tmp_path / "a.png") == found


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "ein Fuchs 狐\nSteps: 2, Seed: 5".encode("utf-16-be"),
        b"UNICODE\0" + "ein Fuchs 狐\nSteps: 2, Seed: 5".encode("utf-16-le"),
        b"\0" * 8 + "ein Fuchs 狐\nSteps: 2, Seed: 5".encode(),
    ],
)
def test_the_user_comment_of_exif_is_read_in_both_orders_of_bytes(
    tmp_path: Path, kind: str, comment: bytes
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif)
    put(tmp_path, {"a.bin": stream.getvalue()})
    assert text_in_picture(tmp_path / "a.bin") == PictureText(prompt="ein Fuchs 狐", seed=5)


def test_a_caption_is_its_first_line_with_words_unless_a1111_saved_it() -> None:
    assert text_in_caption("\n a dog \nand more\n") == PictureText(prompt="a dog")
    assert text_in_caption(PARAMETERS) == parse_parameters(PARAMETERS)
    assert text_in_caption(" \n ") == PictureText()


def test_without_a_file_captions_come_before_what_is_inside_and_others_have_no_prompt(tmp_path: Path) -> None:
    inside = {"parameters": "a cat\nSteps: 1, Seed: 8"}
    put(
        tmp_path,
        {
            "a.png": picture(1, texts=inside),
            "b.png": picture(2, texts=inside),
            "b.txt": "a dog",
            "c.png": picture(3),
            "d.png": picture(4),
            "d.caption": "a dog",
            "d.txt": "is not read",
            "e.png": picture(5),
        },
    )
    material = read(tmp_path)
    assert seen(material) == [
        (0, "a cat", 8, "a.png"),
        (1, "a dog", 0, "b.png"),
        (1, "a dog", 1, "d.png"),
        (2, "", 0, "c.png"),
        (3, "", 0, "e.png"),
    ]
    assert list(material.prompts) == ["a cat", "a dog"]
    assert f"images={tmp_path}: 2 of 5 pictures have no prompt beside or inside them, the first: c.png" in (
        material.notices
    )


def test_pictures_of_one_prompt_and_seed_are_numbered_by_place_where_no_file_was_given(
    tmp_path: Path,
) -> None:
    texts = {"parameters": "a cat\nSteps: 1, Seed: 8"}
    put(tmp_path, {name: picture(at, texts=texts) for at, name in enumerate(["a.png", "b.png", "c.png"])})
    material = read(tmp_path)
    assert [(seed, file) for _, _, seed, file in seen(material)] == [(0, "a.png"), (1, "b.png"), (2, "c.png")]
    assert any("numbered by their place" in note for note in material.notices)


def test_pictures_of_random_or_impossible_seeds_are_numbered_by_place_in_silence(tmp_path: Path) -> None:
    texts = [{"parameters": f"a cat\nSteps: 1, Seed: {seed}"} for seed in (-1, -1, 2**64, 1)]
    put(tmp_path, {f"{at}.png": picture(at, texts=text) for at, text in enumerate(texts)})
    material = read(tmp_path)
    assert [(seed, file) for _, _, seed, file in seen(material)] == [
        (0, "0.png"),
        (1, "3.png"),
        (2, "1.png"),
        (3, "2.png"),
    ]
    assert not any("one seed" in note for note in material.notices)


def test_a_table_gives_prompts_seeds_and_what_is_known_of_them(tmp_path: Path) -> None:
    put(tmp_path / "p", numbered("a.png", "sub/b.png", "c.png", "sub/d.png"))
    table = put(
        tmp_path,
        {
            "t.csv": "\ufeffpath,prompt,seed,kind,tone,type\r\n"
            'sub/b.png,"a dog, at night",5,concept,dark,scene\r\n'
            "./a.png,a tree,,plain,,\r\n"
            f"{tmp_path}/p/c.png,a tree,1,plain,,\r\n\r\n"
            'd.png,"a dog, at night",,concept,dark,scene\r\n'
        },
    ) / "t.csv"  # fmt: skip
    material = read(tmp_path / "p", prompts=table)
    assert seen(material) == [
        (0, "a dog, at night", 0, "sub/d.png"),
        (0, "a dog, at night", 5, "sub/b.png"),
        (1, "a tree", 0, "a.png"),
        (1, "a tree", 1, "c.png"),
    ]
    dog = material.prompts["a dog, at night"]
    assert (dog.kind, dog.tone, dog.type) == ("concept", "dark", "scene")
    assert material.is_plain("a tree") and not material.is_plain("a dog, at night")


def test_a_json_mapping_gives_prompts(tmp_path: Path) -> None:
    put(
        tmp_path,
        {**numbered("p/a.png", "p/p00_s7.png"), "m.json": '{"a.png": "a dog", "p00_s7.png": "a dog"}'},
    )
    assert seen(read(tmp_path / "p", prompts=tmp_path / "m.json")) == [
        (0, "a dog", 0, "a.png"),
        (0, "a dog", 7, "p00_s7.png"),
    ]


def test_a_manifest_gives_pictures_and_references(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": "a dog",
            "tone": "dark",
            "pictures": ["b.png", "a.png"],
            "references": ["r/0.png", "r/1.png"],
        },
        {"prompt": "a tree", "kind": "plain", "pictures": ["c.png"]},
    ]
    put(tmp_path, {**numbered("p/a.png", "p/b.png", "p/c.png"), **numbered("r/0.png", "r/1.png", first=9)})
    put(tmp_path, {"m.json": json.dumps({"schema": 1, "prompts": rows})})
    material = read(tmp_path / "p", prompts=tmp_path / "m.json")
    assert seen(material) == [(0, "a dog", 0, "a.png"), (0, "a dog", 1, "b.png"), (1, "a tree", 0, "c.png")]
    assert seen(material, "real") == [(0, "a dog", 0, "../r/0.png"), (0, "a dog", 1, "../r/1.png")]
    assert material.training == [tmp_path / "r/0.png", tmp_path / "r/1.png"]
    assert material.is_plain("a tree") and material.tone("a dog") == "dark"


@pytest.mark.parametrize("ending", ["txt", "json"])
def test_numbered_prompts_are_found_by_the_names_of_the_pictures(tmp_path: Path, ending: str) -> None:
    rows = [{"prompt": "a dog"}, {"prompt": "a cat"}]
    content = {"txt": "# two\na dog\n\na cat\n", "json": json.dumps({"schema": 1, "prompts": rows})}[ending]
    put(tmp_path, {**numbered("p/p00_s2.png", "p/p01_s1.png", "p/p01_s2.png"), f"l.{ending}": content})
    assert seen(read(tmp_path / "p", prompts=tmp_path / f"l.{ending}")) == [
        (0, "a dog", 2, "p00_s2.png"),
        (1, "a cat", 1, "p01_s1.png"),
        (1, "a cat", 2, "p01_s2.png"),
    ]


def test_samples_of_kohyas_trainer_fit_its_prompt_file(tmp_path: Path) -> None:
    names = ("fox_000500_00_20240131120000_7.png", "fox_000500_01_20240131120007.png")
    put(tmp_path, {**numbered(*(f"p/{name}" for name in names))})
    put(tmp_path, {"l.txt": "a dog --w 512 --n bad --d 3\na cat --d 9\n"})
    assert seen(read(tmp_path / "p", prompts=tmp_path / "l.txt")) == [
        (0, "a dog", 7, names[0]),
        (1, "a cat", 9, names[1]),
    ]


def test_as_many_prompts_as_pictures_are_taken_in_order_and_that_is_said(tmp_path: Path) -> None:
    put(tmp_path, {**numbered("p/x.png", "p/y.png"), "l.txt": "a dog\na cat"})
    material = read(tmp_path / "p", prompts=tmp_path / "l.txt")
    assert seen(material) == [(0, "a dog", 0, "x.png"), (1, "a cat", 0, "y.png")]
    assert material.notices[0].endswith("they were taken in order, x.png for the first")


def test_one_set_of_a_runs_samples_knows_its_prompts(tmp_path: Path) -> None:
    rows = [{"prompt_index": 0, "prompt": "a dog", "seed": 4, "file": "step000100/p00_s4.png"}]
    put(tmp_path, {**numbered("samples/step000100/p00_s4.png", "samples/final/p00_s4.png")})
    known = [{"prompt": "a dog", "kind": "plain", "tone": "dark", "type": "scene"}]
    for schema, prompts in ((1, ["a dog"]), (2, known)):
        listing = {"schema": schema, "prompts": prompts, "sets": {"step000100": rows}}
        put(tmp_path, {"samples/samples.json": json.dumps(listing)})
        material = read(tmp_path / "samples/step000100")
        assert seen(material) == [(0, "a dog", 4, "p00_s4.png")]
    assert (
        material.is_plain("a dog") and material.tone("a dog") == "dark" and material.types() == {0: "scene"}
    )
