"""Kohya's dataset files: what they mean to the reference, and each sentence that refuses one."""

import json
import random
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.config import ConfigError
from engine.data.dataset_file import (
    DatasetFile,
    FileDataset,
    FileSubset,
    read_dataset_file,
)
from engine.data.file_keys import (
    DATASET_RULES,
    KOHYA,
    OWN,
    Dialect,
    SubsetKind,
    dataset_rules,
    general_rules,
    subset_rules,
    table_problems,
)

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = json.loads((GOLDEN_FOLDER / "h_dataset.json").read_text())
MORE: dict[str, Any] = json.loads((GOLDEN_FOLDER / "h_kohya_configs.json").read_text())
FILES = GOLDEN["blueprints"] + MORE["blueprints"]
REFUSED_BY_US = {  # the reference lets them pass
    "empty subsets": "no subset. Add [[datasets.subsets]] with image_dir.",
    "empty list of subsets": "no subset. Add [[datasets.subsets]] with image_dir.",
    "no datasets": "no [[datasets]]. Add one",
    "true for a whole number": "num_repeats=true: this key takes a whole number.",
}
READ_BY_US = {"conditioning without masked loss"}  # whether the loss is masked is no matter of this file
OF_SUBSETS = ("validation_split", "validation_seed", "resize_interpolation")
KOHYAS_ALONE = {"custom_attributes", "cache_info"}
OPTION_NAMES = {"train_batch_size": "batch_size", "dataset_repeats": "num_repeats"}
HEAD = "[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = 'a'\n"


def write(folder: Path, text: str, name: str = "photos.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str, **defaults: object) -> DatasetFile:
    return read_dataset_file(write(folder, text), KOHYA, defaults=defaults)


def problems(folder: Path, text: str, name: str = "photos.toml") -> list[str]:
    """What is wrong with a file, without the path of its folder."""
    with pytest.raises(ConfigError) as error:
        read_dataset_file(write(folder, text, name), KOHYA)
    return [problem.replace(str(folder / name), name) for problem in error.value.problems]


def only_subset(dataset: DatasetFile) -> FileSubset:
    assert len(dataset.datasets) == 1
    assert len(dataset.datasets[0].subsets) == 1
    return dataset.datasets[0].subsets[0]


def options_of(argv: list[str]) -> dict[str, object]:
    """The reference's command line as the level below [general]."""
    found: dict[str, object] = {}
    for word, value in zip(argv, [*argv, "--"][1:], strict=True):
        if word.startswith("--"):
            name = word.removeprefix("--")
            found[OPTION_NAMES.get(name, name)] = True if value.startswith("--") else int(value)
    return found


def as_the_reference_has_it(value: object) -> object:
    """Our values in the reference's types; no text and an empty one are the same there."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return value if value != "" else None


def compare(ours: object, reference: dict[str, Any], left_out: set[str], stated: frozenset[str]) -> None:
    for name in reference.keys() - left_out:
        ours_is_called = "mask_dir" if name == "conditioning_data_dir" else name
        value = as_the_reference_has_it(getattr(ours, ours_is_called))
        if name == "caption_extension":
            dotted = "." + reference[name].removeprefix(".")
            assert value == ([dotted] if name in stated else [".caption", ".txt"])
            assert value[0] == dotted
        else:
            assert value == as_the_reference_has_it(reference[name]), name


@pytest.mark.parametrize("case", FILES, ids=lambda case: case["name"])
def test_a_file_means_what_the_reference_makes_of_it_or_is_refused_as_there(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    path = tmp_path / ("photos.json" if "json" in case else "photos.toml")
    path.write_text(case.get("toml", case.get("json")))
    try:
        read = read_dataset_file(path, KOHYA, defaults=options_of(case.get("argv", [])))
    except ConfigError as error:
        assert "error" in case or REFUSED_BY_US[case["name"]] in error.problems[0]
        return
    if case["name"] in READ_BY_US:
        return
    assert "error" not in case
    assert case["name"] not in REFUSED_BY_US
    assert len(read.datasets) == len(case["datasets"])
    for ours, reference in zip(read.datasets, case["datasets"], strict=True):
        assert (ours.kind is SubsetKind.masks) == reference["is_controlnet"]
        assert (ours.kind is SubsetKind.metadata) == (not reference["is_dreambooth"])
        # options of the command line alone, that a file cannot hold; and what is settled in our subsets
        not_here = {"debug_dataset", "prior_loss_weight", *OF_SUBSETS}
        compare(ours, reference["params"], not_here, read.stated)
        for name in OF_SUBSETS[:2]:
            assert {getattr(subset, name) for subset in ours.subsets} == {reference["params"][name]}
        for subset, values in zip(ours.subsets, reference["subsets"], strict=True):
            # never read from a subset there: without one it is 0, and None in the dataset
            compare(subset, values, {"validation_seed"}, read.stated)


def test_the_nearest_level_that_states_a_value_wins(tmp_path: Path) -> None:
    read_file = read(
        tmp_path,
        "[general]\nkeep_tokens = 1\nflip_aug = true\nresolution = 640\n"
        "[[datasets]]\nkeep_tokens = 2\nbatch_size = 4\n"
        "[[datasets.subsets]]\nimage_dir = 'a'\nkeep_tokens = 0\nflip_aug = false\n"
        "[[datasets.subsets]]\nimage_dir = 'b'\n"
        "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'c'\n",
        keep_tokens=9,
        batch_size=8,
        color_aug=True,
        resolution=1024,
    )
    first, second = read_file.datasets
    assert [(s.keep_tokens, s.flip_aug) for s in first.subsets] == [(0, False), (2, True)]
    assert [(s.keep_tokens, s.flip_aug) for s in second.subsets] == [(1, True)]
    assert (first.batch_size, second.batch_size) == (4, 8)
    assert (first.resolution, second.resolution) == ((640, 640), (640, 640))
    assert all(subset.color_aug for table in read_file.datasets for subset in table.subsets)
    assert first.subsets[1].source == f"{tmp_path}/photos.toml, [[datasets]] 1, subset 2"
    assert read_file.stated == {"keep_tokens", "flip_aug", "resolution", "batch_size", "image_dir"}


def test_an_empty_text_takes_back_one_from_above(tmp_path: Path) -> None:
    text = "[general]\ncaption_prefix = 'old'\nkeep_tokens_separator = '|||'\n" + HEAD
    subset = only_subset(read(tmp_path, text + "caption_prefix = ''\nkeep_tokens_separator = ''\n"))
    assert subset.caption_prefix is None
    assert subset.keep_tokens_separator is None


def test_without_caption_extension_both_kinds_of_caption_files_are_read(tmp_path: Path) -> None:
    assert only_subset(read(tmp_path, HEAD)).caption_extension == (".caption", ".txt")
    assert only_subset(read(tmp_path, HEAD + "caption_extension = 'txt'\n")).caption_extension == (".txt",)


def test_duplicates_and_subsets_without_repeats_are_noted_and_left_out(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        HEAD + "num_repeats = 2\n"
        "[[datasets.subsets]]\nimage_dir = './x/../a/'\nnum_repeats = 3\n"
        "[[datasets.subsets]]\nimage_dir = 'b'\nnum_repeats = 0\n"
        "[[datasets]]\nresolution = 256\n[[datasets.subsets]]\nimage_dir = 'a'\n",
    )
    assert [[(s.image_dir, s.num_repeats) for s in table.subsets] for table in found.datasets] == [
        [(Path("a"), 2)],
        [(Path("a"), 1)],  # another resolution of the same pictures
    ]
    where = f"{tmp_path}/photos.toml, [[datasets]] 1, subset"
    assert list(found.notes) == [
        f"{where} 2: left out, the same pictures as {where} 1",
        f"{where} 3: left out, num_repeats=0",
    ]


def test_metadata_subsets_with_one_file_are_duplicates_whatever_their_folder(tmp_path: Path) -> None:
    subset = "[[datasets.subsets]]\nmetadata_file = 'm.json'\n"
    found = read(
        tmp_path, f"[[datasets]]\nresolution = 512\n{subset}image_dir = 'a'\n{subset}image_dir = 'b'\n"
    )
    assert only_subset(found).image_dir == Path("a")
    assert len(found.notes) == 1


def test_every_problem_of_a_file_is_named_at_once_by_table_and_key(tmp_path: Path) -> None:
    text = """
[general]
shufle_caption = true
[[datasets]]
resolution = "512"
train_batch_size = 2
is_reg = true
[[datasets.subsets]]
image_dir = 'a'
num_repeats = "10"
caption_dropout_rate = 1.5
[[datasets.subsets]]
class_tokens = 'x'
resolution = 512
[[datasets]]
validation_split = 0
[[datasets.subsets]]
metadata_file = 'm.json'
is_reg = true
caption_extension = '.txt'
[[datasets.subsets]]
image_dir = 'b'
"""
    assert problems(tmp_path, text) == [
        "photos.toml, [general]: shufle_caption=true: unknown key (did you mean shuffle_caption?).",
        'photos.toml, [[datasets]] 1, subset 1: num_repeats="10": this key takes a whole number. '
        "Write it without quotes: num_repeats = 1.",
        "photos.toml, [[datasets]] 1, subset 1: caption_dropout_rate=1.5: outside the range, "
        "which is from 0 to 1. Choose a value in it.",
        "photos.toml, [[datasets]] 1, subset 2: resolution=512: this key holds for a whole dataset. "
        "Move it into [[datasets]] or [general].",
        'photos.toml, [[datasets]] 1, subset 2: image_dir is missing. Add image_dir = "...".',
        'photos.toml, [[datasets]] 1: resolution="512": this key takes a whole number or [width, height]. '
        "Write it without quotes: resolution = 512.",
        "photos.toml, [[datasets]] 1: train_batch_size=2: unknown key (did you mean batch_size?).",
        "photos.toml, [[datasets]] 1: is_reg=true: this key belongs into [[datasets.subsets]]. "
        "Move it there.",
        "photos.toml, [[datasets]] 2, subset 1: is_reg=true: a metadata subset takes no regularisation "
        "pictures. Leave it out.",
        'photos.toml, [[datasets]] 2, subset 1: caption_extension=".txt": here the captions come from '
        "metadata_file. Leave one of the two out.",
        "photos.toml, [[datasets]] 2: its subsets are of several kinds: metadata (1) and dreambooth (2). "
        "Give each kind its own [[datasets]].",
        "photos.toml, [[datasets]] 2: validation_split=0: this key takes a number with a point. "
        "Write validation_split = 0.0.",
        "photos.toml, [[datasets]] 2: resolution is missing. Write resolution = 512 (or [width, height]) "
        "here or in [general].",
    ]


SENTENCES = {
    HEAD + "keep_token = 1": "keep_token=1: unknown key (did you mean keep_tokens?).",
    HEAD + "wholly_unknown_thing = 1": "wholly_unknown_thing=1: unknown key. Leave it out.",
    HEAD + "num_repeats = true": "num_repeats=true: this key takes a whole number. "
    "Write for example num_repeats = 1.",
    HEAD + "flip_aug = 1": "flip_aug=1: this key takes true or false. Write for example flip_aug = true.",
    HEAD
    + "face_crop_aug_range = [1, 3]": "face_crop_aug_range=[1, 3]: this key takes two numbers with a point. "
    "Write for example face_crop_aug_range = [1.0, 3.0].",
    HEAD + "face_crop_aug_range = [3.0, 1.0]": "face_crop_aug_range=[3.0, 1.0]: the range of the crop. "
    "Write the smaller number first, both above 0.",
    HEAD + "caption_dropout_rate = nan": "caption_dropout_rate=NaN: outside the range, which is from 0 to 1. "
    "Choose a value in it.",
    HEAD + "resize_interpolation = 'bicubik'": 'resize_interpolation="bicubik": unknown choice '
    "(did you mean bicubic?).",
    HEAD + "image_folder = 'b'": 'image_folder="b": unknown key (did you mean image_dir?).',
    HEAD.replace("'a'", "''"): 'image_dir="": no path. Write where it lies.',
    HEAD + "is_reg = true": "only regularisation pictures are left to train on.",
    HEAD + "num_repeats = 0": "nothing is left to train on. Add a subset, or correct its num_repeats.",
    HEAD.replace("512", "0"): "resolution=0: outside the range, which is from 1 on.",
    HEAD.replace("512", "[512, 0]"): "resolution=[512, 0]: outside the range, which is from 1 on.",
    HEAD.replace("resolution = 512", ""): "[[datasets]] 1: resolution is missing.",
    HEAD.replace("[[datasets]]", "[[dataset]]").split("[[datasets.")[
        0
    ]: "unknown table (did you mean datasets?).",
    "[datasets]\nresolution = 512": "datasets is no list of tables. Write each one as [[datasets]].",
    "[[datasets]]\nresolution = 512\n[datasets.subsets]\nimage_dir = 'a'": "subsets is no list of tables. "
    "Write each one as [[datasets.subsets]].",
    "": "no [[datasets]]. Add one with [[datasets.subsets]] in it.",
    "datasets = []": "no [[datasets]]. Add one with [[datasets.subsets]] in it.",
    "datasets = [{subsets = []}]": "[[datasets]] 1: no subset. Add [[datasets.subsets]] with image_dir.",
    "[[datasets]]\nresolution = ": "not TOML: Invalid value (at end of document). Correct it.",
    HEAD.replace("'a'", '"C:\\Users\\me"'): "Write paths with / or in single quotes.",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, text)
    assert any(SENTENCES[text] in problem for problem in found), found
    assert all(problem.startswith("photos.toml") for problem in found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"datasets": [{"resolution": 512, "resolution": 768}]}', "resolution stands twice in one table"),
        ('{"datasets": [', "photos.json: not JSON: "),
        ("[1, 2]", "photos.json: no table at the top. Give a kohya dataset file."),
        ("[" * 100_000, "photos.json: nested too deeply. Give a kohya dataset file."),
        (
            '{"general": {"class_tokens": null}}',
            "class_tokens=null: this key takes a text. Leave the key out.",
        ),
    ],
)
def test_a_broken_json_file_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    assert any(sentence in problem for problem in problems(tmp_path, text, "photos.json"))


def test_a_json_file_means_the_same_as_a_toml_file(tmp_path: Path) -> None:
    content = {"datasets": [{"resolution": 512, "subsets": [{"image_dir": "a", "keep_tokens": 2}]}]}
    path = write(tmp_path, "\ufeff" + json.dumps(content), "photos.JSON")
    subset = only_subset(read_dataset_file(path, KOHYA))
    assert (subset.image_dir, subset.keep_tokens) == (Path("a"), 2)


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes("class_tokens = 'é'".encode("latin-1"))
    (tmp_path / "photos.yaml").write_text("")
    for name, sentence in {
        "folder.toml": "this is a folder. Check the path.",
        "missing.toml": "no such file. Check the path.",
        "latin.toml": "not UTF-8. Save it in that encoding.",
        "photos.yaml": "neither .toml nor .json. Give a kohya dataset file.",
    }.items():
        with pytest.raises(ConfigError) as error:
            read_dataset_file(tmp_path / name, KOHYA)
        assert error.value.problems == [f"{tmp_path / name}: {sentence}"]


def test_a_masks_dataset_keeps_the_folder_of_its_masks(tmp_path: Path) -> None:
    subset = only_subset(read(tmp_path, HEAD + "conditioning_data_dir = 'm'\n"))
    assert (subset.kind, subset.mask_dir) == (SubsetKind.masks, Path("m"))


@pytest.mark.parametrize("dialect", [KOHYA, OWN], ids=["kohya", "own"])
def test_every_key_has_a_field_and_every_field_a_key(dialect: Dialect) -> None:
    keys = {key for kind in SubsetKind for key in subset_rules(kind, dialect)}
    subset = {entry.name for entry in fields(FileSubset)} - {"source", "kind", "stated", *KOHYAS_ALONE}
    of_subsets = set(OF_SUBSETS[:2]) if dialect is KOHYA else set()
    assert subset - of_subsets == (keys - {dialect.masks, *KOHYAS_ALONE}) | {"mask_dir"}
    table = {entry.name for entry in fields(FileDataset)} - {"source", "kind", "stated", "subsets"}
    assert table == {*DATASET_RULES, "network_multiplier"}
    for kind in SubsetKind:
        assert set(dataset_rules(kind, dialect)) <= set(general_rules(dialect))


@pytest.mark.parametrize("dialect", [KOHYA, OWN], ids=["kohya", "own"])
def test_the_example_in_each_sentence_is_a_value_that_is_taken(dialect: Dialect) -> None:
    for kind in SubsetKind:
        rules = general_rules(dialect) | subset_rules(kind, dialect)
        for key, rule in rules.items():
            written = f"{key}{dialect.is_}{rule.example}"
            table = tomllib.loads(written) if dialect is KOHYA else yaml.safe_load(written)
            assert table_problems(table, rules, dialect) == []


def test_no_file_crashes_the_reader(tmp_path: Path) -> None:
    draws = random.Random(1)
    texts = [case["toml"] for case in FILES if "toml" in case and "datasets" in case]
    values = ["0", "-1", "1.5", "nan", "inf", "true", "'x'", "[]", "[1,2]", "{}", "1979-05-27", "[[1]]", "''"]
    outcomes = {True: 0, False: 0}
    for _ in range(600):
        lines = draws.choice(texts).splitlines()
        for _ in range(draws.randint(0, 2)):
            place = draws.randrange(len(lines))
            key = lines[place].split("=")[0]
            lines[place] = draws.choice(
                [f"{key}={draws.choice(values)}", lines[place][1:], lines[draws.randrange(len(lines))]]
            )
        try:
            found = read(tmp_path, "\n".join(lines))
        except ConfigError as error:
            outcomes[False] += 1
            assert all(problem.startswith(f"{tmp_path}/photos.toml") for problem in error.problems)
        else:
            outcomes[True] += 1
            assert all(min(table.resolution) >= 1 and table.subsets for table in found.datasets)
    assert min(outcomes.values()) > 50, outcomes


def test_reading_a_dataset_file_imports_no_torch() -> None:
    code = "import sys, engine.data.dataset_file as k; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
