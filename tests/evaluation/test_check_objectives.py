"""What an objective will lack is said before a run trains, in a sentence with the option that mends it."""

from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import sources_of_toys

from engine.config.sources import Sources
from evaluation.check import check_scoring
from tests.compose.toys import composed

HEAD = "evaluation.objectives={}: "


@pytest.fixture
def sources(tmp_path: Path, tiny_clip: Path) -> Sources:
    """With an encoder for pictures and text."""
    return sources_of_toys(tmp_path, encoder=tiny_clip)


def problems(sources: Sources, objectives: str, *options: str) -> list[str]:
    """Without what all of them begin with."""
    found = check_scoring(composed(f"evaluation.objectives=[{objectives}]", *options), sources)
    head = HEAD.format(f"[{objectives}]")
    assert all(problem.startswith(head) for problem in found), found
    return [problem.removeprefix(head) for problem in found]


def test_what_a_run_can_reach_is_not_objected_to(sources: Sources) -> None:
    assert problems(sources, "likeness,adherence,health,diversity,preservation,memorisation") == []
    assert check_scoring(composed(), sources) == []


@pytest.mark.parametrize(
    ("objective", "options", "sentence"),
    [
        ("likenes", (), "likenes: unknown metric (did you mean likeness?)"),
        ("health,health", (), "health: given twice. Give it once."),
        (
            "diversity",
            ("sampling.seeds=[1]",),
            "diversity: needs 2 pictures of a prompt, and sampling.seeds has 1",
        ),
        ("aesthetic", (), "aesthetic: no head is named: set evaluation.aesthetic to its file"),
        ("preference", (), "preference: no preference model is named"),
        ("luminance_range", (), "luminance_range: no prompts that ask for dark and for bright pictures"),
        ("distribution", (), "distribution: needs at least 50 pictures, and 16 will be drawn"),
        ("preservation", ("sampling.num_plain_prompts=0",), "preservation: no plain prompt will be drawn"),
    ],
)
def test_what_it_cannot_reach_is_said_at_once(
    sources: Sources, objective: str, options: tuple[str, ...], sentence: str
) -> None:
    (problem,) = problems(sources, objective, *options)
    assert problem.startswith(sentence)


def test_without_an_encoder_only_what_needs_none_can_be_asked_for(sources: Sources) -> None:
    bare = replace(sources, encoder=None)
    assert problems(bare, "health,luminance") == []
    first, second = problems(bare, "likeness,adherence")
    assert first.startswith("likeness: no encoder is named")
    assert second.startswith("adherence: no encoder is named that reads pictures and text")


def test_an_empty_list_is_refused(sources: Sources) -> None:
    assert check_scoring(composed("evaluation.objectives=[]"), sources) == [
        "evaluation.objectives=[]: names no metric. Give some, or null."
    ]


def test_pixels_read_no_text(sources: Sources) -> None:
    (problem,) = check_scoring(composed(), replace(sources, encoder="pixels"))
    assert problem == "evaluation.encoder=pixels: reads no text. Set evaluation.image_encoder=pixels instead."
    assert check_scoring(composed(), replace(sources, image_encoder="pixels")) == []


def test_the_demos_own_encoder_is_refused_with_another_model(sources: Sources, tmp_path: Path) -> None:
    from demo.folder import prepare_demo

    scorer = str(prepare_demo("sks", tmp_path).scorer)
    assert check_scoring(composed(), replace(sources, encoder=scorer)) == []
    (problem,) = check_scoring(composed("model=sd15"), replace(sources, encoder=scorer))
    assert (
        problem.startswith(f"evaluation.encoder={scorer}: is the demo's own CLIP") and "model=sd15" in problem
    )


def test_references_may_be_a_folder_and_an_empty_one_is_refused(sources: Sources, tmp_path: Path) -> None:
    folder = tmp_path / "true"
    folder.mkdir()
    (problem,) = check_scoring(composed(), replace(sources, manifest=folder))
    assert problem.startswith(f"evaluation.references: {folder}: the folder is empty.")
