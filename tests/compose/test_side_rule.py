"""Which sides of pictures go with which family."""

import pytest
from toys import composed

from engine.compose.rules import broken_rules

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


def test_a_side_is_refused_once() -> None:
    problems = broken_rules(composed(*SD3, "sampling.width=1001"))
    assert problems == ["sampling.width=1001: not a multiple of 8. Give 1000, for example."]
