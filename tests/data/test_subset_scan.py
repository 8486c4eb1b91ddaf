"""kohya's dataset file as a run's pictures: subsets treated as it says, and what is not taken refused."""
# ruff: noqa: E501

import json
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from fingerprint_of import fingerprint_of
from picture_files import write_picture

from engine.compose.planning import choose_buckets
from engine.config import DatasetConfig, Interpolation, Layout, SubsetConfig, dataset_size
from engine.data.layouts import scan_dataset
from engine.data.scan import Scan, Subset
from engine.data.subset_scan import stated_options

HEAD = "[general]\nenable_bucket = true\ncaption_extension = '.txt'\n[[datasets]]\nresolution = 64\nbatch_size = 2\n"


def subset(folder: Path, more: str = "") -> str:
    return f"[[datasets.subsets]]\nimage_dir = '{folder}'\n{more}\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_picture(tmp_path / "dogs/a.png", caption="a dog, at the sea")
    write_picture(tmp_path / "cats/b.png")
    write_picture(tmp_path / "reg/c.png")
    return tmp_path


def scan(folder: Path, text: str, **options: object) -> Scan:
    file = folder / "photos.toml"
    file.write_text(text, encoding="utf-8")
    buckets = {"min_bucket_reso": 64, "max_bucket_reso": 1024, "bucket_reso_steps": 64}
    config = DatasetConfig(
        layout=Layout.kohya_toml,
        config_file=str(file),
        **{"resolution": 64, "batch_size": 2, **buckets, **options},  # type: ignore[arg-type]
    )
    return scan_dataset(config, file)


def test_each_subset_is_treated_as_the_file_says(photos: Path) -> None:
    text = (
        HEAD
        + subset(photos / "dogs", "num_repeats = 3\nshuffle_caption = true\nkeep_tokens = 1")
        + subset(photos / "cats", "class_tokens = 'shs cat'\nflip_aug = true")
        + subset(photos / "reg", "class_tokens = 'cat'\nis_reg = true")
    )
    found = scan(photos, text, cache_text_embeddings=False)
    assert found.problems == []
    rows = [
        (picture.path.name, picture.caption, picture.repeats, picture.is_reg) for picture in found.pictures
    ]
    assert rows == [
        ("a.png", "a dog, at the sea", 3, False),
        ("b.png", "shs cat", 1, False),
        ("c.png", "cat", 4, True),  # as many as the others, repeats counted
    ]
    dogs, cats, _ = (picture.subset.config for picture in found.pictures)
    assert (dogs.shuffle_caption, dogs.keep_tokens, dogs.flip_aug) == (True, 1, False)
    assert (cats.shuffle_caption, cats.keep_tokens, cats.flip_aug) == (False, 0, True)


def test_what_the_file_does_not_state_is_the_runs(photos: Path) -> None:
    found = scan(photos, HEAD + subset(photos / "dogs"), flip_aug=True, caption_prefix="photo of")
    (picture,) = found.pictures
    assert picture.subset.config.flip_aug
    assert picture.caption == "photo of a dog, at the sea"
    stated = stated_options(found.config)
    assert "flip_aug" not in stated
    assert {"resolution", "batch_size", "caption_extension"} <= stated


def test_each_dataset_is_cut_and_batched_as_the_file_says(photos: Path) -> None:
    second = "[[datasets]]\nresolution = [128, 64]\nbatch_size = 3\nenable_bucket = false\n"
    found = scan(photos, HEAD + subset(photos / "dogs") + second + subset(photos / "dogs"))
    assert found.problems == []
    first, other = found.subsets
    assert (first.dataset, dataset_size(first.config), first.config.batch_size) == (0, (64, 64), 2)
    assert (other.dataset, dataset_size(other.config), other.config.batch_size) == (1, (128, 64), 3)
    assert first.config.enable_bucket and not other.config.enable_bucket
    assert found.size == (128, 64)
    assert [choice.bucket for choice in choose_buckets(found)] == [(64, 64), (128, 64)]


def test_regularisation_is_counted_in_each_dataset_by_itself(photos: Path) -> None:
    reg = subset(photos / "reg", "class_tokens = 'cat'\nis_reg = true")
    text = HEAD + subset(photos / "dogs", "num_repeats = 2") + reg
    text += "[[datasets]]\nresolution = 64\n" + subset(photos / "dogs", "num_repeats = 5") + reg
    found = scan(photos, text)
    assert found.problems == []
    assert [(one.subset.dataset, one.is_reg, one.repeats) for one in found.pictures] == [
        (0, False, 2),
        (1, False, 5),
        (0, True, 2),
        (1, True, 5),
    ]


def test_kohyas_bucket_sides_are_moved_onto_the_step(photos: Path) -> None:
    text = HEAD.replace("resolution = 64", "resolution = 256\nmin_bucket_reso = 200\nmax_bucket_reso = 500")
    (only,) = scan(photos, text + subset(photos / "dogs")).subsets
    assert (only.config.min_bucket_reso, only.config.max_bucket_reso) == (192, 512)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD + "network_multiplier = 0.5\n", "[[datasets]] 1: network_multiplier=0.5: not taken"),
        (HEAD + "min_bucket_reso = 128\n", "[[datasets]] 1: resolution=64: outside of min_bucket_reso=128 and max_bucket_reso=1024."),
        (HEAD + "bucket_reso_steps = 60\n", "[[datasets]] 1: bucket_reso_steps=60: not a multiple of 8. Give 64"),
        (HEAD.replace("enable_bucket = true", "enable_bucket = false").replace("resolution = 64", "resolution = 60"), "[[datasets]] 1: resolution=60: not a multiple of 8. Give 64"),
    ],
)  # fmt: skip
def test_what_a_dataset_cannot_have_is_refused(photos: Path, text: str, sentence: str) -> None:
    problems = scan(photos, text + subset(photos / "dogs")).problems
    assert any(sentence in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("face_crop_aug_range = [1.0, 2.0]", "subset 1: its pictures vary, and dataset.cache_latents=true"),
        ("custom_attributes = {a = 1}", "subset 1: custom_attributes: not taken"),
        ("shuffle_caption = true", "subset 1: its captions vary, and dataset.cache_text_embeddings=true"),
        ("random_crop = true", "subset 1: its pictures vary, and dataset.cache_latents=true"),
        ("shufle_caption = true", "did you mean shuffle_caption?"),
    ],
)
def test_what_a_subset_asks_for_and_cannot_have_is_refused(photos: Path, more: str, sentence: str) -> None:
    problems = scan(photos, HEAD + subset(photos / "dogs", more)).problems
    assert any(sentence in problem for problem in problems), problems


def test_a_folder_without_pictures_or_captions_is_named_with_its_subset(photos: Path) -> None:
    problems = scan(photos, HEAD + subset(photos / "cats") + subset(photos / "none")).problems
    assert len(problems) == 2
    assert "[[datasets]] 1, subset 1" in problems[0] and "without a caption" in problems[0]
    assert "[[datasets]] 1, subset 2" in problems[1] and "there is no such folder" in problems[1]


def test_another_treatment_is_another_data_set(photos: Path) -> None:
    plain = scan(photos, HEAD + subset(photos / "dogs"))
    flipped = scan(photos, HEAD + subset(photos / "dogs", "flip_aug = true"))
    assert fingerprint_of(plain) != fingerprint_of(flipped)


def own(folder: Path, text: str, **options: object) -> Scan:
    file = folder / "photos.yaml"
    file.write_text(text, encoding="utf-8")
    values = {"resolution": 64, "bucket_reso_steps": 8, "min_bucket_reso": 32, "max_bucket_reso": 128}
    config = DatasetConfig(
        layout=Layout.subsets,
        config_file=str(file),
        **{"cache_latents": False, "cache_text_embeddings": False, **values, **options},  # type: ignore[arg-type]
    )
    return scan_dataset(config, file)


def test_a_subset_says_more_than_its_dataset_that_more_than_general_that_more_than_the_run(
    photos: Path,
) -> None:
    found = own(
        photos,
        f"""
general: {{keep_tokens: 2, caption_extension: txt, batch_size: 4}}
datasets:
- keep_tokens: 3
  subsets:
  - {{image_dir: {photos / "dogs"}, keep_tokens: 0}}
  - {{image_dir: {photos / "cats"}, class_tokens: shs cat}}
- batch_size: 2
  subsets:
  - {{image_dir: {photos / "dogs"}}}
""",
        keep_tokens=9,
        flip_aug=True,
    )
    assert found.problems == []
    configs = [subset.config for subset in found.subsets]
    assert [config.keep_tokens for config in configs] == [0, 3, 2]
    assert [config.batch_size for config in configs] == [4, 4, 2]
    assert all(config.flip_aug and config.caption_extension == [".txt"] for config in configs)
    assert [subset.dataset for subset in found.subsets] == [0, 0, 1]


def test_a_dataset_that_states_its_resolution_has_buckets_around_it(photos: Path) -> None:
    text = f"datasets:\n- resolution: [256, 128]\n  subsets:\n  - image_dir: {photos / 'dogs'}\n"
    (only,) = own(photos, text).subsets
    assert (only.config.min_bucket_reso, only.config.max_bucket_reso) == (64, 512)
    (stated,) = own(photos, text.replace("subsets", "max_bucket_reso: 256\n  subsets", 1)).subsets
    assert (stated.config.min_bucket_reso, stated.config.max_bucket_reso) == (32, 256)


OTHER_VALUES: dict[str, object] = {
    "class_tokens": "shs dog",
    "caption_extension": [".cap"],
    "num_repeats": 3,
    "caption_prefix": "photo of",
    "caption_suffix": "at noon",
    "caption_separator": ";",
    "secondary_separator": "|",
    "shuffle_caption": True,
    "keep_tokens": 1,
    "keep_tokens_separator": "|||",
    "enable_wildcard": True,
    "caption_dropout_rate": 0.25,
    "caption_dropout_every_n_epochs": 2,
    "caption_tag_dropout_rate": 0.5,
    "token_warmup_min": 2,
    "token_warmup_step": 0.5,
    "flip_aug": True,
    "random_crop": True,
    "color_aug": True,
    "face_crop_aug_range": [1.0, 2.5],
    "resize_interpolation": Interpolation.box,
    "alpha_mask": True,
    "mask_dir": "masks",
    "metadata_file": "meta.json",
    "validation_split": 0.25,
    "validation_seed": 7,
}


def test_every_option_of_a_subset_reaches_its_pictures(photos: Path) -> None:
    assert set(OTHER_VALUES) == {field.name for field in fields(SubsetConfig)}
    for name, value in OTHER_VALUES.items():
        written = json.dumps(value.name if isinstance(value, Interpolation) else value)
        entry = f"image_dir: {photos / 'dogs'}\n    {name}: {written}"
        found = own(photos, f"datasets:\n- subsets:\n  - {entry}\n")
        assert getattr(found.subsets[0].config, name) == value, name
        assert getattr(DatasetConfig(), name) != value, name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("datasets: []", "photos.yaml: no datasets. Add one with subsets in it."),
        ("dataset: []", "dataset=[]: unknown table (did you mean datasets?)."),
        ("datasets: {subsets: 1}", "photos.yaml: datasets is no list of tables. Write datasets with a dash for each."),
        ("datasets: [{subsets: [{image_dir: dogs, shufle_caption: true}]}]", "photos.yaml, datasets 1, subset 1: shufle_caption=true: unknown key (did you mean shuffle_caption?)."),
        ("datasets: [{subsets: [{image_dir: dogs, num_repeats: '3'}]}]", "num_repeats=\"3\": this key takes a whole number. Write it without quotes: num_repeats: 1."),
        ("datasets: [{subsets: [{image_dir: dogs, num_repeats: 0}]}]", "num_repeats=0: outside the range, which is from 1 on."),
        ("datasets: [{subsets: [{image_dir: dogs, is_reg: true}]}]", "only regularisation pictures are left to train on."),
        ("datasets: [{subsets: [{image_dir: dogs}, {metadata_file: m.json}]}]", "its subsets are of several kinds: dreambooth (1) and metadata (2). Give each kind its own datasets."),
        ("datasets: [{subsets: [{metadata_file: m.json, is_reg: true}]}]", "is_reg=true: a metadata subset takes no regularisation pictures. Leave it out."),
        ("datasets: [{subsets: [{image_dir: dogs, network_multiplier: 0.5}]}]", "network_multiplier=0.5: unknown key. Leave it out."),
        ("datasets: [{subsets: [{image_dir: dogs, conditioning_data_dir: m}]}]", "conditioning_data_dir=\"m\": unknown key (did you mean mask_dir?)."),
        ("datasets: [{resolution: 60, enable_bucket: false, subsets: [{image_dir: dogs}]}]", "datasets 1: resolution=60: not a multiple of 8."),
        ("datasets: [{subsets: [{image_dir: dogs, validation_split: 1.0}]}]", "subset 1: validation_split=1: nothing is left to train on. Lower it."),
        ("datasets: [{subsets: [{image_dir: dogs, alpha_mask: true, mask_dir: m}]}]", "alpha_mask and a folder of masks: two masks for one picture."),
        ("datasets: [", "photos.yaml: not YAML: "),
        ("datasets: 1\ndatasets: 2", "photos.yaml: not YAML: "),
    ],
)  # fmt: skip
def test_our_own_file_is_as_strict(
    photos: Path, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    problems = own(photos, text).problems
    assert any(sentence in problem for problem in problems), problems
    assert all("photos.yaml" in problem for problem in problems)


def test_a_subset_given_twice_is_told_of_and_left_out(photos: Path) -> None:
    entry = f"  - image_dir: {photos / 'dogs'}\n"
    found = own(photos, f"datasets:\n- subsets:\n{entry}{entry}")
    assert len(found.subsets) == len(found.pictures) == 1
    assert any("subset 2: left out, the same pictures as" in note for note in found.notes)


def test_masks_of_a_subset_are_found_by_name(photos: Path) -> None:
    write_picture(photos / "masks/a.webp")
    text = f"datasets:\n- subsets:\n  - image_dir: {photos / 'dogs'}\n    mask_dir: {photos / 'masks'}\n"
    found = own(photos, text)
    assert found.problems == []
    assert found.pictures[0].mask == photos / "masks/a.webp"
    kohya = scan(photos, HEAD + subset(photos / "dogs", f"conditioning_data_dir = '{photos / 'masks'}'"))
    assert kohya.problems == [] and kohya.pictures[0].mask == photos / "masks/a.webp"
    before = fingerprint_of(found)
    write_picture(photos / "masks/a.webp").write_bytes((photos / "cats/b.png").read_bytes())
    assert fingerprint_of(own(photos, text)) != before


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        (None, "1 picture without a mask that fits: a.png (none). Put a picture of the same name and size"),
        ((32, 64), "a.png (mask of 32x64, picture of 64x64)"),
    ],
)
def test_a_picture_without_a_mask_that_fits_is_named(
    photos: Path, size: tuple[int, int] | None, sentence: str
) -> None:
    write_picture(photos / "masks/other.png")
    if size is not None:
        write_picture(photos / "masks/a.png", size)
    text = f"datasets:\n- subsets:\n  - image_dir: {photos / 'dogs'}\n    mask_dir: {photos / 'masks'}\n"
    (problem,) = own(photos, text).problems
    assert sentence in problem


def test_bucket_sides_of_the_run_hold_where_they_were_set(photos: Path) -> None:
    text = f"datasets:\n- resolution: 128\n  subsets:\n  - image_dir: {photos / 'dogs'}\n"
    two = text + f"- resolution: 96\n  min_bucket_reso: 48\n  subsets:\n  - image_dir: {photos / 'dogs'}\n"
    assert [sides(one) for one in own(photos, text).subsets] == [(64, 256)]  # around its own resolution
    assert [sides(one) for one in own(photos, two).subsets] == [(64, 256), (48, 128)]  # stated by the other
    assert [sides(one) for one in own(photos, text, max_bucket_reso=512).subsets] == [(32, 512)]  # by the run


def sides(subset: Subset) -> tuple[int, int]:
    return subset.config.min_bucket_reso, subset.config.max_bucket_reso


@pytest.mark.parametrize(
    ("option", "goes_with"),
    [
        ("keep_tokens: 3", "shuffle_caption, caption_tag_dropout_rate or token_warmup_step"),
        ("keep_tokens_separator: '|'", "shuffle_caption, caption_tag_dropout_rate or token_warmup_step"),
        ("caption_separator: ';'", "shuffle_caption, caption_tag_dropout_rate or token_warmup_step, or secondary_separator"),
        ("token_warmup_min: 4", "token_warmup_step"),
        ("validation_seed: 3", "validation_split"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused_in_our_file_and_noted_of_kohyas(
    photos: Path, option: str, goes_with: str
) -> None:
    name, value = option.split(": ")
    sentence = f"subset 1: {name}: without effect. It goes with {goes_with}, in the same subset."
    subsets = f"  subsets:\n  - image_dir: {photos / 'dogs'}\n"
    (problem,) = own(photos, f"datasets:\n-{subsets[1:]}    {option}\n").problems
    assert problem.endswith(sentence)
    shared = own(photos, f"general: {{{option}}}\ndatasets:\n-{subsets[1:]}")
    assert shared.problems == []  # of several subsets, some may make use of it
    (of_run,) = own(photos, f"datasets:\n-{subsets[1:]}", **{name: yaml.safe_load(value)}).problems
    assert of_run.startswith(f"dataset.{name}=") and "without effect in every subset" in of_run
    if name != "validation_seed":
        kohya = scan(photos, HEAD + subset(photos / "dogs", f"{name} = {value}"))
        assert kohya.problems == [] and any(note.endswith(sentence) for note in kohya.notes)


def test_class_tokens_that_no_picture_takes_are_told_of(photos: Path) -> None:
    text = f"datasets:\n- subsets:\n  - image_dir: {photos / 'dogs'}\n"
    noted = own(photos, f"{text}    class_tokens: nobody\n")
    assert "dogs: class_tokens is not used: every picture has a caption of its own" in noted.notes
    (problem,) = own(photos, text, class_tokens="nobody").problems
    assert problem == "dataset.class_tokens=nobody: no picture of the file takes it. Leave it out."


def test_masks_within_the_folder_of_the_pictures_are_no_pictures(photos: Path) -> None:
    write_picture(photos / "dogs/masks/a.png")
    text = f"datasets:\n- subsets:\n  - image_dir: {photos / 'dogs'}\n    mask_dir: {photos / 'dogs/masks'}\n"
    found = own(photos, text)
    assert found.problems == [] and [one.path.name for one in found.pictures] == ["a.png"]
    assert found.pictures[0].mask == photos / "dogs/masks/a.png"


def test_a_split_of_kohyas_file_is_sent_to_its_dataset(photos: Path) -> None:
    problems = scan(photos, HEAD + subset(photos / "dogs", "validation_split = 0.3")).problems
    assert any("validation_split=0.3: this key holds for a whole dataset." in problem for problem in problems)
