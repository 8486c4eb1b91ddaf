"""Which sides of pictures go with which family."""

from pathlib import Path

import pytest
from toys import composed

from engine.compose.preflight import disk_problems
from engine.compose.rules import broken_rules
from tests.data.picture_files import write_picture

SD3 = ("model=sd3_medium", "dataset.path=photos")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sampling.width=1000", "1008"),
        ("sampling.height=24", "32"),
        ("dataset.resolution=504", "512"),
        ("dataset.resolution_height=8", "16"),
    ],
)
def test_a_side_that_is_no_multiple_of_16_is_refused_where_a_transformer_reads_it(
    given: str, said: str
) -> None:
    run = composed(*SD3, "dataset.enable_bucket=false", given)
    sentence = f"{given}: Stable Diffusion 3 reads pictures in squares of 16 pixels. "
    assert sentence + f"Give a multiple of 16, such as {said}." in broken_rules(run)


def test_buckets_step_by_such_sides_where_there_are_any() -> None:
    step = "dataset.bucket_reso_steps=8"
    assert any(problem.startswith(f"{step}: Stable") for problem in broken_rules(composed(*SD3, step)))
    for given in ("dataset.enable_bucket=false", "dataset.bucket_reso_steps=16"):
        assert broken_rules(composed(*SD3, step, given)) == []


def test_a_unet_takes_multiples_of_8() -> None:
    run = composed("model=sd15", "dataset.path=photos", "sampling.width=520", "sampling.height=504")
    assert broken_rules(run) == []


@pytest.mark.parametrize(
    ("recipe", "table", "said"),
    [
        (
            "sd3_medium",
            "resolution: 480, bucket_reso_steps: 24",
            "bucket_reso_steps=24: not a multiple of 16, the pixels that",
        ),
        (
            "flux_dev",
            "resolution: 520, enable_bucket: false",
            "resolution=520: not a multiple of 16, the pix",
        ),
        ("anima", "resolution: 480, bucket_reso_steps: 32", ""),
        ("sd15", "resolution: 480, bucket_reso_steps: 24", ""),
        (
            "sd15",
            "resolution: 480, bucket_reso_steps: 20",
            "bucket_reso_steps=20: not a multiple of 8. Give 16, for example.",
        ),
    ],
)
def test_a_file_of_datasets_keeps_to_the_sides_of_the_family(
    recipe: str, table: str, said: str, tmp_path: Path
) -> None:
    write_picture(tmp_path / "dogs/a.png", caption="a dog")
    file = tmp_path / "photos.yaml"
    sides = "min_bucket_reso: 480, max_bucket_reso: 960"
    file.write_text(f"general: {{{sides}}}\ndatasets: [{{{table}, subsets: [{{image_dir: dogs}}]}}]")
    run = composed(f"model={recipe}", "dataset=subsets", f"dataset.config_file={file}")
    problems = [one for one in disk_problems(run) if "not a multiple" in one]
    assert len(problems) == bool(said) and all(f"datasets 1: {said}" in one for one in problems)


def test_a_side_is_refused_once() -> None:
    problems = broken_rules(composed(*SD3, "sampling.width=1001"))
    assert problems == ["sampling.width=1001: not a multiple of 8. Give 1000, for example."]
