"""Prompts with settings of their own: read as kohya reads them, refused where it drops them, drawn, kept."""

import json
from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest
import torch
from PIL import Image

from engine.compose.preflight import disk_problems
from engine.compose.prompt_settings import own_settings_problems
from engine.config import ConfigError, ModelConfig, Sampler
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.sampling.draw import DrawSettings, Wanted, draw_batches, draw_pictures, list_wanted, to_png
from engine.sampling.draw_set import Drawer, draw_set
from engine.sampling.picture_cache import PictureCache
from engine.sampling.prompt_file import Prompt, load_prompts
from engine.sampling.prompt_lines import OwnSettings, read_line
from engine.sampling.sample_folder import SampleFolder, SamplePlan
from tests.compose.toys import composed
from tests.training.option_desk import see_run

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/g_sample_prompts.json").read_text(encoding="utf-8"))
KOHYA = {"scale": "guidance_scale", "sample_steps": "steps"}
REFUSED = {  # which kohya changes, cuts or drops without a word, or draws in another way
    "a cat --w 512 --h 768 --d 42 --l 7.5 --s 28 --g 3.5 --ss euler_a": "--g is unknown here: the guidance",
    "--n only negative": "begins with --n only negative. Write the prompt first.",
    "a cat --w -5": "--w -5: is no number of pixels. Write --w 512.",
    "a cat --l 7,5": "--l 7,5: is no number. Write --l 7.5.",
    "a cat --n bad --quality --w 512": "--quality is unknown (there are --n, --w, --h, --d, --l, --s).",
    "a cat --width 512": "--width is unknown (did you mean --w 512?).",
    "a cat --n": "--n : is no text. Write --n blurry.",
    "a cat --ctr 0.25 --rcfg 1.0 --fs 3.0": "--ctr is unknown (there are",
    "a cat --g 0 --l 0": "--g is unknown here",
    "": "holds no prompt.",
    "a cat --s20": "--s20 is unknown (did you mean --s 28?).",
}
OTHERWISE = {  # read as it was meant
    "a cat --s 5000": {"prompt": "a cat", "steps": 5000},  # its range refuses it, where kohya takes 1000
    "a cat\t--w 512": {"prompt": "a cat", "width": 512},  # an option after a tab, which kohya draws as text
}
SETTINGS = DrawSettings(
    width=64, height=64, steps=2, guidance_scale=2.0, sampler=Sampler.ddim, negative_prompt=""
)
OWN = OwnSettings(
    negative_prompt="a blue circle", width=32, height=48, seed=9, guidance_scale=4.0, steps=3, where="line 2"
)


@pytest.fixture(scope="module")
def family() -> ModelFamily:
    return load_family(
        ModelConfig(checkpoint="demo/weights"), device=torch.device("cpu"), dtype=torch.float32
    )


@pytest.mark.parametrize("row", GOLDEN["lines"], ids=[row["line"] for row in GOLDEN["lines"]])
def test_a_line_is_read_as_kohya_reads_it_or_refused(row: dict[str, object]) -> None:
    line = str(row["line"])
    found = read_line(line, where="line 1")
    if line in REFUSED:
        assert isinstance(found, str) and found.startswith(REFUSED[line]) and found.endswith(".")
        return
    assert isinstance(found, tuple)
    out = row["out"]
    assert isinstance(out, dict)
    expected = OTHERWISE.get(line) or {KOHYA.get(key, key): value for key, value in out.items()}
    assert {"prompt": found[0], **found[1].given()} == expected


@pytest.mark.parametrize("name", ["p.txt", "p.toml", "p.json"])
def test_a_file_is_read_as_kohya_reads_it(tmp_path: Path, name: str) -> None:
    golden = GOLDEN["files(load_prompts)"][name]
    (tmp_path / name).write_text(golden["content"])
    found = load_prompts(tmp_path / name)
    expected = [{key: value for key, value in row.items() if key != "enum"} for row in golden["out"]]
    assert [{"prompt": prompt.text, **prompt.own.given()} for prompt in found] == expected


def test_what_a_subset_says_goes_before_what_is_said_of_all(tmp_path: Path) -> None:
    (tmp_path / "q.toml").write_text(GOLDEN["files(load_prompts)"]["q.toml"]["content"])
    assert [prompt.own.width for prompt in load_prompts(tmp_path / "q.toml")] == [768]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"prompt": "a", "widht": 5}]', "prompt 1: widht is unknown (did you mean width?)."),
        ('[{"prompt": "a", "width": "5"}]', "prompt 1: width=5: is no number of pixels. Correct it."),
        ('["a", {"width": 5}]', 'prompt 2: has no "prompt". Give the text that is drawn.'),
        ('["a --w 8 --w 9"]', "prompt 1: --w stands twice. Give it once."),
        ('["a", "a --w 8"]', "the prompt 'a' stands twice. Give it once."),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(ConfigError) as refusal:
        load_prompts(tmp_path / "p.json")
    assert refusal.value.problems == [f"{tmp_path / 'p.json'}: {words}"]


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"width": 500}, "p.txt: line 3: width 500: not a multiple of 8. Give 496, for example."),
        ({"steps": 5000}, "p.txt: line 3: steps 5000: out of range. Give at least 1 and at most 1000."),
        ({"guidance_scale": 0.0}, "p.txt: line 3: guidance scale 0: out of range."),
        ({"seed": 2**63}, "p.txt: line 3: seed 9223372036854775808: out of range."),
        (
            {"negative_prompt": "bad", "guidance_scale": 1.0},
            "p.txt: line 3: negative prompt bad: without effect at a guidance scale of 1.",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_line(own: dict[str, object], sentence: str) -> None:
    prompt = Prompt(text="a", own=replace(OwnSettings(where="line 3"), **own))  # type: ignore[arg-type]
    (found,) = own_settings_problems(composed(), (Prompt(text="b", own=OWN), prompt), where="p.txt")
    assert found.startswith(sentence)


def test_a_seed_of_its_own_takes_the_place_of_all_others() -> None:
    wanted = list_wanted(["a", "b"], [1, 2], [OwnSettings(), OWN])
    assert [(one.prompt, one.seed) for one in wanted] == [("a", 1), ("a", 2), ("b", 9)]


def test_own_settings_draw_what_they_would_draw_for_all(family: ModelFamily) -> None:
    wanted = list_wanted(
        ["a red star", "a green heart", "a blue circle"], [1], [OwnSettings(), OWN, OwnSettings()]
    )
    batches = list(draw_batches(family, wanted, SETTINGS))
    assert [len(batch) for batch in batches] == [2, 1]  # those of equal settings together
    alone = replace(
        SETTINGS, width=32, height=48, steps=3, guidance_scale=4.0, negative_prompt="a blue circle"
    )
    (expected,) = draw_pictures(family, ["a green heart"], [9], alone)
    (found,) = batches[1]
    assert found.image.size == (32, 48) and found.image.tobytes() == expected.image.tobytes()
    plain = draw_pictures(family, ["a red star", "a blue circle"], [1], SETTINGS)
    assert [one.image.tobytes() for one in batches[0]] == [one.image.tobytes() for one in plain]


def test_the_cache_knows_own_settings_from_those_of_all(family: ModelFamily, tmp_path: Path) -> None:
    drawer = Drawer(family=family, settings=SETTINGS, cache=PictureCache(tmp_path / "cache"))
    own = Wanted(prompt_index=0, prompt="a red star", seed=9, own=OWN)
    plain = replace(own, own=OwnSettings())
    same = Drawer(family=family, settings=drawer.settings_of(own))
    assert drawer.key(own) == same.key(plain) != drawer.key(plain)
    store = SampleFolder(
        tmp_path, SamplePlan(prompts=["a red star"], seeds=[9], settings=SETTINGS, num_previews=1)
    )
    for expected in ((0, 1), (1, 0)):
        with store.filling("base") as filling:
            drawn = draw_set(drawer, [own], filling)
        assert (drawn.num_cached, drawn.num_drawn) == expected


def test_the_listing_tells_own_settings_and_other_ones_are_another_set(tmp_path: Path) -> None:
    prompts = (Prompt(text="a"), Prompt(text="b", own=OWN))
    plan = SamplePlan(prompts=["a", "b"], known=prompts, seeds=[1, 2], settings=SETTINGS, num_previews=2)
    store = SampleFolder(tmp_path, plan)
    with store.filling("final") as filling:
        for one in plan.wanted():
            filling.add(one, to_png(_picture()))
    listing = json.loads((tmp_path / "samples/samples.json").read_text())
    assert listing["own_settings"] == [{}, OWN.given()]
    assert [row["file"] for row in listing["sets"]["final"]] == [
        "final/p00_s1.png",
        "final/p00_s2.png",
        "final/p01_s9.png",
    ]
    assert SampleFolder(tmp_path, plan).has("final")
    without = replace(plan, known=(prompts[0], Prompt(text="b")))
    other = replace(plan, known=(prompts[0], Prompt(text="b", own=replace(OWN, steps=4))))
    assert not SampleFolder(tmp_path, without).has("final")
    assert not SampleFolder(tmp_path, other).has("final")
    assert [(one.prompt, one.seed) for one in plan.previewed()] == [("a", 1), ("b", 9)]


def test_a_run_draws_and_scores_them(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a sks red star\na sks green heart --d 9 --w 32 --n a blue circle\n")
    _, seen = see_run(
        tmp_path,
        f"sampling.prompt_file={tmp_path / 'p.txt'}",
        "sampling.num_prompts=2",
        "sampling.seeds=[1,2]",
        "sampling.preview_every=2",
        "evaluation.enabled=true",
    )
    names = ["p00_s1.png", "p00_s2.png", "p01_s9.png"]
    assert [sorted(Path(name).name for name in found) for found in (seen.base, seen.final)] == [names, names]
    assert sorted(Path(name).name for name in seen.previews) == ["p00_s1.png", "p01_s9.png"]
    values, _ = seen.scores
    assert {"likeness", "adherence"} <= set(values) and all(isfinite(value) for value in values.values())


def test_a_wrong_option_ends_a_command_line_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_text("a red star\n\na green heart --w 33\n")
    run = composed(f"sampling.prompt_file={path}")
    (problem,) = disk_problems(run)
    assert (
        problem
        == f"sampling.prompt_file={path}: line 3: width 33: not a multiple of 8. Give 32, for example."
    )
    path.write_text("a red star --steps 20\n")
    (problem,) = disk_problems(run)
    assert problem == f"sampling.prompt_file={path}: line 1: --steps is unknown (did you mean --s 28?)."


def _picture() -> Image.Image:
    return Image.new("RGB", (8, 8))
