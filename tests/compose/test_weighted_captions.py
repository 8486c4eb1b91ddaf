"""Weights in captions and prompts are read before anything is loaded; a bad one is shown with its file."""
# ruff: noqa: E501

from pathlib import Path

import pytest
from toys import composed

from demo.folder import prepare_demo
from engine.compose.preflight import preflight
from engine.config import ConfigError
from evaluation.check import check_scoring
from tests.data.picture_files import write_picture

WEIGHTED = ("model.weighted_captions=true", "evaluation.enabled=false", "tracking.wandb=disabled")


def problems(folder: Path, *options: str) -> list[str]:
    try:
        run = composed(
            f"output_dir={folder / 'out'}", f"cache_dir={folder / 'cache'}", f"dataset.path={folder / 'photos'}",
            *options,
        )  # fmt: skip
        preflight(run, prepare_demo, check_scoring)
    except ConfigError as error:
        return error.problems
    return []


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    write_picture(tmp_path / "photos/a.png", caption="a (red:1.2) cat, [small]")
    write_picture(tmp_path / "photos/b.png", caption="a (red:1.2.3) cat")
    return tmp_path


def test_a_bad_weight_is_shown_with_its_caption_and_its_file(desk: Path) -> None:
    (problem,) = problems(desk, *WEIGHTED, "sampling.num_prompts=0")
    assert problem.startswith(
        f"{desk / 'photos/b.txt'}: a (red:1.2.3) cat: (red:1.2.3): 1.2.3 is not a weight. Write a number"
    )


def test_without_weighted_captions_brackets_are_only_text(desk: Path) -> None:
    assert problems(desk, *WEIGHTED[1:], "sampling.num_prompts=0") == []


def test_a_bad_weight_in_class_tokens_or_around_the_caption_is_found(desk: Path) -> None:
    (desk / "photos/b.txt").unlink()
    (problem,) = problems(desk, *WEIGHTED, "dataset.class_tokens='(dog:x)'", "sampling.num_prompts=0")
    assert problem.startswith(f"{desk / 'photos/b.png'}: (dog:x): ")
    (desk / "photos/b.txt").write_text("a dog")
    found = problems(desk, *WEIGHTED, "dataset.caption_suffix='(b:1.1.1)'", "sampling.num_prompts=0")
    assert len(found) == 2 and "photos/a.txt: a (red:1.2) cat, [small] (b:1.1.1): " in found[0]


def test_every_line_that_wildcards_may_draw_is_read(desk: Path) -> None:
    (desk / "photos/b.txt").write_text("fine\n{a|(b:1..1)} here\n")
    options = (
        "dataset.enable_wildcard=true",
        "dataset.cache_text_embeddings=false",
        "sampling.num_prompts=0",
    )
    (problem,) = problems(desk, *WEIGHTED, *options)
    assert problem.startswith(f"{desk / 'photos/b.txt'}: {{a|(b:1..1)}} here: ")


def test_a_bracket_that_shuffling_would_tear_is_refused(desk: Path) -> None:
    (desk / "photos/b.txt").write_text(r"a \(real\), (red, round:1.2) cat")
    options = ("dataset.cache_text_embeddings=false", "sampling.num_prompts=0")
    assert problems(desk, *WEIGHTED, *options) == []
    (problem,) = problems(desk, *WEIGHTED, *options, "dataset.shuffle_caption=true")
    assert (
        "b.txt: " in problem and "a bracket that holds ',' is torn where tags change their places" in problem
    )


def test_prompts_are_read_too_where_pictures_are_drawn(desk: Path) -> None:
    (desk / "photos/b.txt").write_text("a dog")
    (desk / "prompts.txt").write_text("a (dog:1.3)\na (dog:much)\n")
    drawn = (f"sampling.prompt_file={desk / 'prompts.txt'}", "sampling.guidance_scale=2")
    (problem,) = problems(desk, *WEIGHTED, *drawn)
    assert problem.startswith(f"{desk / 'prompts.txt'}: a (dog:much): ")
    (desk / "prompts.txt").write_text("a (dog:1.3)\n")
    (negative,) = problems(desk, *WEIGHTED, *drawn, "sampling.negative_prompt='(bad:1.1.1)'")
    assert negative.startswith("sampling.negative_prompt: (bad:1.1.1): ")


def test_many_bad_captions_are_counted(desk: Path) -> None:
    for index in range(9):
        write_picture(desk / f"photos/c{index}.png", caption="(a:b)")
    found = problems(desk, *WEIGHTED, "sampling.num_prompts=0")
    assert len(found) == 6 and found[-1] == "and 5 more captions with such weights."


def test_what_is_legal_and_probably_not_meant_is_noted(desk: Path) -> None:
    (desk / "photos/b.txt").write_text("a (dog:1.2, a [cat] \\\\(real\\\\)")
    (desk / "photos/a.txt").write_text("a (dog:1000)")
    run = composed(
        f"output_dir={desk / 'out'}", f"cache_dir={desk / 'cache'}", f"dataset.path={desk / 'photos'}",
        *WEIGHTED, "sampling.num_prompts=0",
    )  # fmt: skip
    notes = preflight(run, prepare_demo, check_scoring).notes
    assert [note for note in notes if note.startswith("captions with")] == [
        r"captions with a bracket without its partner: it reaches to the end, or is text; \( and \) are always text: 1",
        "captions with a weight beyond 10: 1",
    ]
