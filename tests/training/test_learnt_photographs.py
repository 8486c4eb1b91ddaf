"""Real photographs, given in every way in which pictures can be given, are learnt from."""
# ruff: noqa: E501

import json
from pathlib import Path

import pytest
import torch

from engine.config.outcome import Outcome
from engine.data.metadata import entry_caption
from tests.data.real_photographs import write_photographs
from tests.training.option_desk import read_tensors
from tests.training.toy_runs import small_run, train_small

QUICK = ("sampling.num_prompts=0", "training.steps=4", "training.validate_every=4")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/ with captions, bare/ without, kohya/ and reg/ in kohya's form, and a file of each kind."""
    desk = tmp_path_factory.mktemp("photographs")
    paths = write_photographs(desk / "photos")
    write_photographs(desk / "bare", captions=False)
    write_photographs(desk / "kohya/2_shs cat", captions=False)
    write_photographs(desk / "kohya/1_a place")
    write_photographs(desk / "reg/1_cat", captions=False)
    captions = {path.name: path.with_suffix(".txt").read_text().strip() for path in paths}
    entries = {name: {"caption": text, "tags": "photograph"} for name, text in captions.items()}
    (desk / "meta.json").write_text(json.dumps(entries))
    (desk / "photos.toml").write_text(
        "[general]\nenable_bucket = true\nmin_bucket_reso = 32\nmax_bucket_reso = 128\nbucket_reso_steps = 8\n"
        f"[[datasets]]\nresolution = 64\nbatch_size = 2\n[[datasets.subsets]]\nimage_dir = '{desk / 'photos'}'\n"
        f"[[datasets]]\nresolution = [64, 32]\n[[datasets.subsets]]\nmetadata_file = '{desk / 'meta.json'}'\n"
        f"image_dir = '{desk / 'bare'}'\n"
    )
    (desk / "photos.yaml").write_text(
        "general: {batch_size: 2, caption_prefix: photo of}\ndatasets:\n"
        f"- subsets:\n  - {{image_dir: {desk / 'photos'}, flip_aug: true, validation_split: 0.2}}\n"
        f"  - {{image_dir: {desk / 'reg'}, class_tokens: cat, is_reg: true}}\n"
        f"- resolution: 48\n  subsets:\n  - {{metadata_file: {desk / 'meta.json'}, image_dir: {desk / 'bare'}}}\n"
    )
    return desk


WAYS = {
    "captions in files": ("dataset.path={desk}/photos",),
    "class and identifier": ("dataset.path={desk}/bare", "dataset.class_tokens=shs cat"),
    "metadata": ("dataset.path={desk}/bare", "dataset.metadata_file={desk}/meta.json"),
    "kohya's folders": ("dataset=kohya_folder", "dataset.path={desk}/kohya", "dataset.reg_path={desk}/reg"),
    "kohya's file": ("dataset=kohya_toml", "dataset.config_file={desk}/photos.toml"),
    "our own file": ("dataset=subsets", "dataset.config_file={desk}/photos.yaml"),
    "new each time": (
        "dataset.path={desk}/photos",
        "dataset.cache_latents=false",
        "dataset.cache_text_embeddings=false",
        "dataset.random_crop=true",
        "dataset.color_aug=true",
        "dataset.shuffle_caption=true",
        "training.workers=2",
    ),
    "masks and no enlarging": (
        "dataset.path={desk}/photos",
        "dataset.alpha_mask=true",
        "dataset.bucket_no_upscale=true",
        "dataset.resize_interpolation=bicubic",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_real_photographs_are_learnt_from_in_every_way_they_can_be_given(
    desk: Path, tmp_path: Path, way: str
) -> None:
    options = [*(option.format(desk=desk) for option in WAYS[way]), *QUICK]
    result = train_small(tmp_path, *options)
    assert result.outcome is Outcome.completed, result.cause
    assert result.skipped_pictures == []
    assert result.weights is not None and len(read_tensors(result.weights)) > 100
    (start, before), *_, (end, after) = result.val_losses
    assert (start, end) == (0, 4)
    assert after != before and all(torch.isfinite(torch.tensor([before, after])))


def test_every_way_sees_every_photograph(desk: Path, tmp_path: Path) -> None:
    names = {path.name for path in (desk / "photos").iterdir() if path.suffix != ".txt"}
    for way, options in WAYS.items():
        _, plan = small_run(tmp_path, *(option.format(desk=desk) for option in options), *QUICK)
        assert {picture.path.name for picture in plan.scan.pictures} == names, way
        assert all(picture.caption for picture in plan.scan.pictures), way
        assert not any(min(choice.bucket) < 8 for choice in plan.choices), way


def test_captions_are_those_of_the_way_that_was_chosen(desk: Path, tmp_path: Path) -> None:
    def captions(way: str) -> set[str]:
        options = (option.format(desk=desk) for option in WAYS[way])
        return {picture.caption for picture in small_run(tmp_path, *options, *QUICK)[1].scan.pictures}

    entries = json.loads((desk / "meta.json").read_text())
    written = {entry["caption"] for entry in entries.values()}
    tagged = {entry_caption(entry, separator=",", all_lines=False) for entry in entries.values()}
    assert captions("captions in files") == written
    assert captions("class and identifier") == {"shs cat"}
    assert captions("metadata") == tagged
    assert captions("kohya's folders") == {"shs cat", "cat", *written}
    assert captions("kohya's file") == written | tagged
    own_file = [option.format(desk=desk) for option in WAYS["our own file"]]
    pictures = small_run(tmp_path, *own_file, *QUICK)[1].scan.pictures
    held_out = {picture.path.name for picture in pictures if picture.held_out}
    assert len(held_out) == 3  # of 13; another subset has the same pictures, and leaves these out
    rest = {name: entry for name, entry in entries.items() if name not in held_out}
    tagged = {entry_caption(entry, separator=",", all_lines=False) for entry in rest.values()}
    assert captions("our own file") == {f"photo of {text}" for text in written | tagged | {"cat"}}
