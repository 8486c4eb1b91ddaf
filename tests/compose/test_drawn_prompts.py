"""Which prompts a run draws: told by the plan, or refused before anything is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from demo.folder import DemoFolder, prepare_demo
from demo.words import split_words, world_words
from engine.compose.guard import check_overrides
from engine.compose.plan import Plan, plan_lines
from engine.compose.preflight import disk_problems, preflight
from engine.compose.prompts import captions_of, listed_prompts
from engine.compose.register import register
from engine.config import ConfigError
from engine.sampling.prompt_file import load_prompts
from tests.compose.toys import CONF, composed, write_checkpoint

WORDS = ("dataset.trigger=sks", "dataset.class_word=dog")
Planned = Callable[..., tuple[Plan, str]]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], DemoFolder]:
    """The demo's folders, each drawn once."""
    cache = tmp_path_factory.mktemp("demo")
    folders: dict[str, DemoFolder] = {}

    def draw(concept: str, _: Path) -> DemoFolder:
        return folders.setdefault(concept, folders.get(concept) or prepare_demo(concept, cache))

    return draw


@pytest.fixture
def on_demo(tmp_path: Path, drawn: Callable[[str, Path], DemoFolder]) -> Planned:
    """The plan of a run on the demo, and its line about the pictures."""

    def plan(*overrides: str) -> tuple[Plan, str]:
        run = composed(
            f"output_dir={tmp_path}", f"cache_dir={tmp_path}", "evaluation.enabled=false", *overrides
        )
        made = preflight(run, drawn, lambda run, sources: [])
        return made, dict(plan_lines(run, made))["drawing"]

    return plan


@pytest.fixture
def on_photos(tmp_path: Path) -> Planned:
    """The same of a run on another model and pictures with three captions."""
    checkpoint = write_checkpoint(tmp_path / "model")
    for index in range(4):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.new("RGB", (512, 512)).save(tmp_path / f"photos/{index}.png")
        (tmp_path / f"photos/{index}.txt").write_text(f"sks dog {index % 3}")
    own = [
        f"model.checkpoint={checkpoint}",
        f"dataset.path={tmp_path / 'photos'}",
        "evaluation.enabled=false",
    ]

    def plan(*overrides: str) -> tuple[Plan, str]:
        run = composed("model=sd15", *own, f"output_dir={tmp_path}", f"cache_dir={tmp_path}", *overrides)
        made = preflight(run, lambda concept, _: pytest.fail("no demo"), lambda run, sources: [])
        return made, dict(plan_lines(run, made))["drawing"]

    return plan


def texts(plan: Plan) -> list[str]:
    return [prompt.text for prompt in plan.drawing.prompts]


def notes(plan: Plan) -> list[str]:
    return [note for note in plan.notes if note.startswith("sampling.")]


def test_the_default_run_draws_eight_prompts_of_the_concept_then_four_plain_ones(on_demo: Planned) -> None:
    plan, line = on_demo()
    assert plan.sources.prompts is not None
    listed = load_prompts(plan.sources.prompts)
    assert list(plan.drawing.prompts) == listed[:8] + listed[16:20]
    assert [prompt.kind for prompt in plan.drawing.prompts] == ["concept"] * 8 + ["plain"] * 4
    assert line == (
        "8 prompts of the demo's list and 4 plain x 2 seeds: 24 pictures by the base, as many after training"
    )
    assert notes(plan) == []


def test_no_plain_prompts_are_drawn_where_none_are_wanted(on_demo: Planned) -> None:
    plan, line = on_demo("sampling.num_plain_prompts=0", "sampling.seeds=[5]", "sampling.num_prompts=1")
    assert [prompt.kind for prompt in plan.drawing.prompts] == ["concept"]
    assert line.startswith("1 prompt of the demo's list, none plain, x 1 seed: 1 picture by the base")


@pytest.mark.parametrize("concept", ["sks", "night", "bright"])
def test_luminance_on_the_demo_has_as_many_dark_as_bright_prompts_with_true_pictures(
    on_demo: Planned, concept: str
) -> None:
    plan, line = on_demo("sampling.prompt_set=luminance", f"dataset.concept={concept}")
    toned = plan.drawing.chosen.listed
    assert [prompt.tone for prompt in toned] == ["dark", "bright"] * 4
    assert [prompt.type for prompt in toned] == ["dark", "bright"] * 4
    assert all(len(prompt.references) == 2 and prompt.references[0].is_file() for prompt in toned)
    assert plan.sources.manifest == plan.sources.prompts
    assert {word for prompt in toned for word in split_words(prompt.text)} <= set(world_words())
    own = {"night": "dark", "bright": "bright"}.get(concept)
    for prompt in toned:
        assert (prompt.kind == "concept") == (concept in prompt.text.split()) == (own in (None, prompt.tone))
    assert line.startswith("8 prompts of luminance and 4 plain x 2 seeds: 24 pictures")


def test_confirm_draws_25_prompts_that_the_others_did_not(on_demo: Planned) -> None:
    first, _ = on_demo("sampling=sweep")
    default, _ = on_demo()
    plan, line = on_demo("sampling=confirm")
    confirmed = {prompt.text for prompt in plan.drawing.chosen.listed}
    assert len(texts(first)) == 10 + 4 and len(confirmed) == 25
    assert not confirmed & set(texts(first)) and not confirmed & set(texts(default))
    assert line.startswith("25 prompts of the demo's list and 4 plain x 4 seeds: 116 pictures")
    assert notes(plan) == []


def test_fewer_prompts_than_were_asked_for_are_a_note(on_demo: Planned) -> None:
    plan, line = on_demo("sampling=confirm", "sampling.prompt_set=luminance")
    assert line.startswith("6 prompts of luminance and 4 plain x 4 seeds: 40 pictures")
    assert notes(plan) == [
        "sampling.num_prompts=25: luminance has 6 from sampling.first_prompt=10 on, all of them are drawn"
    ]


def test_more_plain_prompts_than_there_are_is_a_note(on_demo: Planned) -> None:
    plan, _ = on_demo("sampling.num_plain_prompts=99")
    assert notes(plan) == ["sampling.num_plain_prompts=99: the demo's list has 16, all of them are drawn"]


def test_passing_over_the_whole_list_is_refused_with_what_else_is_wrong(
    tmp_path: Path, drawn: Callable[[str, Path], DemoFolder]
) -> None:
    run = composed(f"output_dir={tmp_path}", f"cache_dir={tmp_path}", "sampling.first_prompt=35")
    with pytest.raises(ConfigError) as refused:
        preflight(run, drawn, lambda run, sources: ["no encoder"])
    assert refused.value.problems == [
        "no encoder",
        "sampling.first_prompt=35: the demo's list has 35 prompts. Pass over fewer.",
    ]


def test_without_a_list_the_captions_are_drawn_and_none_is_plain(on_photos: Planned) -> None:
    plan, line = on_photos()
    assert texts(plan) == ["sks dog 0", "sks dog 1", "sks dog 2"]
    assert line.startswith("3 prompts of the list of captions, none plain, x 2 seeds: 6 pictures")
    assert notes(plan) == ["sampling.num_prompts=8: the list of captions has 3, all of them are drawn"]


def test_a_set_is_made_of_the_words_and_the_captions(on_photos: Planned) -> None:
    plan, line = on_photos("sampling.prompt_set=lycoris", *WORDS)
    assert texts(plan)[:3] == ["sks dog 0", "sks", "a sks dog on a park bench"]
    assert len(texts(plan)) == 12 and texts(plan)[8] == "a bowl of fruit on a table"
    assert line.startswith("8 prompts of lycoris and 4 plain x 2 seeds")
    live, _ = on_photos("sampling.prompt_set=dreambooth_live_subject", "sampling=confirm", *WORDS)
    assert texts(live)[0] == "a sks dog wearing a red hat" and len(live.drawing.chosen.listed) == 15


def test_a_set_without_its_words_is_refused_beside_everything_else(tmp_path: Path) -> None:
    register()
    words = (
        "model=sd15 dataset.path=gone model.checkpoint=nowhere sampling.prompt_set=luminance network.rnk=3"
    )
    with pytest.raises(ConfigError) as refused:
        check_overrides(words.split(), CONF)
    found = refused.value.problems
    assert any(problem.startswith("network.rnk: unknown option") for problem in found)
    assert any("Give dataset.trigger and dataset.class_word." in problem for problem in found)
    assert any(problem.startswith("dataset.path=gone") for problem in found)
    assert any(problem.startswith("model.checkpoint=nowhere") for problem in found)


def test_a_file_with_too_few_or_only_plain_prompts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"prompts": [{"prompt": "a", "kind": "plain"}]}))
    run = composed(f"sampling.prompt_file={path}")
    assert (
        "sampling.num_prompts=8: mine.json has 1 plain prompts and no others. Mark those that are about the "
        "concept as such."
    ) in disk_problems(run)
    path.write_text(json.dumps({"prompts": [{"prompt": "a", "kind": "plan"}]}))
    assert any(
        problem.startswith(f"sampling.prompt_file={path}: prompt 1 (a): kind=plan is unknown")
        for problem in disk_problems(run)
    )
    (tmp_path / "mine.txt").write_text("a\nb\n")
    run = composed(f"sampling.prompt_file={tmp_path / 'mine.txt'}", "sampling.first_prompt=2")
    assert "sampling.first_prompt=2: mine.txt has 2 prompts. Pass over fewer." in disk_problems(run)


def test_a_manifest_of_ones_own_brings_plain_prompts(on_photos: Planned, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"prompts": [{"prompt": "a", "kind": "plain"}, {"prompt": "b"}]}))
    plan, line = on_photos(f"sampling.prompt_file={path}")
    assert texts(plan) == ["b", "a"]
    assert line.startswith("1 prompt of mine.json and 1 plain x 2 seeds")


@pytest.mark.parametrize("words", ["", "sampling.prompt_file=mine.txt"])
def test_plain_prompts_that_no_list_could_have_are_refused_when_typed(words: str, tmp_path: Path) -> None:
    register()
    typed = ["model=sd15", f"dataset.path={tmp_path}", "sampling.num_plain_prompts=6", *words.split()]
    with pytest.raises(ConfigError) as refused:
        check_overrides(typed, CONF)
    assert any(
        problem.startswith("sampling.num_plain_prompts=6: without effect")
        for problem in refused.value.problems
    )


def test_the_words_of_a_set_are_not_without_effect_where_nothing_is_scored() -> None:
    register()
    words = [
        "model=sd15",
        "dataset.path=x",
        "evaluation.enabled=false",
        "sampling.prompt_set=lycoris",
        *WORDS,
    ]
    assert check_overrides(words, CONF) == words


def test_the_list_can_be_had_outside_of_a_run(on_photos: Planned, tmp_path: Path) -> None:
    plan, _ = on_photos("sampling.prompt_set=lycoris", *WORDS)
    run = composed("model=sd15", "dataset.path=x", "sampling.prompt_set=lycoris", *WORDS)
    listed = listed_prompts(run, plan.sources, captions_of(plan.scan))
    assert listed[:8] == list(plan.drawing.chosen.listed) and len(listed) == 3 + 1 + 12 + 12 + 12
