"""kohya's dataset file as a run's pictures: subsets treated as it says, and what is not taken refused."""
# ruff: noqa: E501

from pathlib import Path

import pytest
from picture_files import write_picture

from engine.config import DatasetConfig, Layout
from engine.data.kohya_scan import stated_options
from engine.data.layouts import scan_dataset
from engine.data.scan import Scan, dataset_fingerprint

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
    buckets = {"min_bucket_reso": 256, "max_bucket_reso": 1024, "bucket_reso_steps": 64}
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
    dogs, cats, _ = (picture.treated for picture in found.pictures)
    assert dogs is not None and cats is not None
    assert (dogs.shuffle_caption, dogs.keep_tokens, dogs.flip_aug) == (True, 1, False)
    assert (cats.shuffle_caption, cats.keep_tokens, cats.flip_aug) == (False, 0, True)


def test_what_the_file_does_not_state_is_the_runs(photos: Path) -> None:
    found = scan(photos, HEAD + subset(photos / "dogs"), flip_aug=True, caption_prefix="photo of")
    (picture,) = found.pictures
    assert picture.treated is not None and picture.treated.flip_aug
    assert picture.caption == "photo of a dog, at the sea"
    assert "flip_aug" not in stated_options(photos / "photos.toml")
    assert {"resolution", "batch_size", "caption_extension"} <= stated_options(photos / "photos.toml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD.replace("resolution = 64", "resolution = 512"), "resolution is 512x512, the run's is 64. Set dataset.resolution=512."),
        (HEAD.replace("resolution = 64", "resolution = [64, 128]"), "resolution is 64x128, the run's is 64. Squares are taken so far."),
        (HEAD.replace("batch_size = 2", "batch_size = 4"), "batch_size is 4, the run's is 2. Set dataset.batch_size=4."),
        (HEAD.replace("enable_bucket = true", "enable_bucket = false"), "enable_bucket is false, the run's is true. Set dataset.enable_bucket=false."),
        (HEAD + "network_multiplier = 0.5\n", "network_multiplier is not taken"),
    ],
)  # fmt: skip
def test_what_differs_from_the_run_is_refused_with_the_option_to_set(
    photos: Path, text: str, sentence: str
) -> None:
    problems = scan(photos, text + subset(photos / "dogs")).problems
    assert any(sentence in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("face_crop_aug_range = [1.0, 2.0]", "subset 1: face_crop_aug_range is not taken yet"),
        ("alpha_mask = true", "subset 1: alpha_mask is not taken yet"),
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
    assert "[[datasets]] 1, subset 1" in problems[0] and "have no caption" in problems[0]
    assert "[[datasets]] 1, subset 2" in problems[1] and "there is no such folder" in problems[1]


def test_several_datasets_are_refused(photos: Path) -> None:
    text = HEAD + subset(photos / "dogs") + "[[datasets]]\nresolution = 64\n" + subset(photos / "dogs")
    (problem,) = scan(photos, text).problems
    assert "holds 2 [[datasets]], and one is taken so far" in problem


def test_another_treatment_is_another_data_set(photos: Path) -> None:
    plain = scan(photos, HEAD + subset(photos / "dogs"))
    flipped = scan(photos, HEAD + subset(photos / "dogs", "flip_aug = true"))
    assert dataset_fingerprint(plain) != dataset_fingerprint(flipped)
